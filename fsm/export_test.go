package fsm

import (
	"encoding/binary"
	"errors"
)

// ComputedDigest returns the digest that a snapshot should have carried, when that is all that
// Restore found wrong.
func ComputedDigest(err error) (computed [32]byte, ok bool) {
	var e digestError
	ok = errors.As(err, &e)
	return e.computed, ok
}

// NewFree is an FSM that was founded by line, and takes any configuration and any snapshot.
func NewFree(o Options, line Line) *FSM {
	o.Anchor, o.free = line, true
	return New(o)
}

// Vouch makes the state the vouched one.
func Vouch(f *FSM) {
	f.draft.candidate = f.draft.freeze()
	f.draft.vouch()
	f.publish()
}

// Unchecked signs what Sign refuses.
func Unchecked(t Txn, s Signer) []byte {
	message, err := t.message()
	if err != nil {
		panic(err)
	}
	return Envelope(message[len(txnLabel):], s)
}

// Envelope signs a body as if it were one.
func Envelope(body []byte, s Signer) []byte {
	term, signature, err := s.Sign(append([]byte(txnLabel), body...))
	if err != nil {
		panic(err)
	}
	return append(append(binary.BigEndian.AppendUint32(nil, term), signature...), body...)
}

// StoredDigest is the digest that a snapshot carries, when another one is all that Restore found
// wrong.
func StoredDigest(err error) (stored [32]byte) {
	var e digestError
	errors.As(err, &e)
	return e.stored
}

// Directories is how many directories the state remembers.
func Directories(v View) int { return v.state.directories.Len() }

// Gates is how many indexes are waited for.
func Gates(f *FSM) int { return len(f.waiters.next) }

// ValidPath says why no record has a path.
var ValidPath = validPath
