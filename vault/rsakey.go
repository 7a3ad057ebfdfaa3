package vault

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"

	"keyquorum/seal"
)

// An rsaKey is kept as PKCS#8 (RFC 5958).
type rsaKey struct{ *rsa.PrivateKey }

func (k rsaKey) bits() int { return k.N.BitLen() }

func (k rsaKey) encode() (seal.Plaintext, error) { return x509.MarshalPKCS8PrivateKey(k.PrivateKey) }

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

// encrypt takes at most the modulus less two hashes less two bytes with OAEP, less eleven bytes with RSA1_5.
func (k rsaKey) encrypt(a *algorithm, in Cipher) (Cipher, error) {
	room := k.Size() - 11
	if a.scheme == oaep {
		room = k.Size() - 2*a.hash.Size() - 2
	}
	if len(in.Value) > room {
		return Cipher{}, badValue("value", "%s with this key takes at most %d bytes, and %d were given", a.name, room, len(in.Value))
	}
	var value []byte
	var err error
	if a.scheme == oaep {
		value, err = rsa.EncryptOAEP(a.hash.New(), rand.Reader, &k.PublicKey, in.Value, nil)
	} else {
		value, err = rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey, in.Value) //nolint:staticcheck // clients of Azure ask for it
	}
	return Cipher{Value: value}, err
}

func (k rsaKey) decrypt(a *algorithm, in Cipher) (Cipher, error) {
	if len(in.Value) != k.Size() {
		return Cipher{}, badProperty("value")
	}
	var value []byte
	var err error
	withPrivate(func() { value, err = k.open(a, in.Value) })
	if err != nil {
		return Cipher{}, badProperty("value")
	}
	return Cipher{Value: value}, nil
}

func (k rsaKey) open(a *algorithm, value []byte) ([]byte, error) {
	if a.scheme == oaep {
		return rsa.DecryptOAEP(a.hash.New(), nil, k.PrivateKey, value, nil)
	}
	return rsa.DecryptPKCS1v15(nil, k.PrivateKey, value) //nolint:staticcheck // as above
}

// importRSA builds a key from a private JWK (RFC 7518 section 6.3.2). The primes must be there; dp, dq and qi are worked out
// anew, and must agree where they are given.
func importRSA(j *JWK) (material, error) {
	n := new(big.Int).SetBytes(j.N)
	if bits := n.BitLen(); bits != 2048 && bits != 3072 && bits != 4096 {
		return nil, badProperty("key.n")
	}
	for _, m := range [...]struct {
		name  string
		value []byte
	}{{"e", j.E}, {"d", j.D}, {"p", j.P}, {"q", j.Q}} {
		if len(m.value) == 0 || len(m.value) > len(j.N) {
			return nil, badProperty("key." + m.name)
		}
	}
	e := new(big.Int).SetBytes(j.E)
	if !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, badProperty("key.e")
	}
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())},
		D:         new(big.Int).SetBytes(j.D),
		Primes:    []*big.Int{new(big.Int).SetBytes(j.P), new(big.Int).SetBytes(j.Q)},
	}
	key.Precompute()
	if key.Validate() != nil || !agrees(j.DP, key.Precomputed.Dp) || !agrees(j.DQ, key.Precomputed.Dq) || !agrees(j.QI, key.Precomputed.Qinv) {
		return nil, errInconsistent
	}
	return usableRSA(key)
}

// agrees: what is not given agrees with everything.
func agrees(given []byte, want *big.Int) bool {
	return len(given) == 0 || want != nil && new(big.Int).SetBytes(given).Cmp(want) == 0
}

// usableRSA makes sure that a key that came from outside signs, and that its signature verifies: primes that are none show here.
func usableRSA(key *rsa.PrivateKey) (material, error) {
	digest := make([]byte, crypto.SHA256.Size())
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
	if err != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest, signature) != nil {
		return nil, errInconsistent
	}
	return rsaKey{key}, nil
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
