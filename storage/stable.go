package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// A stable is Raft's term and vote in raft.db. Each value is followed by the CRC-32C of key and
// value: a vote that was misread could be given twice.
type stable struct {
	db      backend
	commits *commits
}

func valueCRC(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// Set stores a value and returns when it is on disk.
func (s stable) Set(key, value []byte) error {
	checked := make([]byte, 0, len(value)+crcSize)
	checked = append(checked, value...)
	checked = binary.BigEndian.AppendUint32(checked, valueCRC(key, value))
	return s.commits.commit(fmt.Sprintf("storing %q", key),
		func() error { return s.db.Set(key, checked) }, nil)
}

// Get reads a value. Raft knows a missing one by raft-boltdb's error "not found", so that is passed
// on as it is.
func (s stable) Get(key []byte) ([]byte, error) {
	if err := s.commits.err(); err != nil {
		return nil, err
	}
	b, err := s.db.Get(key)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("storage: reading %q of %s: %w", key, boltName, err)
	}
	value, err := checkedValue(key, b)
	if err != nil {
		return nil, fmt.Errorf("storage: %q of %s is %w", key, boltName, err)
	}
	return value, nil
}

// checkedValue takes the checksum off a value that was read, if it is right.
func checkedValue(key, b []byte) ([]byte, error) {
	n := len(b) - crcSize
	if n < 0 || binary.BigEndian.Uint32(b[n:]) != valueCRC(key, b[:n]) {
		return nil, errDamaged
	}
	return b[:n:n], nil
}

// SetUint64 stores a number.
func (s stable) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 reads a number.
func (s stable) GetUint64(key []byte) (uint64, error) {
	b, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("storage: %q of %s is %d bytes long, not a number", key, boltName, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}
