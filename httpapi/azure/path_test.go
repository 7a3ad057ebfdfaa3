package azure_test

import (
	"strings"
	"testing"

	"keyquorum/httpapi/azure"
)

// A path leads to the same route however its empty segments and its case are written, and to no
// other.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/keys/name//sign", "/secrets/name/", "/secrets/a%2fb",
		"/deletedkeys/x/recover", "/secrets/versions/versions", "/%", "/a/b/c/d/e/f/g/h/i/j"} {
		f.Add("GET", seed)
		f.Add("POST", seed)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		shape, params := azure.Find(method, path)
		if shape == "" {
			return
		}
		again, same := azure.Find(method, strings.ReplaceAll(path, "/", "//")+"/")
		if again != shape || same != params {
			t.Fatalf("%s %q is %q %q, and with empty segments %q %q", method, path, shape, params, again,
				same)
		}
		if strings.Contains(shape, "{name}") && params[0] == "" {
			t.Fatalf("%s %q matches %q without a name", method, path, shape)
		}
	})
}
