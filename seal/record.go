package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/group"
)

const (
	recordMagic      = "KQSL"
	recordVersion    = 1
	recordHead       = len(recordMagic) + 1 + 16 + 8 + 1 + 1
	pointSize        = 32
	wrappedRootBytes = boxOverhead + keySize
)

var (
	// ErrRecord says that bytes are no seal record, or one of a version that this program does not know.
	ErrRecord = errors.New("seal: not a seal record")
	// ErrSplit says that a number of shares and a threshold can't be had together.
	ErrSplit = errors.New("seal: 1 to 255 shares; threshold 2 to the number of shares, or 1 of 1")
)

// A Record is the seal record: threshold, commitments, wrapped root key. It is stored in the clear.
// It is a value: copies share nothing that can change, and == compares.
type Record struct {
	ClusterID  [16]byte
	Shares     int    // shares that were made, 1 to 255
	Threshold  int    // shares that open
	Generation uint64 // 1 for the shares made at init, one more with each rekey

	commitments string // Threshold points: Feldman's commitments to the coefficients, constant term first
	wrappedRoot string // a box under the key-encryption key, bound to every byte before it
}

// Encode returns the one encoding of r (docs/formats-seal.md).
func (r Record) Encode() []byte { return append(r.header(), r.wrappedRoot...) }

// header is everything before the wrapped root key, and its associated data: a record that was changed in any way
// takes shares, perhaps, but opens nothing.
func (r Record) header() []byte {
	b := make([]byte, 0, recordHead+len(r.commitments)+wrappedRootBytes)
	b = append(b, recordMagic...)
	b = append(b, recordVersion)
	b = append(b, r.ClusterID[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Generation)
	b = append(b, byte(r.Shares), byte(r.Threshold))
	return append(b, r.commitments...)
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
	points := r.Threshold * pointSize
	if len(rest) != points+wrappedRootBytes {
		return Record{}, fmt.Errorf("%w: %d bytes where %d belong", ErrRecord, len(b), recordHead+points+wrappedRootBytes)
	}
	r.commitments, r.wrappedRoot = string(rest[:points]), string(rest[points:])
	if _, err := r.points(); err != nil {
		return Record{}, err
	}
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

// points decodes the commitments. A point has one encoding only: others are refused, so that a record has one too.
func (r Record) points() ([]group.Element, error) {
	points := make([]group.Element, 0, len(r.commitments)/pointSize)
	for rest := []byte(r.commitments); len(rest) > 0; rest = rest[pointSize:] {
		p := group.Ristretto255.NewElement()
		if err := p.UnmarshalBinary(rest[:pointSize]); err != nil || p.IsIdentity() {
			return nil, fmt.Errorf("%w: commitment %d is not a point", ErrRecord, len(points))
		}
		if again, err := p.MarshalBinary(); err != nil || !bytes.Equal(again, rest[:pointSize]) {
			return nil, fmt.Errorf("%w: commitment %d is not canonical", ErrRecord, len(points))
		}
		points = append(points, p)
	}
	return points, nil
}

// checkSplit refuses 1 of many: each share would be the key itself, in many hands.
func checkSplit(n, t int) error {
	if n < 1 || n > maxShares || t < 1 || t > n || (t == 1 && n > 1) {
		return ErrSplit
	}
	return nil
}
