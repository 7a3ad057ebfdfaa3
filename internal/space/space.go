// Package space says how much room is left on the file system under a path. It does not know who
// asks, or how much is enough.
package space

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrUnknown: nothing is stored under the path that could run out of room: it is a pipe, a device,
// or on a file system of the kernel's own.
var ErrUnknown = errors.New("space: it has no room to run out of")

// Free is how many bytes an ordinary user may yet write on the file system of a folder, or of a
// file, which need not be there while its folder is. Errors are those of stat(2) and statfs(2), and
// ErrUnknown. It waits for as long as the file system lets it.
func Free(path string) (bytes uint64, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return 0, ErrUnknown
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	if s.Blocks == 0 {
		return 0, ErrUnknown
	}
	return s.Bavail * uint64(s.Bsize), nil
}
