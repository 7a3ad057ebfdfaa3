package seal

import (
	"errors"
	"sync"

	"github.com/cloudflare/circl/group"
)

// ErrOtherLock says that a seal record has another lock than the one whose shares were given.
var ErrOtherLock = errors.New("seal: a seal record of another lock")

// An Opener is what enough shares of a lock give: it proves that they were given, and opens the
// seal record of that lock. It is safe for concurrent use.
type Opener struct {
	unprintable

	lock Lock

	mu        sync.RWMutex // held for reading while a key is in use, for writing by Close
	kek, join *[keySize]byte
}

// newOpener derives both keys, bound to cluster and generation, from the shared scalar. It runs
// inside Do.
func newOpener(l Lock, scalar group.Scalar) (*Opener, error) {
	secret, err := scalar.MarshalBinary()
	if err != nil {
		return nil, err
	}
	kek, err := derive(secret, labelKEK, l.context())
	if err != nil {
		return nil, err
	}
	join, err := derive(secret, labelJoin, l.context())
	if err != nil {
		return nil, err
	}
	return &Opener{lock: l, kek: (*[keySize]byte)(kek), join: (*[keySize]byte)(join)}, nil
}

// Root unwraps the root key of the record with this lock. As every share was checked when it was
// added, ErrWrongKey and ErrTampered mean that the record was altered. The Root outlives the
// Opener.
func (o *Opener) Root(r Record) (root *Root, err error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	switch {
	case o.kek == nil:
		return nil, ErrSealed
	case r.Lock != o.lock:
		return nil, ErrOtherLock
	case len(r.wrappedRoot) != wrappedRootBytes:
		return nil, ErrRecord // no record, but a lock that was put in the place of one
	}
	Do(func() { root, err = o.unwrap(r) })
	return root, err
}

func (o *Opener) unwrap(r Record) (*Root, error) {
	wrap, err := newBox(o.kek[:], labelRoot)
	if err != nil {
		return nil, err
	}
	key, err := wrap.open(nil, []byte(r.wrappedRoot), r.header())
	if err != nil {
		return nil, err
	}
	join := *o.join
	return newRoot(r.Lock, (*[keySize]byte)(key), &join), nil
}

// wrap completes a record of this lock. It runs inside Do.
func (o *Opener) wrap(key *[keySize]byte) (Record, error) {
	b, err := newBox(o.kek[:], labelRoot)
	if err != nil {
		return Record{}, err
	}
	r := Record{Lock: o.lock}
	sealed, err := b.seal(nil, key[:], r.header())
	r.wrappedRoot = string(sealed)
	return r, err
}

// JoinMAC is [Root.JoinMAC], for whoever has not got the seal record yet.
func (o *Opener) JoinMAC(parts ...[]byte) ([]byte, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return joinMAC(o.join, parts)
}

// joinMAC is under the lock of whoever holds the key, which is nil once that is closed.
func joinMAC(key *[keySize]byte, parts [][]byte) ([]byte, error) {
	if key == nil {
		return nil, ErrSealed
	}
	var message []byte
	for _, p := range parts {
		message = appendPart(message, p)
	}
	sum := make([]byte, commitmentSize)
	Do(func() { copy(sum, mac(key[:], message)) })
	return sum, nil
}

// drop overwrites the keys.
func (o *Opener) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	forget(&o.kek)
	forget(&o.join)
}

// forget overwrites a key, if it is there, and drops it.
func forget(key **[keySize]byte) {
	if *key != nil {
		clear((*key)[:])
	}
	*key = nil
}

// Close waits for calls under way, drops the keys and, in a protected build, collects twice so that
// every copy of them is erased before Close returns. Calls after it get ErrSealed.
func (o *Opener) Close() {
	o.drop()
	erase()
}
