package seal

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"sync"
)

const termSize = 4 + keySize // one entry of the keyring's plaintext

// A Keyring maps terms to data keys. It is safe for concurrent use.
type Keyring struct {
	unprintable

	clusterID [16]byte

	mu     sync.RWMutex        // held for reading while a key is in use, for writing by Rotate and Close
	terms  map[uint32]*dataKey // made inside Do; nil once closed
	newest uint32              // the term that seals; the highest in terms
}

// A dataKey is one term's key and the box built from it once: building one costs ten times what opening a record does.
type dataKey struct {
	key *[keySize]byte
	box *box
}

func newKeyring(clusterID [16]byte) *Keyring {
	return &Keyring{clusterID: clusterID, terms: map[uint32]*dataKey{}}
}

// add makes key the newest. It runs inside Do and, once the keyring is shared, under the lock.
func (k *Keyring) add(term uint32, key *[keySize]byte) error {
	b, err := newBox(key[:], labelRecord)
	if err != nil {
		return err
	}
	k.terms[term] = &dataKey{key: key, box: b}
	k.newest = term
	return nil
}

// encode is the keyring's plaintext: terms ascending, each term u32 ‖ data key 32. It runs inside Do.
func (k *Keyring) encode() ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.terms == nil {
		return nil, ErrSealed
	}
	b := make([]byte, 0, len(k.terms)*termSize)
	for _, term := range slices.Sorted(maps.Keys(k.terms)) {
		b = binary.BigEndian.AppendUint32(b, term)
		b = append(b, k.terms[term].key[:]...)
	}
	return b, nil
}

// decodeKeyring reads what encode wrote, and nothing else: at least one term, ascending, none zero. It runs inside Do.
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
		key := [keySize]byte(b[4:termSize])
		if err := k.add(term, &key); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Term is the term that seals, the newest; 0 once closed.
func (k *Keyring) Term() uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.newest
}

// Rotate adds a term with a fresh data key, and Seal uses it from now on. A record sealed under a term whose wrapping
// is not committed would be lost with this process: rotate a keyring that was unwrapped for it, commit its wrapping,
// and only then let it take the place of the one in use.
func (k *Keyring) Rotate() (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.terms == nil {
		return ErrSealed
	}
	if k.newest == math.MaxUint32 {
		return errKeyring
	}
	Do(func() { err = k.add(k.newest+1, randomKey()) })
	return err
}

// Close waits for calls under way, drops the keys and, in a protected build, collects twice so that every copy of
// them is erased before Close returns. Calls after it get ErrSealed. It can be called again.
func (k *Keyring) Close() {
	k.mu.Lock()
	for _, d := range k.terms {
		clear(d.key[:])
	}
	k.terms, k.newest = nil, 0
	k.mu.Unlock()
	erase()
}
