package seal

import (
	"encoding/binary"
	"errors"
)

// A term's data key can go when nothing is sealed under it any more. Its signing key stays: who
// opens a state from somewhere else holds every transaction key that it names against the keyring.
// In the wrapped keyring a data key of zeros stands for one that is gone, so an older program reads
// it, and opens nothing with it.

// ErrDroppedTerm is returned by Keyring.Open for what was sealed under a term that was dropped.
var ErrDroppedTerm = errors.New("seal: of a term whose data key was dropped")

// Drop forgets the data keys of all terms but the newest two: the one that seals, and the one
// before it. Like [Keyring.Rotate] it is for a keyring that was unwrapped for it, right after that:
// so what stays besides the term that was made is the term that everything is sealed under.
func (k *Keyring) Drop() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.terms == nil {
		return ErrSealed
	}
	before := uint32(0)
	for term := range k.terms {
		if term < k.newest {
			before = max(before, term)
		}
	}
	for term, t := range k.terms {
		if term < before {
			t.drop()
		}
	}
	return nil
}

// drop forgets the data key, under the lock that keeps users out.
func (t *termKeys) drop() {
	if t.key != nil {
		clear(t.key[:])
	}
	t.key, t.box = nil, nil
}

// Older says how many terms before the newest still open what was sealed under them.
func (k *Keyring) Older() (count int) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for term, t := range k.terms {
		if term != k.newest && t.box != nil {
			count++
		}
	}
	return count
}

// TermOf says under which term a record was sealed, both parts of it where it is in two.
func TermOf(sealed []byte) (uint32, error) {
	if InParts(sealed) {
		first, _, ok := parts(sealed)
		if !ok {
			return 0, ErrEnvelope
		}
		sealed = first
	}
	if len(sealed) < envelopeOverhead || sealed[0] != envelopeVersion {
		return 0, ErrEnvelope
	}
	return binary.BigEndian.Uint32(sealed[1:]), nil
}

// Reseal seals what was sealed for one logical version of a path for another one, under the newest
// term. What is in two parts stays so.
func (k *Keyring) Reseal(path string, from, to uint64, sealed []byte) (again []byte, err error) {
	if !InParts(sealed) {
		plain, err := k.Open(nil, path, from, sealed)
		if err != nil {
			return nil, err
		}
		defer plain.Zero()
		return k.Seal(nil, path, to, plain)
	}
	first, err := k.OpenFirst(nil, path, from, sealed)
	if err != nil {
		return nil, err
	}
	defer first.Zero()
	second, err := k.OpenSecond(nil, path, from, sealed)
	if err != nil {
		return nil, err
	}
	defer second.Zero()
	return k.SealApart(nil, path, to, first, second)
}
