package fsm

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
)

// A Signer signs transactions: an unsealed member's keyring. The signature is Ed25519 (RFC 8032)
// under the key of the term that it names.
type Signer interface {
	Sign(message []byte) (term uint32, signature []byte, err error)
}

// A Key is a transaction key: whoever holds the private half decides what the state becomes.
type Key struct {
	_           struct{} `cbor:",toarray"`
	Term        uint32
	Public      []byte // 32
	Endorsement []byte // by the key before it in the line, 64; empty in the first
}

// A Line is the transaction keys of a cluster from its founding on, oldest first. Only the newest
// signs. Each is endorsed by the one before it, so that a member which was away when the key was
// changed can follow the line from the key that it knows.
type Line []Key

// maxLine bounds how often a cluster can change its transaction key.
const maxLine = 4096

// NewLine is the line of a cluster that is being founded.
func NewLine(term uint32, public ed25519.PublicKey) Line {
	return Line{{Term: term, Public: public}}
}

// EndorsementOf is what the newest key of a line signs so that another comes after it.
func EndorsementOf(term uint32, public ed25519.PublicKey) []byte {
	b := binary.BigEndian.AppendUint32([]byte("keyquorum transaction key v1\n"), term)
	return append(b, public...)
}

// Extend is the line with one key more. The endorsement is the newest key's, of EndorsementOf.
func (l Line) Extend(term uint32, public ed25519.PublicKey, endorsement []byte) Line {
	return append(l[:len(l):len(l)], Key{Term: term, Public: public, Endorsement: endorsement})
}

// Newest is the key that signs. The zero Key is that of an empty line.
func (l Line) Newest() Key {
	if len(l) == 0 {
		return Key{}
	}
	return l[len(l)-1]
}

// of returns the key of a term, and whether it is the newest.
func (l Line) of(term uint32) (key Key, newest, ok bool) {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].Term == term {
			return l[i], i == len(l)-1, true
		}
	}
	return Key{}, false, false
}

// Agrees says whether two lines are of one cluster: one is where the other began.
func (l Line) Agrees(other Line) bool {
	for i := range min(len(l), len(other)) {
		if l[i].Term != other[i].Term || !bytes.Equal(l[i].Public, other[i].Public) {
			return false
		}
	}
	return true
}

// is says whether two lines of one state are the same: such lines only grow.
func (l Line) is(other Line) bool {
	return len(l) == len(other) && bytes.Equal(l.Newest().Public, other.Newest().Public)
}

// extends says whether l is other and one key more.
func (l Line) extends(other Line) bool { return len(l) == len(other)+1 && l.Agrees(other) }

// Encode is the one encoding of a line, what PathKeys holds.
func (l Line) Encode() ([]byte, error) { return encodeClear(l) }

// DecodeLine reads what Encode wrote. The endorsements are checked.
func DecodeLine(b []byte) (Line, error) {
	l, err := decodeClear[Line](b)
	if err == nil {
		err = l.valid()
	}
	if err != nil {
		return nil, fmt.Errorf("fsm: transaction keys: %w", err)
	}
	return l, nil
}

func (l Line) valid() error {
	if len(l) == 0 || len(l) > maxLine {
		return fmt.Errorf("a line of %d keys", len(l))
	}
	for i, k := range l {
		switch {
		case len(k.Public) != ed25519.PublicKeySize:
			return fmt.Errorf("the key of term %d has %d bytes", k.Term, len(k.Public))
		case i == 0 && (k.Term == 0 || len(k.Endorsement) != 0):
			return errors.New("the first key has term 0, or is endorsed")
		case i > 0 && k.Term <= l[i-1].Term:
			return fmt.Errorf("term %d after term %d", k.Term, l[i-1].Term)
		case i > 0 && !ed25519.Verify(l[i-1].Public, EndorsementOf(k.Term, k.Public), k.Endorsement):
			return fmt.Errorf("the key of term %d is not endorsed by the one before it", k.Term)
		}
	}
	return nil
}

// Verify says whether the newest key of the line made a signature.
func (l Line) Verify(term uint32, message, signature []byte) bool {
	key, newest, ok := l.of(term)
	return ok && newest && ed25519.Verify(key.Public, message, signature)
}
