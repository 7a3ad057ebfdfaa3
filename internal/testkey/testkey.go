// Package testkey has transaction keys that everyone knows, for the tests of packages that have no
// keyring.
package testkey

import (
	"crypto/ed25519"

	"keyquorum/fsm"
	"keyquorum/internal/release"
)

// A Key signs transactions of one term. It is a fsm.Signer.
type Key struct {
	Term    uint32
	private ed25519.PrivateKey
}

// New makes the key of a term. Keys of different owners differ.
func New(term uint32, owner byte) *Key {
	seed := [ed25519.SeedSize]byte{0: byte(term), 1: byte(term >> 8), 31: owner}
	return &Key{Term: term, private: ed25519.NewKeyFromSeed(seed[:])}
}

// Public is the public half.
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// Sign implements fsm.Signer.
func (k *Key) Sign(message []byte) (term uint32, signature []byte, err error) {
	return k.Term, ed25519.Sign(k.private, message), nil
}

// Line is that of a cluster which this key founds.
func (k *Key) Line() fsm.Line { return fsm.NewLine(k.Term, k.Public()) }

// Extend is a line that ends with k, and one key more.
func (k *Key) Extend(line fsm.Line, next *Key) fsm.Line {
	endorsement := ed25519.Sign(k.private, fsm.EndorsementOf(next.Term, next.Public()))
	return line.Extend(next.Term, next.Public(), endorsement)
}

// Found is the signed transaction with which a cluster of these members begins.
func (k *Key) Found(members fsm.Members) ([]byte, error) {
	x := fsm.New(fsm.Options{}).View().Begin(fsm.Found)
	list, err := members.Encode()
	if err != nil {
		return nil, err
	}
	line, err := k.Line().Encode()
	if err != nil {
		return nil, err
	}
	for path, value := range map[string][]byte{
		fsm.PathKeys: line, fsm.PathMembers: list, fsm.PathSeal: {1}, fsm.PathKeyring: {1},
		release.Path: release.EncodeRecord(release.Own("").Newest),
	} {
		x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.Absent, Path: path})
		x.Writes = append(x.Writes, fsm.Write{Path: path, Value: value})
	}
	return x.Sign(k)
}
