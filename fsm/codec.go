package fsm

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// txnVersion is the first byte of an encoded transaction. A new one comes with a release that reads both.
const txnVersion = 1

var (
	encoding = must(func() (cbor.EncMode, error) {
		o := cbor.CoreDetEncOptions()
		o.NilContainers = cbor.NilContainerAsEmpty // so that nil and empty have one encoding
		return o.EncMode()
	}())
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxArrayElements:  max(MaxConditions, MaxWrites),
		MaxMapPairs:       16, // the least the library allows; there are no maps
		MaxNestedLevels:   4,  // likewise; there are three
	}.DecMode())
)

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

// Encode returns the canonical encoding of the transaction, or says what is wrong with it.
func (t Txn) Encode() ([]byte, error) {
	if err := t.valid(); err != nil {
		return nil, fmt.Errorf("fsm: transaction: %w", err)
	}
	b, err := t.encode()
	if err != nil {
		return nil, fmt.Errorf("fsm: transaction: %w", err)
	}
	if len(b) > MaxTxnBytes {
		return nil, fmt.Errorf("fsm: transaction: %d bytes are more than %d", len(b), MaxTxnBytes)
	}
	return b, nil
}

func (t Txn) encode() ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, t.sizeHint()))
	b.WriteByte(txnVersion)
	err := encoding.NewEncoder(b).Encode(t)
	return b.Bytes(), err
}

func (t Txn) sizeHint() int {
	n := 64
	for _, c := range t.Conditions {
		n += len(c.Path) + 16
	}
	for _, w := range t.Writes {
		n += len(w.Path) + len(w.Value) + 24
	}
	return n
}

// DecodeTxn decodes strictly: what decodes encodes back to the same bytes.
func DecodeTxn(b []byte) (Txn, error) {
	t, err := decodeTxn(b)
	if err != nil {
		return Txn{}, fmt.Errorf("fsm: transaction: %w", err)
	}
	return t, nil
}

func decodeTxn(b []byte) (t Txn, err error) {
	switch {
	case len(b) == 0:
		return t, errors.New("it is empty")
	case b[0] != txnVersion:
		return t, unknownVersion(b[0], txnVersion)
	case len(b) > MaxTxnBytes:
		return t, fmt.Errorf("%d bytes are more than %d", len(b), MaxTxnBytes)
	}
	if err := decoding.Unmarshal(b[1:], &t); err != nil {
		return t, err
	}
	if err := t.valid(); err != nil {
		return t, err
	}
	// The library forgives a little (null for an empty list, a short id, long forms of numbers): this does not.
	again, err := t.encode()
	if err == nil && !bytes.Equal(again, b) {
		err = errors.New("the encoding is not canonical")
	}
	return t, err
}

// A version is all that a file or log entry says of the release that wrote it.
type versionError struct{ found, known byte }

func unknownVersion(found, known byte) error { return versionError{found, known} }

func (e versionError) Error() string {
	return fmt.Sprintf("format version %d was written by another release of Keyquorum; this one reads version %d only: start a release that reads version %d on this node",
		e.found, e.known, e.found)
}
