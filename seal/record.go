package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	recordMagic      = "KQSL"
	recordVersion    = 1
	recordHead       = len(recordMagic) + 1 + 16 + 8 + 1 + 1
	shareHashSize    = sha256.Size
	wrappedRootBytes = boxOverhead + keySize
)

var (
	// ErrRecord says that bytes are no seal record, or one of a version that this program does not know.
	ErrRecord = errors.New("seal: not a seal record")
	// ErrSplit says that a number of shares and a threshold can't be had together.
	ErrSplit = errors.New("seal: 1 to 255 shares; threshold 2 to the number of shares, or 1 of 1")
)

// A Record is the seal record: threshold, a hash of each share, wrapped root key. It is stored in the clear.
// It is a value: copies share nothing that can change, and == compares.
type Record struct {
	ClusterID  [16]byte
	Shares     int    // shares that were made, 1 to 255
	Threshold  int    // shares that open
	Generation uint64 // 1 for the shares made at init, one more with each rekey

	shareHashes string // of each share, in the order of their ids from 1
	wrappedRoot string // a box under the key-encryption key, bound to every byte before it
}

// Encode returns the one encoding of r (docs/formats-seal.md).
func (r Record) Encode() []byte { return append(r.header(), r.wrappedRoot...) }

// header is everything before the wrapped root key, and its associated data: a record that was changed in any way
// takes shares, perhaps, but opens nothing.
func (r Record) header() []byte {
	b := make([]byte, 0, recordHead+len(r.shareHashes)+wrappedRootBytes)
	b = append(b, recordMagic...)
	b = append(b, recordVersion)
	b = append(b, r.ClusterID[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Generation)
	b = append(b, byte(r.Shares), byte(r.Threshold))
	return append(b, r.shareHashes...)
}

// DecodeRecord reads what Encode wrote. Its errors are ErrRecord with what is wrong.
func DecodeRecord(b []byte) (Record, error) {
	if len(b) < recordHead || string(b[:len(recordMagic)]) != recordMagic {
		return Record{}, ErrRecord
	}
	if v := b[len(recordMagic)]; v != recordVersion {
		return Record{}, fmt.Errorf("%w of version %d; this program knows version %d", ErrRecord, v, recordVersion)
	}
	r, rest := decodeHead(b[len(recordMagic)+1:])
	if checkSplit(r.Shares, r.Threshold) != nil || r.Generation == 0 {
		return Record{}, fmt.Errorf("%w: threshold %d of %d shares, generation %d", ErrRecord, r.Threshold, r.Shares, r.Generation)
	}
	hashes := r.Shares * shareHashSize
	if want := hashes + wrappedRootBytes; len(rest) != want {
		return Record{}, fmt.Errorf("%w: %d bytes where %d belong", ErrRecord, len(b), recordHead+want)
	}
	r.shareHashes, r.wrappedRoot = string(rest[:hashes]), string(rest[hashes:])
	return r, nil
}

func decodeHead(b []byte) (Record, []byte) {
	r := Record{
		ClusterID:  [16]byte(b[:16]),
		Generation: binary.BigEndian.Uint64(b[16:24]),
		Shares:     int(b[24]),
		Threshold:  int(b[25]),
	}
	return r, b[26:]
}

// issued says whether raw, of shareSize bytes, is the share that was made with its id.
func (r Record) issued(raw []byte) bool {
	at := (int(raw[0]) - 1) * shareHashSize
	if at < 0 || at+shareHashSize > len(r.shareHashes) {
		return false
	}
	return r.shareHashes[at:at+shareHashSize] == r.hashShare(raw)
}

// hashShare commits to a share, bound to cluster and generation. A share is 252 random bits, so its
// hash hides it from whoever may search with whatever machine. It runs inside Do.
func (r Record) hashShare(raw []byte) string {
	b := append([]byte(labelShare), r.ClusterID[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Generation)
	sum := sha256.Sum256(append(b, raw...))
	return string(sum[:])
}

// checkSplit refuses 1 of many: each share would be the key itself, in many hands.
func checkSplit(n, t int) error {
	if n < 1 || n > maxShares || t < 1 || t > n || (t == 1 && n > 1) {
		return ErrSplit
	}
	return nil
}
