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

	// What is sealed apart: version, length of the first envelope, then two envelopes.
	apartVersion = 2
	apartHead    = 1 + 4
)

// Errors of Keyring.Open, beside ErrWrongKey, ErrTampered and ErrSealed.
var (
	// ErrEnvelope says that bytes are no record envelope, or one of a version that this program does
	// not know.
	ErrEnvelope = errors.New("seal: not a record envelope")
	// ErrUnknownTerm says that the keyring has no such term: it is older than the record, or the term
	// was altered. [Keyring.SignUnder] returns it too.
	ErrUnknownTerm = errors.New("seal: of a term that this keyring lacks")
)

// Seal seals plaintext for a path and logical version under the newest term. The result is appended
// to dst; it is 77 bytes longer than the plaintext. The error is ErrSealed once the keyring is
// closed.
func (k *Keyring) Seal(dst []byte, path string, logical uint64, plaintext []byte) (sealed []byte,
	err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.seal(dst, plaintext, k.place(path, logical))
}

// SealApart seals what is in two parts, so that the first can be opened without the second. The
// result is appended to dst; it is 159 bytes longer than both. Neither part opens without the other
// beside it, nor as what Seal has sealed.
func (k *Keyring) SealApart(
	dst []byte, path string, logical uint64, first, second []byte,
) (sealed []byte, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	length := envelopeOverhead + len(first)
	at := len(dst) + apartHead
	dst = slices.Grow(dst, apartHead+length+envelopeOverhead+len(second))
	dst = append(dst, apartVersion)
	dst = binary.BigEndian.AppendUint32(dst, uint32(length))
	place := k.place(path, logical)
	if dst, err = k.seal(dst, first, ofFirst(place)); err != nil {
		return nil, err
	}
	return k.seal(dst, second, ofSecond(place, dst[at:]))
}

// ofFirst and ofSecond are the associated data of parts. The second goes with this first alone.
func ofFirst(place []byte) []byte {
	const part = "first"
	return appendPart(append(make([]byte, 0, len(place)+4+len(part)), place...), part)
}

func ofSecond(place, first []byte) []byte {
	const part = "second"
	b := append(make([]byte, 0, len(place)+4+len(part)+4+len(first)), place...)
	return appendPart(appendPart(b, part), first)
}

// seal is called under the lock.
func (k *Keyring) seal(dst, plaintext, associated []byte) (_ []byte, err error) {
	t := k.terms[k.newest]
	if t == nil {
		return nil, ErrSealed
	}
	// Grown outside Do: what is stored need not be erased.
	dst = slices.Grow(dst, envelopeOverhead+len(plaintext))
	dst = append(dst, envelopeVersion)
	dst = binary.BigEndian.AppendUint32(dst, k.newest)
	Do(func() { dst, err = t.box.seal(dst, plaintext, associated) })
	return dst, err
}

// Open opens what was sealed for exactly this path and logical version, in this cluster, both parts
// of it where it is in two. The plaintext is appended to dst, which stays the caller's to erase.
// Where dst has no room the plaintext is in memory that a protected build erases when the collector
// finds it dropped.
func (k *Keyring) Open(
	dst []byte, path string, logical uint64, sealed []byte,
) (plaintext Plaintext, err error) {
	return k.openParts(dst, path, logical, sealed, true)
}

// OpenFirst is Open, but where it is in two parts the second stays sealed.
func (k *Keyring) OpenFirst(
	dst []byte, path string, logical uint64, sealed []byte,
) (plaintext Plaintext, err error) {
	return k.openParts(dst, path, logical, sealed, false)
}

// InParts says whether what was sealed is in two parts.
func InParts(sealed []byte) bool { return len(sealed) > 0 && sealed[0] == apartVersion }

// OpenSecond opens the second part alone of what is in two. That it was sealed beside this first
// part is checked all the same.
func (k *Keyring) OpenSecond(
	dst []byte, path string, logical uint64, sealed []byte,
) (plaintext Plaintext, err error) {
	if !InParts(sealed) {
		return nil, ErrEnvelope
	}
	first, second, ok := parts(sealed)
	if !ok {
		return nil, ErrEnvelope
	}
	return k.open(dst, second, ofSecond(k.place(path, logical), first))
}

func (k *Keyring) openParts(
	dst []byte, path string, logical uint64, sealed []byte, both bool,
) (plaintext Plaintext, err error) {
	if !InParts(sealed) {
		return k.open(dst, sealed, k.place(path, logical))
	}
	first, second, ok := parts(sealed)
	if !ok {
		return nil, ErrEnvelope
	}
	place := k.place(path, logical)
	if both && cap(dst)-len(dst) < len(sealed) {
		// The first part would have to be moved when the second comes, and leave a copy behind.
		Do(func() { dst = append(make([]byte, 0, len(dst)+len(sealed)), dst...) })
	}
	if plaintext, err = k.open(dst, first, ofFirst(place)); err != nil || !both {
		return plaintext, err
	}
	opened := plaintext
	if plaintext, err = k.open(opened, second, ofSecond(place, first)); err != nil {
		opened[len(dst):].Zero()
	}
	return plaintext, err
}

// parts are the two envelopes of what was sealed apart.
func parts(sealed []byte) (first, second []byte, ok bool) {
	if len(sealed) < apartHead {
		return nil, nil, false
	}
	length := uint64(binary.BigEndian.Uint32(sealed[1:]))
	rest := sealed[apartHead:]
	if length > uint64(len(rest)) {
		return nil, nil, false
	}
	return rest[:length], rest[length:], true
}

func (k *Keyring) open(dst, sealed, associated []byte) (plaintext Plaintext, err error) {
	if len(sealed) < envelopeOverhead || sealed[0] != envelopeVersion {
		return nil, ErrEnvelope
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.terms == nil {
		return nil, ErrSealed
	}
	t := k.terms[binary.BigEndian.Uint32(sealed[1:])]
	switch {
	case t == nil:
		return nil, ErrUnknownTerm
	case t.box == nil:
		return nil, ErrDroppedTerm
	}
	Do(func() { plaintext, err = t.box.open(dst, sealed[envelopeHead:], associated) })
	return plaintext, err
}

// place is a record's associated data: what it is sealed for.
func (k *Keyring) place(path string, logical uint64) []byte {
	b := make([]byte, 0, 4+len(k.clusterID)+4+len(path)+4+8)
	b = appendPart(b, k.clusterID[:])
	b = appendPart(b, path)
	return appendPart(b, binary.BigEndian.AppendUint64(make([]byte, 0, 8), logical))
}
