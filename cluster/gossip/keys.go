package gossip

import (
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/hashicorp/memberlist"
)

// Keys are the keys that gossip is encrypted with, 32 bytes each: the first encrypts, all decrypt.
// They lie in the folders in the clear and in a record of the state (node's), sealed, beside their
// hash in the clear: who can't open the record asks the others for keys of that hash.
type Keys [][]byte

// keySize is that of AES-256.
const keySize = 32

var errKeys = errors.New("gossip: these are no keys: at least one, of 32 bytes each")

// Check says whether these can be gossiped with. Others hand them on, and their hash does not say
// where one ends.
func (k Keys) Check() error {
	odd := func(key []byte) bool { return len(key) != keySize }
	if len(k) == 0 || slices.ContainsFunc(k, odd) {
		return errKeys
	}
	return nil
}

// Hash names the keys without telling them.
func (k Keys) Hash() [32]byte {
	b := []byte("keyquorum gossip keys v1\n")
	for _, key := range k {
		b = append(b, key...)
	}
	return sha256.Sum256(b)
}

// Keys are those in use here.
func (g *Gossip) Keys() Keys {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.keys
}

// Use has this member gossip with other keys. New ones come first, so that it never lacks one.
func (g *Gossip) Use(keys Keys) error {
	if err := keys.Check(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ring != nil {
		if err := change(g.ring, keys); err != nil {
			return err
		}
	}
	g.keys = keys
	return nil
}

func change(ring *memberlist.Keyring, keys Keys) error {
	for _, k := range keys {
		if err := ring.AddKey(k); err != nil {
			return err
		}
	}
	if err := ring.UseKey(keys[0]); err != nil {
		return err
	}
	for _, k := range ring.GetKeys() {
		if slices.ContainsFunc(keys, func(kept []byte) bool { return string(kept) == string(k) }) {
			continue
		}
		if err := ring.RemoveKey(k); err != nil {
			return err
		}
	}
	return nil
}

func newRing(keys Keys) (*memberlist.Keyring, error) {
	if err := keys.Check(); err != nil {
		return nil, err
	}
	return memberlist.NewKeyring(keys, keys[0])
}
