package testcluster_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFromOutside runs the tests of an application in a module of its own, whose author has read no
// more than the documentation.
func TestFromOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an application and the program")
	}
	fromOutside(t, "outside", "TestTheTillInABubble", "TestTheTill")
}

// TestStartFromOutside does the same for whoever wants a vault to test with, and no more.
func TestStartFromOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an application")
	}
	fromOutside(t, "start", "TestPasswordIsKept", "TestPasswordOutlivesANode")
}

// fromOutside runs tests of a folder of testdata as a module that requires this one.
func fromOutside(t *testing.T, folder string, tests ...string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", folder))))
	root, err := filepath.Abs("..")
	must(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))
	golang(t, dir, "mod", "edit", "-replace=keyquorum="+root)
	out := golang(t, dir, "test", "-mod=mod", "-count=1", "-timeout=2m", "-v",
		".") // mod: what ours requires is taken over
	for _, name := range tests {
		if !strings.Contains(out, "--- PASS: "+name+" (") {
			t.Errorf("%s did not run:\n%s", name, out)
		}
	}
}

// golang runs the go command in another module's folder.
func golang(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return string(out)
}
