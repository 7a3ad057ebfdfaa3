package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	recordMagic      = "KQSL"
	listedVersion    = 2 // of a record with a list of wrappers
	wrappedRootBytes = boxOverhead + keySize
	listHead         = 8 + 1 // revision, number of wrappers
	vouchedBytes     = commitmentSize
	maxListed        = 64 << 10 // of the encoding of a list, in bytes: more than any can have
)

var (
	// ErrRecord says that bytes are no seal record, or one of a version that this program does not
	// know.
	ErrRecord = errors.New("seal: not a seal record")
	// ErrSplit says that a number of shares and a threshold can't be had together.
	ErrSplit = errors.New("seal: 1 to 255 shares; threshold 2 to the number of shares, or 1 of 1")
)

// A Record is the seal record: a lock, the root key wrapped under what its shares open, and the
// wrappers beside the shares, if there ever were any. It is stored in the clear, and members alone
// get it. It is a value: copies share nothing that can change, and == compares.
type Record struct {
	Lock

	wrappedRoot string // a box under the key-encryption key, bound to every byte before it

	revision uint64 // one more with each change of the list
	list     string // of wrappers, encoded; "" without any and without a change
	vouched  string // HMAC under a key of the root key's, over all before it
}

// Encode returns the one encoding of r (docs/formats-seal.md).
func (r Record) Encode() []byte {
	if !r.listed() {
		return append(r.header(), r.wrappedRoot...)
	}
	return append(r.beforeVouched(), r.vouched...)
}

// header is everything before the wrapped root key, and its associated data: a record that was
// changed in any way takes shares, perhaps, but opens nothing. It is of version 1, whatever stands
// behind it: who changes the list of wrappers has not got the key that this box is under.
func (r Record) header() []byte { return r.appendTo([]byte(recordMagic)) }

func (r Record) listed() bool { return r.list != "" }

// beforeVouched is a record with a list up to what vouches for it.
func (r Record) beforeVouched() []byte {
	b := r.header()
	b[len(recordMagic)] = listedVersion
	b = append(b, r.wrappedRoot...)
	b = binary.BigEndian.AppendUint64(b, r.revision)
	return append(b, r.list...)
}

// Newer says whether r was made after other, of the same cluster: of newer shares, or with a newer
// list of wrappers.
func (r Record) Newer(other Record) bool {
	if r.Generation != other.Generation {
		return r.Generation > other.Generation
	}
	return r.revision > other.revision
}

// WrappersChanged says whether the list of wrappers is another one than the record was made with.
func (r Record) WrappersChanged() bool { return r.revision > 0 }

// Wrappers are those of the list, by their names. Whether the list is the cluster's own the root
// key knows ([Root.Vouches]).
func (r Record) Wrappers() []Wrapper {
	if !r.listed() {
		return nil
	}
	list, err := decodeWrappers([]byte(r.list))
	if err != nil {
		return nil // never: who made the record has decoded it, or encoded it
	}
	return list
}

// DecodeRecord reads what Encode wrote. Its errors are ErrRecord with what is wrong.
func DecodeRecord(b []byte) (Record, error) {
	const at = len(recordMagic)
	if len(b) <= at || b[at] != listedVersion {
		l, wrapped, err := decodeLock(b, recordMagic, wrappedRootBytes, ErrRecord)
		if err != nil {
			return Record{}, err
		}
		return Record{Lock: l, wrappedRoot: string(wrapped)}, nil
	}
	return decodeListed(b)
}

func decodeListed(b []byte) (Record, error) {
	if len(b) < lockHead {
		return Record{}, ErrRecord
	}
	plain := lockHead + int(b[lockHead-2])*shareHashSize + wrappedRootBytes
	if len(b) < plain+listHead+vouchedBytes {
		return Record{}, fmt.Errorf("%w: %d bytes where %d or more belong", ErrRecord, len(b),
			plain+listHead+vouchedBytes)
	}
	first := append([]byte(nil), b[:plain]...)
	first[len(recordMagic)] = formatVersion
	r, err := DecodeRecord(first)
	if err != nil {
		return Record{}, err
	}
	r.revision = binary.BigEndian.Uint64(b[plain:])
	r.list = string(b[plain+8 : len(b)-vouchedBytes])
	r.vouched = string(b[len(b)-vouchedBytes:])
	list, err := decodeWrappers([]byte(r.list))
	switch {
	case err != nil:
		return Record{}, err
	case r.revision == 0 && len(list) == 0:
		return Record{}, fmt.Errorf("%w: a list of wrappers that has never had any", ErrRecord)
	}
	return r, nil
}

// appendWrappers appends the one encoding of a list.
func appendWrappers(b []byte, list []Wrapper) ([]byte, error) {
	if len(list) > maxWrappers {
		return nil, ErrWrapperFields
	}
	b = append(b, byte(len(list)))
	last := ""
	for _, w := range list {
		if err := w.check(); err != nil {
			return nil, err
		}
		if w.Name <= last { // also one that stands twice
			return nil, ErrWrapperFields
		}
		last = w.Name
		for _, part := range []string{w.Name, w.Kind, w.About, w.wrapped, w.sealed} {
			b = appendPart(b, part)
		}
	}
	return b, nil
}

// decodeWrappers reads what appendWrappers wrote, and nothing else.
func decodeWrappers(b []byte) ([]Wrapper, error) {
	if len(b) == 0 || len(b) > maxListed || int(b[0]) > maxWrappers {
		return nil, fmt.Errorf("%w: its list of wrappers is not readable", ErrRecord)
	}
	list, rest, last := make([]Wrapper, b[0]), b[1:], ""
	for i := range list {
		w := &list[i]
		for _, part := range []*string{&w.Name, &w.Kind, &w.About, &w.wrapped, &w.sealed} {
			var ok bool
			if *part, rest, ok = cutPart(rest); !ok {
				return nil, fmt.Errorf("%w: its list of wrappers ends early", ErrRecord)
			}
		}
		if err := w.check(); err != nil || w.Name <= last {
			return nil, fmt.Errorf("%w: its list of wrappers: %w", ErrRecord,
				errors.Join(err, ErrWrapperFields))
		}
		last = w.Name
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: something follows its list of wrappers", ErrRecord)
	}
	return list, nil
}

// cutPart takes off what appendPart appended.
func cutPart(b []byte) (part string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	length := uint64(binary.BigEndian.Uint32(b))
	if length > uint64(len(b)-4) {
		return "", nil, false
	}
	return string(b[4 : 4+length]), b[4+length:], true
}
