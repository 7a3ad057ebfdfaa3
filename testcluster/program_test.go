package testcluster

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a process that has ended built is removed, and no more.
func TestProgramsThatNobodyUsesAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	unlocked := func(name string) string {
		dir := filepath.Join(os.TempDir(), folders+name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	mine, err := ownFolder()
	if err != nil {
		t.Fatal(err)
	}
	left, fresh := unlocked("left"), unlocked("new")
	for _, dir := range []string{mine, left} {
		hour := time.Now().Add(-time.Hour)
		if err := os.Chtimes(dir, hour, hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ownFolder(); err != nil {
		t.Fatal(err)
	}
	for dir, stays := range map[string]bool{mine: true, left: false, fresh: true} {
		if _, err := os.Stat(dir); (err == nil) != stays {
			t.Errorf("%s: %v; it should stay: %v", dir, err, stays)
		}
	}
}
