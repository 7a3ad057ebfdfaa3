package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"syscall"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"
)

var errBoltDamaged = errors.New("damaged: its pages contradict each other")

// checkBolt reads raft.db's pages before bolt does. Bolt maps the file into memory and trusts it: a
// lost tail or a flipped bit in a page header ends the process there, on a goroutine of bolt's own,
// where no panic can be turned into a sentence.
func checkBolt(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	defer f.Close()
	if err := lockShared(f); err != nil { // a file that is in use may change while it is read
		return boltError(path, err)
	}
	if err := stillNamed(f, path); err != nil {
		return boltError(path, err)
	}
	meta, err := checkBoltMeta(f)
	if err != nil {
		return boltError(path, err)
	}
	if err := checkBoltPages(f, meta); err != nil {
		return boltError(path, err)
	}
	return nil
}

// lockShared waits as bolt does, and fails as bolt does. Closing the file unlocks it.
func lockShared(f *os.File) error {
	for start := time.Now(); ; time.Sleep(lockWait / 20) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Since(start) > lockWait {
			return bolterrors.ErrTimeout
		}
	}
}

// A boltMeta is what we look at in one of bolt's two meta pages.
type boltMeta struct {
	pageSize uint32
	root     uint64 // page of the root bucket
	pages    uint64 // high-water mark: pages in use are below it
	txid     uint64
}

const (
	confBucket     = "conf"
	logsBucket     = "logs"
	boltPageHeader = 16
	boltMetaSize   = 64 // with its checksum
	boltMagic      = 0xED0CDAED
)

// checkBoltMeta returns the newer meta. It refuses a file whose tail was lost, and one of whose two
// meta pages is damaged. Bolt itself takes the other, older meta page then, without a word: the
// newest transaction, an acknowledged entry or a vote, would be gone. A crash can't tear a meta
// page on a disk that writes sectors of 512 bytes whole, because the meta is in the first 80 bytes
// of its page.
func checkBoltMeta(f *os.File) (boltMeta, error) {
	first, err := readBoltMeta(f, 0)
	if err != nil {
		return boltMeta{}, fmt.Errorf("its first meta page: %w", err)
	}
	second, err := readBoltMeta(f, int64(first.pageSize))
	if err != nil {
		return boltMeta{}, fmt.Errorf("its second meta page: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return boltMeta{}, err
	}
	newer := first
	if second.txid > first.txid {
		newer = second
	}
	if need := int64(newer.pages) * int64(newer.pageSize); info.Size() < need {
		return boltMeta{}, fmt.Errorf("damaged: it is %d bytes long and must be at least %d", info.Size(),
			need)
	}
	return newer, nil
}

func readBoltMeta(f *os.File, off int64) (boltMeta, error) {
	var page [boltPageHeader + boltMetaSize]byte
	if _, err := f.ReadAt(page[:], off); err != nil {
		return boltMeta{}, noEOF(err)
	}
	meta := page[boltPageHeader:]
	sum := fnv.New64a()
	sum.Write(meta[:56])
	if bolt32(meta) != boltMagic || sum.Sum64() != bolt64(meta[56:]) {
		return boltMeta{}, errDamaged
	}
	return boltMeta{pageSize: bolt32(meta[8:]), root: bolt64(meta[16:]), pages: bolt64(meta[40:]),
		txid: bolt64(meta[48:])}, nil
}

// Bolt writes integers as its machine does.
func bolt32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
func bolt64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }

// checkBoltPages visits every page in use. The root bucket holds the two buckets of raft-boltdb and
// nothing else.
func checkBoltPages(f *os.File, meta boltMeta) error {
	p := &boltPages{file: f, boltMeta: meta, seen: map[uint64]bool{}}
	var buckets []string
	err := p.walk(meta.root, keyRange{}, func(name, bucket []byte, isBucket bool) error {
		buckets = append(buckets, string(name))
		if !isBucket || len(bucket) < boltPageHeader {
			return fmt.Errorf("%w (%.20q is not a bucket)", errBoltDamaged, name)
		}
		visit := checkLogItem
		if string(name) == confBucket {
			visit = checkConfItem
		}
		return p.bucket(string(name), bucket, visit)
	})
	if err == nil && (len(buckets) != 2 || buckets[0] != confBucket || buckets[1] != logsBucket) {
		err = fmt.Errorf("%w (its buckets are %.80q)", errBoltDamaged, buckets)
	}
	return err
}

// bucket walks a bucket's pages; a small one is inside the value itself.
func (p *boltPages) bucket(name string, bucket []byte, visit visitItem) error {
	switch root := bolt64(bucket); {
	case root != 0 && len(bucket) > boltPageHeader: // a small one whose page number was damaged: it may lead to an older copy
		return fmt.Errorf("%w (%s is in its own page and in page %d)", errBoltDamaged, name, root)
	case root != 0:
		return p.walk(root, keyRange{}, visit)
	}
	return p.items(bucket[boltPageHeader:], keyRange{}, visit) // a bucket's header is 16 bytes too
}

func checkLogItem(key, _ []byte, isBucket bool) error {
	if len(key) != 8 || isBucket {
		return fmt.Errorf("%w (%.20q is no entry)", errBoltDamaged, key)
	}
	return nil
}

// checkConfItem matters because Raft takes a vote that is not found for one that was never given.
func checkConfItem(key, value []byte, isBucket bool) error {
	if _, err := checkedValue(key, value); err != nil || isBucket {
		return fmt.Errorf("its value %.20q: %w", key, errDamaged)
	}
	return nil
}

// A confValue is a value of the stable store as it is on disk, with its checksum.
type confValue struct{ key, value []byte }

// readConf reads the whole stable store of a file that nobody writes to meanwhile. Raft-boltdb only
// gives values whose keys one knows.
func readConf(f *os.File) (all []confValue, err error) {
	meta, err := checkBoltMeta(f)
	if err != nil {
		return nil, err
	}
	p := &boltPages{file: f, boltMeta: meta, seen: map[uint64]bool{}}
	collect := func(key, value []byte, isBucket bool) error {
		all = append(all, confValue{key, value})
		return checkConfItem(key, value, isBucket)
	}
	err = p.walk(meta.root, keyRange{}, func(name, bucket []byte, _ bool) error {
		if string(name) != confBucket {
			return nil
		}
		return p.bucket(confBucket, bucket, collect)
	})
	return all, err
}

// A keyRange bounds the keys below a branch: low ≤ key < high, nil for no bound.
type keyRange struct{ low, high []byte }

func (r keyRange) holds(key []byte) bool {
	return (r.low == nil || bytes.Compare(r.low, key) <= 0) &&
		(r.high == nil || bytes.Compare(key, r.high) < 0)
}
