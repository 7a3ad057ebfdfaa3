package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"syscall"

	"go.etcd.io/bbolt"
)

var errBoltDamaged = errors.New("damaged: its pages contradict each other")

// A boltMeta is what we look at in one of bolt's two meta pages.
type boltMeta struct {
	pageSize uint32
	pages    uint64 // high-water mark: pages in use are below it
}

const (
	boltPageHeader = 16
	boltMetaSize   = 64 // with its checksum
	boltMagic      = 0xED0CDAED
)

// checkBolt reads raft.db through before it is opened for writing. Opening for writing walks the pages on a goroutine of
// bolt's own, where a panic over a damaged one could not be turned into a sentence.
func checkBolt(path string) error {
	var db *bbolt.DB
	var file *os.File
	err := guard(func() (err error) {
		options := boltOptions(func(path string, flag int, mode os.FileMode) (*os.File, error) {
			file, err = openForCheck(path, flag, mode)
			return file, err
		})
		options.ReadOnly = true
		if db, err = bbolt.Open(path, 0o600, options); err != nil {
			return err
		}
		return db.View(walkBolt)
	})
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		letGo(file)
		return boltError(path, err)
	}
	return nil
}

// openForCheck looks at the file before bolt maps it into memory.
func openForCheck(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	if err := checkBoltMeta(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// walkBolt visits every key of both buckets and checks the values of the stable store, where Raft would take a key that
// is not found for a node that never voted.
func walkBolt(tx *bbolt.Tx) error {
	logs, conf := tx.Bucket([]byte("logs")), tx.Bucket([]byte("conf"))
	if logs == nil || conf == nil {
		return fmt.Errorf("%w (a bucket is missing)", errBoltDamaged)
	}
	err := conf.ForEach(func(key, value []byte) error {
		if _, err := checkedValue(key, value); err != nil {
			return fmt.Errorf("%q in it is %w", key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var last []byte
	return logs.ForEach(func(key, value []byte) error {
		if len(key) != 8 || value == nil || bytes.Compare(last, key) >= 0 { // nil: a bucket, where there is none
			return fmt.Errorf("%w (its entries are out of order)", errBoltDamaged)
		}
		last = append(last[:0], key...)
		return nil
	})
}

// checkBoltMeta refuses a file whose tail was lost, which would end the process when bolt looks there, and one of whose two
// meta pages is damaged. Bolt itself takes the other, older meta page then, without a word: the newest transaction, an
// acknowledged entry or a vote, would be gone. A crash can't tear a meta page on a disk that writes sectors of 512 bytes
// whole, because the meta is in the first 80 bytes of its page.
func checkBoltMeta(f *os.File) error {
	first, err := readBoltMeta(f, 0)
	if err != nil {
		return fmt.Errorf("its first meta page: %w", err)
	}
	second, err := readBoltMeta(f, int64(first.pageSize))
	if err != nil {
		return fmt.Errorf("its second meta page: %w", err)
	}
	info, err := f.Stat() // after the metas: the process that holds the lock may be letting the file grow
	if err != nil {
		return err
	}
	if need := int64(max(first.pages, second.pages)) * int64(first.pageSize); info.Size() < need {
		return fmt.Errorf("damaged: it is %d bytes long and must be at least %d", info.Size(), need)
	}
	return nil
}

// readBoltMeta reads the meta page at off. A process that holds the lock may be writing it, so one that looks torn is read
// again.
func readBoltMeta(f *os.File, off int64) (boltMeta, error) {
	var page [boltPageHeader + boltMetaSize]byte
	for range 3 {
		if _, err := f.ReadAt(page[:], off); err != nil {
			return boltMeta{}, noEOF(err)
		}
		meta := page[boltPageHeader:]
		sum := fnv.New64a()
		sum.Write(meta[:56])
		if binary.NativeEndian.Uint32(meta) == boltMagic && sum.Sum64() == binary.NativeEndian.Uint64(meta[56:]) {
			return boltMeta{pageSize: binary.NativeEndian.Uint32(meta[8:]), pages: binary.NativeEndian.Uint64(meta[40:])}, nil
		}
	}
	return boltMeta{}, errDamaged
}
