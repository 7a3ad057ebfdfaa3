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

// lockWait is how long Open waits for another process to let go of the folder: long enough for one that is just ending.
const lockWait = time.Second

// A backend is what the wrappers need of raft-boltdb: the seam where tests make disks fail, and where another log store
// would fit.
type backend interface {
	raft.LogStore
	raft.StableStore
}

// A boltFile is raft.db, open and locked.
type boltFile struct {
	backend
	path  string
	file  *os.File // bolt's own: only to ask its size
	close func() error
}

// openBolt opens or makes the file.
func openBolt(path string) (*boltFile, error) {
	db := &boltFile{path: path}
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
	return db, nil
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

// letGo unlocks and closes a file that a panic of bolt may have left open. Closing is not enough: the mapping that is left
// behind too would keep the lock.
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
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW, mode)
	db.file = f
	return f, err
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
		return fmt.Errorf("storage: closing %s: %w", db.path, err)
	}
	return nil
}
