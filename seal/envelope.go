package seal

import (
	"encoding/binary"
	"errors"
	"slices"
)

const (
	envelopeVersion  = 1
	envelopeHead     = 1 + 4 // version, term
	envelopeOverhead = envelopeHead + boxOverhead
)

// Errors of Keyring.Open, beside ErrWrongKey, ErrTampered and ErrSealed.
var (
	// ErrEnvelope says that bytes are no record envelope, or one of a version that this program does not know.
	ErrEnvelope = errors.New("seal: not a record envelope")
	// ErrUnknownTerm says that the keyring has no such term: it is older than the record, or the term was altered.
	// [Keyring.SignUnder] returns it too.
	ErrUnknownTerm = errors.New("seal: of a term that this keyring lacks")
)

// Seal seals plaintext for a path and logical version under the newest term. The result is appended to dst; it is 77
// bytes longer than the plaintext. The error is ErrSealed once the keyring is closed.
func (k *Keyring) Seal(dst []byte, path string, logical uint64, plaintext []byte) (sealed []byte, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	t := k.terms[k.newest]
	if t == nil {
		return nil, ErrSealed
	}
	associated := k.place(path, logical)
	// Grown outside Do: what is stored need not be erased.
	dst = slices.Grow(dst, envelopeOverhead+len(plaintext))
	dst = append(dst, envelopeVersion)
	dst = binary.BigEndian.AppendUint32(dst, k.newest)
	Do(func() { dst, err = t.box.seal(dst, plaintext, associated) })
	return dst, err
}

// Open opens what was sealed for exactly this path and logical version, in this cluster. The
// plaintext, 77 bytes shorter, is appended to dst, which stays the caller's to erase. Where dst has
// no room the plaintext is in memory that a protected build erases when the collector finds it dropped.
func (k *Keyring) Open(
	dst []byte, path string, logical uint64, sealed []byte,
) (plaintext Plaintext, err error) {
	if len(sealed) < envelopeOverhead || sealed[0] != envelopeVersion {
		return nil, ErrEnvelope
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.terms == nil {
		return nil, ErrSealed
	}
	t := k.terms[binary.BigEndian.Uint32(sealed[1:])]
	if t == nil {
		return nil, ErrUnknownTerm
	}
	associated := k.place(path, logical)
	Do(func() { plaintext, err = t.box.open(dst, sealed[envelopeHead:], associated) })
	return plaintext, err
}

// place is a record's associated data: what it is sealed for.
func (k *Keyring) place(path string, logical uint64) []byte {
	b := make([]byte, 0, 4+len(k.clusterID)+4+len(path)+4+8)
	b = appendPart(b, k.clusterID[:])
	b = appendPart(b, path)
	return appendPart(b, binary.BigEndian.AppendUint64(nil, logical))
}
