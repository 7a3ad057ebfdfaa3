package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
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
	// ErrTampered says that the key is right but the bytes were altered, or were sealed for another
	// place.
	ErrTampered = errors.New("seal: altered, or sealed for another place")
)

// Labels: one for every key that is derived, so that no two uses ever share one. A label is part of
// the format.
const (
	labelShare   = "keyquorum/v1/share" // the hash of a share
	labelKEK     = "keyquorum/v1/key-encryption-key"
	labelJoin    = "keyquorum/v1/join"
	labelRoot    = "keyquorum/v1/root"    // a box that holds the root key
	labelKeyring = "keyquorum/v1/keyring" // a box that holds the keyring
	labelRecord  = "keyquorum/v1/record"  // a box that holds a record

	labelWrapped  = "keyquorum/v1/wrapped-root" // a box under a wrapping key, holds root and join key
	labelWrappers = "keyquorum/v1/wrappers"     // vouches for the list of wrappers

	labelHandover = "keyquorum/v1/handover" // HPKE's info, where a root key travels
	labelRelay    = "keyquorum/v1/relay"    // and where a share does
)

// derive is HKDF-SHA-256 (RFC 5869) without salt: every secret here is uniformly random already.
func derive(secret []byte, label string, context ...[]byte) ([]byte, error) {
	info := append([]byte(label), bytes.Join(context, nil)...)
	return hkdf.Key(sha256.New, secret, nil, string(info), keySize)
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// A box seals and opens under one key for one purpose: commitment 32 ‖ nonce 24 ‖ ciphertext ‖ tag
// 16.
//
// GCM alone does not commit to its key: bytes can be made that open under two keys, and a wrong key
// looks like tampering. The commitment in front, HMAC-SHA-256 under the key, settles both.
//
// A box is made inside Do, used inside Do, and safe for concurrent use.
type box struct {
	commitment []byte
	aead       *xaes
}

func newBox(key []byte, label string) (*box, error) {
	derived, err := derive(key, label)
	if err != nil {
		return nil, err
	}
	x, err := newXAES(derived)
	if err != nil {
		return nil, err
	}
	return &box{commitment: mac(key, []byte(label+"/commitment")), aead: x}, nil
}

// seal appends boxOverhead bytes more than plaintext has to dst.
func (b *box) seal(dst, plaintext, associated []byte) ([]byte, error) {
	return b.aead.seal(append(dst, b.commitment...), plaintext, associated)
}

// open appends the plaintext to dst. It returns ErrWrongKey or ErrTampered; the caller has checked
// that sealed has at least boxOverhead bytes.
func (b *box) open(dst, sealed, associated []byte) ([]byte, error) {
	if !hmac.Equal(sealed[:commitmentSize], b.commitment) {
		return nil, ErrWrongKey
	}
	plaintext, err := b.aead.open(dst, sealed[commitmentSize:], associated)
	if err != nil {
		return nil, ErrTampered
	}
	return plaintext, nil
}

// appendPart appends a part behind its length, so that no two lists of parts share an encoding.
func appendPart[P []byte | string](dst []byte, part P) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}
