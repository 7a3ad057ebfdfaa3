package storage

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for another process to let go of the folder: long enough for one
// that is just ending.
const lockWait = time.Second

// A backend is what the wrappers need of raft-boltdb: the seam where tests make disks fail, and
// where another log store would fit.
type backend interface {
	FirstIndex() (uint64, error)
	LastIndex() (uint64, error)
	GetLog(index uint64, l *raft.Log) error
	StoreLogs(entries []*raft.Log) error
	DeleteRange(low, high uint64) error
	Set(key, value []byte) error
	Get(key []byte) ([]byte, error)
}

// A boltFile is a file of bolt, open and locked: raft.db, or one that is made to take its place.
type boltFile struct {
	backend
	name  string   // what errors call it
	file  *os.File // bolt's own: to ask its size, to read and sync it
	close func() error
}

// openBolt opens or makes the file.
func openBolt(path string) (*boltFile, error) { return openBoltAs(path, path) }

// openBoltAs opens or makes a file that will have another name. Bolt calls a file for ever what it
// was called when it was opened, so it is told that name from the start.
func openBoltAs(path, name string) (*boltFile, error) {
	db := &boltFile{name: name}
	err := guard(func() error {
		store, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: boltOptions(db.open)})
		if err == nil {
			db.backend, db.close = store, store.Close
		}
		return err
	})
	if err != nil {
		letGo(db.file)
		return nil, boltError(path, err)
	}
	if err := stillNamed(db.file, path); err != nil {
		return nil, errors.Join(boltError(path, err), db.Close())
	}
	return db, nil
}

// stillNamed looks whether a file that was just locked has its name still. The process that held
// the lock may have put another file in its place (Store.Scrub), and then holds the lock of that
// one.
func stillNamed(f *os.File, path string) error {
	locked, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(path)
	if err == nil && !os.SameFile(locked, named) {
		return bolterrors.ErrTimeout
	}
	return err
}

func boltOptions(open func(string, int, os.FileMode) (*os.File, error)) *bbolt.Options {
	return &bbolt.Options{
		Timeout:        lockWait,
		NoFreelistSync: true, // the freelist would be rewritten with each entry; it is found again by a scan at open
		FreelistType:   bbolt.FreelistMapType,
		OpenFile:       open,
	}
}

func boltError(path string, err error) error {
	if errors.Is(err, bolterrors.ErrTimeout) {
		return fmt.Errorf("storage: %s is locked: another process uses this folder", path)
	}
	return fmt.Errorf("storage: opening %s: %w", path, err)
}

// guard makes an error of a panic, which is how bolt meets damaged pages.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a page number far beyond the file faults
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%v)", errBoltDamaged, p)
		}
	}()
	return f()
}

// letGo unlocks and closes a file that a panic of bolt may have left open. Closing is not enough:
// the mapping that is left behind too would keep the lock.
func letGo(f *os.File) {
	if f == nil {
		return
	}
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.Flock(int(fd), syscall.LOCK_UN) })
	}
	f.Close()
}

// open is given to bolt.
func (db *boltFile) open(path string, flag int, mode os.FileMode) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, flag|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, uint32(mode))
		switch {
		case err == nil:
			db.file = os.NewFile(uintptr(fd), db.name)
			return db.file, nil
		case !errors.Is(err, syscall.EINTR):
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// size is the file's length in bytes, or 0 when it can't be told.
func (db *boltFile) size() int64 {
	info, err := db.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

func (db *boltFile) Close() error {
	if err := db.close(); err != nil {
		return fmt.Errorf("storage: closing %s: %w", db.name, err)
	}
	return nil
}
