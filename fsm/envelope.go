package fsm

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
)

// A transaction in the log is
//
//	key term u32 ‖ signature 64 ‖ version u8 ‖ CBOR
//
// signed over a label and everything from the version on. The version stands behind the signature,
// so that nobody but a member of a newer release stops a node that does not know it.
const (
	txnVersion   = 1
	envelopeHead = 4 + ed25519.SignatureSize
)

// txnLabel keeps these signatures apart from all others under the same key.
const txnLabel = "keyquorum transaction v1\n"

// Sign returns the transaction as the log holds it, or says what is wrong with it. It may have
// MaxTxnBytes. The signer's error is returned as it is.
func (t Txn) Sign(s Signer) ([]byte, error) {
	if err := t.valid(); err != nil {
		return nil, fmt.Errorf("fsm: transaction: %w", err)
	}
	message, err := t.message()
	if err != nil {
		return nil, fmt.Errorf("fsm: transaction: %w", err)
	}
	body := message[len(txnLabel):]
	if n := envelopeHead + len(body); n > MaxTxnBytes {
		return nil, fmt.Errorf("fsm: transaction: %d bytes are more than %d", n, MaxTxnBytes)
	}
	term, signature, err := s.Sign(message)
	if err != nil {
		return nil, err
	}
	entry := make([]byte, 0, envelopeHead+len(body))
	entry = binary.BigEndian.AppendUint32(entry, term)
	entry = append(entry, signature...)
	return append(entry, body...), nil
}

// message is what is signed.
func (t Txn) message() ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, len(txnLabel)+t.sizeHint()))
	b.WriteString(txnLabel)
	b.WriteByte(txnVersion)
	err := encoding.NewEncoder(b).Encode(t)
	return b.Bytes(), err
}

func (t Txn) sizeHint() int {
	n := 128
	for _, c := range t.Conditions {
		n += len(c.Path) + 16
	}
	for _, w := range t.Writes {
		n += len(w.Path) + len(w.Value) + 24
	}
	return n
}

// A signed is an entry of the log, taken apart.
type signed struct {
	term      uint32
	signature []byte
	body      []byte // version and CBOR
}

func splitEntry(b []byte) (signed, error) {
	switch {
	case len(b) <= envelopeHead:
		return signed{}, fmt.Errorf("%d bytes are no transaction", len(b))
	case len(b) > MaxTxnBytes:
		return signed{}, fmt.Errorf("%d bytes are more than %d", len(b), MaxTxnBytes)
	}
	return signed{binary.BigEndian.Uint32(b), b[4:envelopeHead], b[envelopeHead:]}, nil
}

func (s signed) by(public ed25519.PublicKey) bool {
	message := make([]byte, 0, len(txnLabel)+len(s.body))
	message = append(append(message, txnLabel...), s.body...)
	return ed25519.Verify(public, message, s.signature)
}

// decode decodes strictly: what decodes encodes back to the same bytes. It does not look at the
// signature. A releaseError says that another release wrote it.
func (s signed) decode() (t Txn, err error) {
	if s.body[0] != txnVersion {
		return t, unknownVersion(s.body[0], txnVersion)
	}
	if err := decoding.Unmarshal(s.body[1:], &t); err != nil {
		return t, err
	}
	if !t.Verb.known() {
		return t, unknownVerb(t.Verb)
	}
	if err := t.valid(); err != nil {
		return t, err
	}
	// The library forgives a little (null for an empty list, long forms of numbers): this does not.
	message, err := t.message()
	if err == nil && !bytes.Equal(message[len(txnLabel):], s.body) {
		err = errors.New("the encoding is not canonical")
	}
	return t, err
}

// DecodeTxn decodes an entry without asking who signed it: for tools and tests.
func DecodeTxn(b []byte) (t Txn, err error) {
	s, err := splitEntry(b)
	if err == nil {
		t, err = s.decode()
	}
	if err != nil {
		return Txn{}, fmt.Errorf("fsm: transaction: %w", err)
	}
	return t, nil
}

// SignedUnder is the term of the key that an entry says it was signed with, 0 for what is no entry.
func SignedUnder(entry []byte) uint32 {
	s, err := splitEntry(entry)
	if err != nil {
		return 0
	}
	return s.term
}
