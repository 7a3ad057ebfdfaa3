package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	keySize        = 32
	commitmentSize = sha256.Size
	nonceSize      = 24 // XAES-256-GCM: random nonces, no counting of messages (C2SP XAES-256-GCM, ~2^80 of them)
	tagSize        = 16
	boxOverhead    = commitmentSize + nonceSize + tagSize
)

// Errors of everything sealed: records, the keyring, the root key.
var (
	// ErrWrongKey says that the bytes were sealed under another key than the one at hand.
	ErrWrongKey = errors.New("seal: sealed under another key")
	// ErrTampered says that the key is right but the bytes were altered, or were sealed for another place.
	ErrTampered = errors.New("seal: altered, or sealed for another place")
)

// Labels: one for every key that is derived, so that no two uses ever share one. A label is part of the format.
const (
	labelKEK     = "keyquorum/v1/key-encryption-key"
	labelJoin    = "keyquorum/v1/join"
	labelRoot    = "keyquorum/v1/root"    // a box that holds the root key
	labelKeyring = "keyquorum/v1/keyring" // a box that holds the keyring
	labelRecord  = "keyquorum/v1/record"  // a box that holds a record
)

// derive is HKDF-SHA-256 (RFC 5869) without salt: every secret here is uniformly random already.
func derive(secret []byte, label string, context ...[]byte) ([]byte, error) {
	info := append([]byte(label), bytes.Join(context, nil)...)
	return hkdf.Key(sha256.New, secret, nil, string(info), keySize)
}

func mac(key []byte, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// A box seals and opens under one key for one purpose: commitment 32 ‖ nonce 24 ‖ ciphertext ‖ tag 16.
//
// GCM alone does not commit to its key: bytes can be made that open under two keys, and a wrong key looks like
// tampering. The commitment in front, HMAC-SHA-256 under the key, settles both.
//
// A box is made inside Do, used inside Do, and safe for concurrent use.
type box struct {
	commitment []byte
	aead       tink.AEAD
}

func newBox(key []byte, label string) (*box, error) {
	derived, err := derive(key, label)
	if err != nil {
		return nil, err
	}
	primitive, err := newXAES(derived)
	if err != nil {
		return nil, err
	}
	return &box{commitment: mac(key, []byte(label+"/commitment")), aead: primitive}, nil
}

// newXAES takes the way round by a keyset because tink's own constructor can't be called from outside.
func newXAES(key []byte) (tink.AEAD, error) {
	const saltSize = nonceSize / 2 // C2SP's layout: 12 bytes derive the message's key, 12 are GCM's nonce
	parameters, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, saltSize)
	if err != nil {
		return nil, err
	}
	tinkKey, err := xaesgcm.NewKey(secretdata.NewBytesFromData(key, insecuresecretdataaccess.Token{}), 0, parameters)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManager()
	id, err := manager.AddKey(tinkKey)
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}

// seal returns nonce ‖ ciphertext ‖ tag; the caller puts the commitment in front, outside Do.
func (b *box) seal(plaintext, associated []byte) ([]byte, error) {
	return b.aead.Encrypt(plaintext, associated)
}

// open returns ErrWrongKey or ErrTampered; the caller has checked that sealed has at least boxOverhead bytes.
func (b *box) open(sealed, associated []byte) ([]byte, error) {
	if !hmac.Equal(sealed[:commitmentSize], b.commitment) {
		return nil, ErrWrongKey
	}
	plaintext, err := b.aead.Decrypt(sealed[commitmentSize:], associated)
	if err != nil {
		return nil, ErrTampered // tink's text says no more
	}
	return plaintext, nil
}

// appendPart appends a part behind its length, so that no two lists of parts share an encoding.
func appendPart[P []byte | string](dst []byte, part P) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}
