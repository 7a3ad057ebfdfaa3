package fsm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// A snapshotReader reads the fields of a snapshot and hashes what it reads. After the first error,
// which stays, everything reads as zero. Nothing is allocated on the word of a length beyond its
// limit.
type snapshotReader struct {
	in     *bufio.Reader
	sha    hash.Hash
	err    error
	counts [256]uint64 // elements read, by tag
	field  [8]byte     // scratch
}

// fill reads all of b.
func (r *snapshotReader) fill(b []byte) {
	if r.err == nil {
		if _, r.err = io.ReadFull(r.in, b); errors.Is(r.err, io.EOF) {
			r.err = io.ErrUnexpectedEOF
		}
	}
	if r.err != nil {
		clear(b)
		return
	}
	r.sha.Write(b)
}

func (r *snapshotReader) byte() byte {
	r.fill(r.field[:1])
	return r.field[0]
}

func (r *snapshotReader) uint16() uint16 {
	r.fill(r.field[:2])
	return binary.BigEndian.Uint16(r.field[:])
}

func (r *snapshotReader) uint32() uint32 {
	r.fill(r.field[:4])
	return binary.BigEndian.Uint32(r.field[:])
}

func (r *snapshotReader) uint64() uint64 {
	r.fill(r.field[:8])
	return binary.BigEndian.Uint64(r.field[:])
}

func (r *snapshotReader) bytes(n, limit uint32) []byte {
	if r.err == nil && n > limit {
		r.err = fmt.Errorf("a length of %d where at most %d can be", n, limit)
	}
	if r.err != nil {
		return nil
	}
	b := make([]byte, n)
	r.fill(b)
	return b
}

func (r *snapshotReader) string(limit uint32) string {
	return string(r.bytes(uint32(r.uint16()), limit))
}
