package schedule_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// small is a folder on a file system of its own, of so many bytes.
func small(t *testing.T, bytes int64) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a small disk is a file system of its own, and mounting one failed: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
