package seal

import "errors"

const (
	recordMagic      = "KQSL"
	wrappedRootBytes = boxOverhead + keySize
)

var (
	// ErrRecord says that bytes are no seal record, or one of a version that this program does not
	// know.
	ErrRecord = errors.New("seal: not a seal record")
	// ErrSplit says that a number of shares and a threshold can't be had together.
	ErrSplit = errors.New("seal: 1 to 255 shares; threshold 2 to the number of shares, or 1 of 1")
)

// A Record is the seal record: a lock, and the root key wrapped under what its shares open. It is
// stored in the clear, and members alone get it. It is a value: copies share nothing that can
// change, and == compares.
type Record struct {
	Lock

	wrappedRoot string // a box under the key-encryption key, bound to every byte before it
}

// Encode returns the one encoding of r (docs/formats-seal.md).
func (r Record) Encode() []byte { return append(r.header(), r.wrappedRoot...) }

// header is everything before the wrapped root key, and its associated data: a record that was
// changed in any way takes shares, perhaps, but opens nothing.
func (r Record) header() []byte { return r.appendTo([]byte(recordMagic)) }

// DecodeRecord reads what Encode wrote. Its errors are ErrRecord with what is wrong.
func DecodeRecord(b []byte) (Record, error) {
	l, wrapped, err := decodeLock(b, recordMagic, wrappedRootBytes, ErrRecord)
	if err != nil {
		return Record{}, err
	}
	return Record{Lock: l, wrappedRoot: string(wrapped)}, nil
}
