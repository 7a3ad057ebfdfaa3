package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// temporary ends the names of what is not whole yet. Open removes them.
	temporary = ".tmp"
	// maxSmallFile bounds ReadFile. The largest small file, a snapshot's manifest with hundreds of
	// servers, is far below.
	maxSmallFile = 1 << 20
)

// A disk is the small file layer: each step that the crash arguments of docs/formats-storage.md
// speak of goes through it once. (Bolt writes its own file.)
type disk struct {
	// step, if set, is asked before each step and can refuse it: tests record steps and pull the plug
	// with it.
	step func(op, path string) error
}

func (d disk) before(op, path string) error {
	if d.step == nil {
		return nil
	}
	return d.step(op, path)
}

func (d disk) mkdir(path string) error {
	if err := d.before("mkdir", path); err != nil {
		return err
	}
	return os.Mkdir(path, 0o700)
}

// create opens a new or emptied file for writing. A symbolic link is refused.
func (d disk) create(path string) (*os.File, error) {
	if err := d.before("create", path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
}

func (d disk) write(f *os.File, b []byte) (int, error) {
	if err := d.before("write", f.Name()); err != nil {
		return 0, err
	}
	return f.Write(b)
}

// sync makes the bytes of an open file durable.
func (d disk) sync(path string, f *os.File) error {
	if err := d.before("sync", path); err != nil {
		return err
	}
	return f.Sync()
}

// finish syncs and closes.
func (d disk) finish(f *os.File) error {
	return errors.Join(d.sync(f.Name(), f), f.Close())
}

// syncDir makes the names in a folder durable.
func (d disk) syncDir(path string) error {
	if err := d.before("syncdir", path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d disk) rename(from, to string) error {
	if err := d.before("rename", to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (d disk) removeAll(path string) error {
	if err := d.before("remove", path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// newFile writes and syncs a file; its name is not durable yet.
func (d disk) newFile(path string, b []byte) error {
	f, err := d.create(path)
	if err != nil {
		return err
	}
	if _, err := d.write(f, b); err != nil {
		return errors.Join(err, f.Close())
	}
	return d.finish(f)
}

// writeFile replaces path wholly or not at all.
func (d disk) writeFile(path string, b []byte) error {
	if err := d.newFile(path+temporary, b); err != nil {
		return errors.Join(err, d.removeAll(path+temporary))
	}
	if err := d.rename(path+temporary, path); err != nil {
		return errors.Join(err, d.removeAll(path+temporary))
	}
	return d.syncDir(filepath.Dir(path))
}

// placeDir gives a folder its final name, which nothing may have yet. After an error it may have
// either, also on disk.
func (d disk) placeDir(from, to string) error {
	if err := d.syncDir(from); err != nil {
		return err
	}
	if err := d.rename(from, to); err != nil {
		return err
	}
	if filepath.Dir(from) != filepath.Dir(to) {
		if err := d.syncDir(filepath.Dir(from)); err != nil {
			return err
		}
	}
	return d.syncDir(filepath.Dir(to))
}

// renameDir is placeDir, and takes back what could not be made durable: whoever hears of a failure
// must not find the folder made.
func (d disk) renameDir(from, to string) error {
	err := d.placeDir(from, to)
	if err == nil {
		return nil
	}
	if _, renamed := os.Lstat(from); errors.Is(renamed, fs.ErrNotExist) {
		return errors.Join(err, d.rename(to, from))
	}
	return err
}

// removeTemporary removes what a crash left half made in dir.
func removeTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), temporary) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("storage: removing what a crash left: %w", err)
		}
	}
	return nil
}

// ReadFile reads a small file (at most 1 MiB). A missing one is fs.ErrNotExist.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	if len(b) > maxSmallFile {
		return nil, fmt.Errorf("storage: %s is longer than %d bytes", path, maxSmallFile)
	}
	return b, nil
}

// WriteFile replaces a small file atomically and durably, with mode 0600: after a crash it has the
// old bytes or the new. It writes path + ".tmp" first, so one caller at a time may write a path.
func WriteFile(path string, b []byte) error {
	if len(b) > maxSmallFile {
		return fmt.Errorf("storage: %d bytes for %s: more than %d", len(b), path, maxSmallFile)
	}
	if err := (disk{}).writeFile(path, b); err != nil {
		return fmt.Errorf("storage: writing %s: %w", path, err)
	}
	return nil
}

// RenameDir puts a folder into place durably. newpath must not exist (fs.ErrExist), so that of two
// makers one wins. On an error the folder has its old name, unless it says that it could not be
// renamed back.
func RenameDir(oldpath, newpath string) error {
	if _, err := os.Lstat(newpath); err == nil {
		return fmt.Errorf("storage: renaming %s: %s: %w", oldpath, newpath, fs.ErrExist)
	}
	if err := (disk{}).renameDir(oldpath, newpath); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	return nil
}
