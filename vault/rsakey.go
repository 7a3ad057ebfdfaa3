package vault

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"

	"keyquorum/seal"
)

// An rsaKey is kept as PKCS#8 (RFC 5958).
type rsaKey struct{ *rsa.PrivateKey }

func (k rsaKey) bits() int { return k.N.BitLen() }

func (k rsaKey) encode() (seal.Plaintext,
	error) {
	return x509.MarshalPKCS8PrivateKey(k.PrivateKey)
}

// jwk is RFC 7518 section 6.3.1.
func (k rsaKey) jwk(kty string) (PublicKey, error) {
	return PublicKey{Kty: kty, N: k.N.Bytes(), E: big.NewInt(int64(k.E)).Bytes()}, nil
}

func (k rsaKey) sign(a *algorithm, digest []byte) (signature []byte, err error) {
	withPrivate(func() {
		if a.scheme == pss {
			signature, err = rsa.SignPSS(rand.Reader, k.PrivateKey, a.hash, digest, pssSalt)
		} else {
			signature, err = rsa.SignPKCS1v15(rand.Reader, k.PrivateKey, a.hash, digest)
		}
	})
	return signature, err
}

var pssSalt = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

func (k rsaKey) verify(a *algorithm, digest, signature []byte) bool {
	if a.scheme == pss {
		return rsa.VerifyPSS(&k.PublicKey, a.hash, digest, signature, pssSalt) == nil
	}
	return rsa.VerifyPKCS1v15(&k.PublicKey, a.hash, digest, signature) == nil
}

// encrypt takes at most the modulus less two hashes less two bytes with OAEP, less eleven bytes
// with RSA1_5.
func (k rsaKey) encrypt(a *algorithm, in Cipher) (Cipher, error) {
	room := k.Size() - 11
	if a.scheme == oaep {
		room = k.Size() - 2*a.hash.Size() - 2
	}
	if len(in.Value) > room {
		return Cipher{}, badValue("value", "%s with this key takes at most %d bytes, and %d were given",
			a.name, room, len(in.Value))
	}
	var value []byte
	var err error
	if a.scheme == oaep {
		value, err = rsa.EncryptOAEP(a.hash.New(), rand.Reader, &k.PublicKey, in.Value, nil)
	} else {
		value, err = rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey,
			in.Value) //nolint:staticcheck // clients of Azure ask for it
	}
	return Cipher{Value: value}, err
}

func (k rsaKey) decrypt(a *algorithm, in Cipher) (Cipher, error) {
	if len(in.Value) != k.Size() {
		return Cipher{}, errDecrypt
	}
	var value []byte
	var err error
	withPrivate(func() { value, err = k.open(a, in.Value) })
	if err != nil {
		return Cipher{}, errDecrypt
	}
	return Cipher{Value: value}, nil
}

func (k rsaKey) open(a *algorithm, value []byte) ([]byte, error) {
	if a.scheme == oaep {
		return rsa.DecryptOAEP(a.hash.New(), nil, k.PrivateKey, value, nil)
	}
	return rsa.DecryptPKCS1v15(nil, k.PrivateKey, value) //nolint:staticcheck // as above
}

// parsePKCS8 parses an RSA or EC key, strictly: the one encoding that encode writes.
func parsePKCS8(der []byte) (material, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errKeyKind // the parser's own words might quote what it read
	}
	m, err := asMaterial(parsed)
	if err != nil {
		return nil, err
	}
	again, err := m.encode()
	if err != nil || !bytes.Equal(again, der) {
		return nil, errKeyKind
	}
	return m, nil
}
