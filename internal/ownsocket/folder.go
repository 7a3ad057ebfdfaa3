package ownsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrInUse: another process listens there.
var ErrInUse = errors.New("another process listens there, and each needs a path of its own")

// Check says why Listen would fail at a path, and changes nothing. The error is fs.ErrNotExist
// where there is no folder, and ErrInUse where somebody listens.
func Check(path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return replaceable(path)
}

// checkFolder refuses a folder into which another user than this process's can look, or which
// another one could put in its place. Root can do all of it anyway.
func checkFolder(dir string) error {
	info, err := os.Lstat(dir)
	own := uint32(os.Geteuid())
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder: name the folder itself, and no link to it", dir)
	case ownerOf(info) != own:
		return fmt.Errorf("the folder %s belongs to user %d, and this is user %d: the folder of the "+
			"socket belongs to whoever listens", dir, ownerOf(info), own)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("other users can enter the folder %s: take it from them with chmod 700, or "+
			"choose another one", dir)
	}
	_, err = guarded(dir, own)
	return err
}

func ownerOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// replaceable says whether a socket can be made at a path: nothing is there, or the socket of a
// process that has ended.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there, and is no socket: nothing is put in its place, so choose "+
			"another path, or move it away", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%s: %w (%v)", path, ErrInUse, err) // its queue is full, or whatever else
}

// lock keeps other processes from making or removing a socket in a folder meanwhile. It waits for a
// second.
func lock(dir string) (unlock func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { folder.Close() }, nil // which gives the lock back
		}
		if time.Now().After(end) {
			folder.Close()
			return nil, fmt.Errorf("another process keeps the folder %s locked: %w", dir, err)
		}
	}
}
