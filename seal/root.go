package seal

import (
	"errors"
	"sync"
)

// ErrSealed is returned by a Keyring or Root that was closed.
var ErrSealed = errors.New("sealed")

const keyringVersion = 1

// errKeyring says that bytes are not a wrapped keyring of the known version, or that a keyring is
// another cluster's.
var errKeyring = errors.New("seal: not this cluster's keyring")

// A Root is the unwrapped root key, and the join key beside it. It is safe for concurrent use.
type Root struct {
	unprintable

	clusterID [16]byte

	// mu is held for reading while a key is in use, for writing by Close and Adopt.
	mu         sync.RWMutex
	key, join  *[keySize]byte // made inside Do; nil once closed
	generation uint64         // of the shares that gave them
}

// newRoot is of the lock's cluster and generation.
func newRoot(l Lock, key, join *[keySize]byte) *Root {
	return &Root{clusterID: l.ClusterID, generation: l.Generation, key: key, join: join}
}

// use runs f inside Do with the key, or returns ErrSealed.
func (r *Root) use(f func(key []byte) error) (err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.key == nil {
		return ErrSealed
	}
	Do(func() { err = f(r.key[:]) })
	return err
}

// NewKeyring makes a keyring of one term, 1, with a fresh data key and a fresh signing key.
func (r *Root) NewKeyring() (k *Keyring, err error) {
	err = r.use(func([]byte) error {
		k = newKeyring(r.clusterID)
		return k.add(1, randomKey(), randomKey())
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// WrapKeyring seals k under the root key, for the log and the state. Two wrappings of one keyring
// differ.
func (r *Root) WrapKeyring(k *Keyring) (wrapped []byte, err error) {
	if k.clusterID != r.clusterID {
		return nil, errKeyring
	}
	err = r.use(func(key []byte) error {
		plain, err := k.encode()
		if err != nil {
			return err
		}
		b, err := newBox(key, labelKeyring)
		if err != nil {
			return err
		}
		wrapped, err = b.seal([]byte{keyringVersion}, plain, r.clusterID[:])
		return err
	})
	return wrapped, err
}

// UnwrapKeyring opens what WrapKeyring made. ErrWrongKey: wrapped under another root key;
// ErrTampered: altered.
func (r *Root) UnwrapKeyring(b []byte) (k *Keyring, err error) {
	if len(b) < 1+boxOverhead || b[0] != keyringVersion {
		return nil, errKeyring
	}
	err = r.use(func(key []byte) error {
		wrap, err := newBox(key, labelKeyring)
		if err != nil {
			return err
		}
		plain, err := wrap.open(nil, b[1:], r.clusterID[:])
		if err != nil {
			return err
		}
		k, err = decodeKeyring(r.clusterID, plain)
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// JoinMAC is HMAC-SHA-256 under the join key over the length-prefixed parts (decision 17). The join
// key is derived from the shares beside the key-encryption key, and bound to cluster and
// generation: whoever can compute it was given the shares.
func (r *Root) JoinMAC(parts ...[]byte) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return joinMAC(r.join, parts)
}

// Close waits for calls under way, drops the keys and, in a protected build, collects twice so that
// every copy of them is erased before Close returns. Calls after it get ErrSealed. It can be called
// again.
func (r *Root) Close() {
	r.drop()
	erase()
}

// CloseBoth is Close of both, with the collections of one: each takes a tenth of a second and more
// while thousands of connections are open, and an operator waits for them.
func CloseBoth(r *Root, k *Keyring) {
	r.drop()
	k.drop()
	erase()
}

// drop overwrites the keys.
func (r *Root) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	forget(&r.key)
	forget(&r.join)
}
