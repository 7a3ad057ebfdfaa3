package space_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"keyquorum/internal/space"
)

// A folder and a file have the room of their file system, a file that is to come too. Of what keeps
// nothing there is no telling.
func TestFree(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "log"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		dir: nil, file: nil, filepath.Join(dir, "to-come"): nil,
		pipe: space.ErrUnknown, "/dev/null": space.ErrUnknown, "/proc/self/status": space.ErrUnknown,
		filepath.Join(dir, "no", "folder"): fs.ErrNotExist,
	} {
		bytes, err := space.Free(path)
		if !errors.Is(err, want) || (bytes > 0) != (want == nil) {
			t.Errorf("%s: %d bytes, %v", path, bytes, err)
		}
	}
}
