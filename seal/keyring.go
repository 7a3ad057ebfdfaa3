package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"sync"
)

const termSize = 4 + keySize + ed25519.SeedSize // one entry of the keyring's plaintext

// A Keyring maps each term to a data key and a signing key. It is safe for concurrent use.
type Keyring struct {
	unprintable

	clusterID [16]byte

	mu     sync.RWMutex         // held for reading while a key is in use, for writing by Rotate and Close
	terms  map[uint32]*termKeys // made inside Do; nil once closed
	newest uint32               // the term that seals and signs; the highest in terms
}

// termKeys are one term's keys, and what is built from them once: a box costs ten times what
// opening a record does. Of a term that was dropped (drop.go) the signing key alone is left.
type termKeys struct {
	key     *[keySize]byte
	box     *box
	signing ed25519.PrivateKey // seed 32 ‖ public key 32
}

func newKeyring(clusterID [16]byte) *Keyring {
	return &Keyring{clusterID: clusterID, terms: map[uint32]*termKeys{}}
}

// add adds a term, mostly the newest. A nil or zero key is one that was dropped. It runs inside Do
// and, once the keyring is shared, under the lock.
func (k *Keyring) add(term uint32, key, seed *[keySize]byte) (err error) {
	t := &termKeys{signing: ed25519.NewKeyFromSeed(seed[:])}
	if key != nil && *key != [keySize]byte{} {
		t.key = key
		if t.box, err = newBox(key[:], labelRecord); err != nil {
			return err
		}
	}
	k.terms[term] = t
	k.newest = max(k.newest, term)
	return nil
}

// forget overwrites the keys, under the lock that keeps users out. crypto/ed25519 keeps what it
// computed from a private key, and lets go of it in a cleanup some time after the key. A signature
// by what then stands in the key's place, zeros, has it let go now.
func (t *termKeys) forget() {
	t.drop()
	clear(t.signing)
	Do(func() { ed25519.Sign(t.signing, nil) })
}

// encode is the keyring's plaintext: terms ascending, each
// term u32 ‖ data key 32 ‖ signing seed 32. It runs inside Do.
func (k *Keyring) encode() ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.terms == nil {
		return nil, ErrSealed
	}
	b := make([]byte, 0, len(k.terms)*termSize)
	for _, term := range slices.Sorted(maps.Keys(k.terms)) {
		b = binary.BigEndian.AppendUint32(b, term)
		if key := k.terms[term].key; key != nil {
			b = append(b, key[:]...)
		} else {
			b = append(b, make([]byte, keySize)...)
		}
		b = append(b, k.terms[term].signing[:ed25519.SeedSize]...)
	}
	return b, nil
}

// decodeKeyring reads what encode wrote, and nothing else: at least one term, ascending, none zero,
// and the newest with a data key. It runs inside Do.
func decodeKeyring(clusterID [16]byte, b []byte) (*Keyring, error) {
	if len(b) == 0 || len(b)%termSize != 0 {
		return nil, errKeyring
	}
	k := newKeyring(clusterID)
	for ; len(b) > 0; b = b[termSize:] {
		term := binary.BigEndian.Uint32(b)
		if term <= k.newest {
			return nil, errKeyring
		}
		key, seed := [keySize]byte(b[4:4+keySize]), [keySize]byte(b[4+keySize:termSize])
		if err := k.add(term, &key, &seed); err != nil {
			return nil, err
		}
	}
	if k.terms[k.newest].box == nil {
		return nil, errKeyring
	}
	return k, nil
}

// Term is the term that seals and signs, the newest; 0 once closed.
func (k *Keyring) Term() uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.newest
}

// Sign signs message with the newest term's key (Ed25519) and says which term that is. The error
// is ErrSealed once the keyring is closed.
func (k *Keyring) Sign(message []byte) (term uint32, signature []byte, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	signature, err = k.signLocked(k.newest, message)
	if err != nil {
		return 0, nil, err
	}
	return k.newest, signature, nil
}

// SignUnder signs with the key of a term. It returns ErrUnknownTerm for one that the keyring lacks.
func (k *Keyring) SignUnder(term uint32, message []byte) (signature []byte, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.signLocked(term, message)
}

func (k *Keyring) signLocked(term uint32, message []byte) ([]byte, error) {
	if k.terms == nil {
		return nil, ErrSealed
	}
	t := k.terms[term]
	if t == nil {
		return nil, ErrUnknownTerm
	}
	signature := make([]byte, ed25519.SignatureSize) // outside Do: it is no secret
	Do(func() { copy(signature, ed25519.Sign(t.signing, message)) })
	return signature, nil
}

// Public is the public half of a term's signing key. It is false for a term that the keyring lacks,
// and for every term once closed.
func (k *Keyring) Public(term uint32) (public ed25519.PublicKey, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	t := k.terms[term]
	if t == nil {
		return nil, false
	}
	return bytes.Clone(t.signing[ed25519.SeedSize:]), true
}

// Rotate adds a term with a fresh data key and a fresh signing key, and Seal and Sign use them from
// now on. A record sealed under a term whose wrapping is not committed would be lost with this
// process: rotate a keyring that was unwrapped for it, commit its wrapping, and only then let it
// take the place of the one in use.
func (k *Keyring) Rotate() (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.terms == nil {
		return ErrSealed
	}
	if k.newest == math.MaxUint32 {
		return errKeyring
	}
	Do(func() { err = k.add(k.newest+1, randomKey(), randomKey()) })
	return err
}

// Adopt takes over the terms of a newer keyring of the same cluster, which stays the caller's.
// What was dropped there is dropped here; the newest term of both seals and signs from now on.
func (k *Keyring) Adopt(newer *Keyring) error {
	if k == newer || k.clusterID != newer.clusterID {
		return errKeyring
	}
	newer.mu.RLock()
	defer newer.mu.RUnlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.terms == nil || newer.terms == nil {
		return ErrSealed
	}
	return k.adopt(newer)
}

// adopt is called with both locks held.
func (k *Keyring) adopt(newer *Keyring) (err error) {
	Do(func() {
		for _, term := range slices.Sorted(maps.Keys(newer.terms)) {
			theirs, ours := newer.terms[term], k.terms[term]
			switch {
			case err != nil:
			case ours != nil && theirs.key == nil:
				ours.drop()
			case ours == nil:
				err = k.take(term, theirs)
			}
		}
	})
	return err
}

// take adds copies of another keyring's keys of a term. It runs inside Do.
func (k *Keyring) take(term uint32, theirs *termKeys) error {
	seed := [keySize]byte(theirs.signing.Seed())
	if theirs.key == nil {
		return k.add(term, nil, &seed)
	}
	key := *theirs.key
	return k.add(term, &key, &seed)
}

// Close waits for calls under way, drops the keys and, in a protected build, collects twice so that
// every copy of them is erased before Close returns. Calls after it get ErrSealed. It can be called
// again.
func (k *Keyring) Close() {
	k.drop()
	erase()
}

// drop overwrites the keys.
func (k *Keyring) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.terms {
		t.forget()
	}
	k.terms, k.newest = nil, 0
}
