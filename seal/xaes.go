package seal

import (
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// xaes is tink's XAES-256-GCM (c2sp.org/XAES-256-GCM): nonce 24 ‖ ciphertext ‖ tag 16.
type xaes struct{ primitive tink.AEAD }

// newXAES goes by way of a keyset because tink's own constructor can't be called from outside.
func newXAES(key []byte) (*xaes, error) {
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
	primitive, err := aead.New(handle)
	return &xaes{primitive}, err
}

// seal appends nonce ‖ ciphertext ‖ tag to dst, with a fresh random nonce.
func (x *xaes) seal(dst, plaintext, associated []byte) ([]byte, error) {
	sealed, err := x.primitive.Encrypt(plaintext, associated)
	return append(dst, sealed...), err
}

// open takes nonce ‖ ciphertext ‖ tag. Its error says no more than that they don't open.
func (x *xaes) open(sealed, associated []byte) ([]byte, error) {
	return x.primitive.Decrypt(sealed, associated)
}
