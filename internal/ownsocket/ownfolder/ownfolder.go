// Package ownfolder gives tests a folder that a socket of package ownsocket may be in. The folders
// of testing.T won't do: they are below /tmp, which every user can write to.
package ownfolder

import (
	"os"
	"path/filepath"
	"testing"

	"keyquorum/internal/ownsocket"
)

// New makes a folder that only this process's user can enter, and that nobody else can put another
// one in the place of. Its path leaves room for a name. The end of the test removes it.
func New(t testing.TB) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var why []error
	for _, in := range []string{os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/run", here} {
		if in == "" {
			continue
		}
		dir, err := os.MkdirTemp(in, ".own")
		if err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			if err = ownsocket.Check(filepath.Join(dir, "a-socket-with-a-long-name")); err == nil {
				return dir
			}
		}
		why = append(why, err)
	}
	t.Fatalf("no folder is good enough for a socket; name one in TMPDIR that others can't write "+
		"to: %v", why)
	return ""
}
