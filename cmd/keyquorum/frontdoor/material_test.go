package frontdoor

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
)

// A keyPair is one that the tests have made, to judge by what the vault does with it.
type keyPair struct {
	ec  *ecdsa.PrivateKey
	rsa *rsa.PrivateKey
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(),
	"P-521": elliptic.P521()}

// ofRSA is one RSA key, which takes long to make.
var ofRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader,
		2048)
})

// newKey is a key on a curve, or "RSA". Its private half is to be found nowhere.
func newKey(t *testing.T, kind string) keyPair {
	t.Helper()
	var k keyPair
	var err error
	if kind == "RSA" {
		k.rsa, err = ofRSA()
	} else {
		k.ec, err = ecdsa.GenerateKey(curves[kind], rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	keepOut(string(k.jwk(t)["d"]))
	return k
}

func (k keyPair) private() any {
	if k.rsa != nil {
		return k.rsa
	}
	return k.ec
}

func (k keyPair) public() any {
	if k.rsa != nil {
		return &k.rsa.PublicKey
	}
	return &k.ec.PublicKey
}

func (k keyPair) pkcs8(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.private())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (k keyPair) pkcs8PEM(t *testing.T) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k.pkcs8(t)})
}

// oldPEM is PKCS #1 or SEC 1.
func (k keyPair) oldPEM(t *testing.T) []byte {
	t.Helper()
	if k.rsa != nil {
		der := x509.MarshalPKCS1PrivateKey(k.rsa)
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})
	}
	der, err := x509.MarshalECPrivateKey(k.ec)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func (k keyPair) publicDER(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// jwk has the members of RFC 7518, section 6.
func (k keyPair) jwk(t *testing.T) map[string]string {
	t.Helper()
	if key := k.rsa; key != nil {
		key.Precompute()
		return map[string]string{
			"kty": "RSA",
			"n":   number(key.N, 0),
			"e":   number(big.NewInt(int64(key.E)), 0),
			"d":   number(key.D, 0),
			"p":   number(key.Primes[0], 0),
			"q":   number(key.Primes[1], 0),
			"dp":  number(key.Precomputed.Dp, 0),
			"dq":  number(key.Precomputed.Dq, 0),
			"qi":  number(key.Precomputed.Qinv, 0),
		}
	}
	point, err := k.ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d, err := k.ec.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := len(point) / 2
	return map[string]string{
		"kty": "EC",
		"crv": k.ec.Curve.Params().Name,
		"x":   encoded(point[1 : 1+half]),
		"y":   encoded(point[1+half:]),
		"d":   encoded(d),
	}
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func number(n *big.Int, size int) string {
	return encoded(n.FillBytes(make([]byte, max(size, (n.BitLen()+7)/8))))
}

func decoded(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("%q is not base64url: %v", text, err)
	}
	return b
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// verifies judges a signature of a text with Go's own crypto.
func (k keyPair) verifies(algorithm string, hash crypto.Hash, text string, signature []byte) error {
	h := hash.New()
	h.Write([]byte(text))
	digest := h.Sum(nil)
	switch {
	case algorithm[:2] == "PS":
		return rsa.VerifyPSS(&k.rsa.PublicKey, hash, digest, signature,
			&rsa.PSSOptions{SaltLength: hash.Size()})
	case algorithm[:2] == "RS":
		return rsa.VerifyPKCS1v15(&k.rsa.PublicKey, hash, digest, signature)
	}
	half := len(signature) / 2
	r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
	if !ecdsa.Verify(&k.ec.PublicKey, digest, r, s) {
		return errors.New("the signature does not verify")
	}
	return nil
}

// signs makes a signature as the vault takes it.
func (k keyPair) signs(t *testing.T, text string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.ec, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	size := (k.ec.Curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// readPublic is the key in a file that download has written.
func readPublic(file []byte) (keyPair, error) {
	block, rest := pem.Decode(file)
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		return keyPair{}, fmt.Errorf("it is no PEM of a public key: %q", file)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	switch key := key.(type) {
	case *rsa.PublicKey:
		return keyPair{rsa: &rsa.PrivateKey{PublicKey: *key}}, nil
	case *ecdsa.PublicKey:
		return keyPair{ec: &ecdsa.PrivateKey{PublicKey: *key}}, nil
	}
	return keyPair{}, fmt.Errorf("it holds a %T (%w)", key, err)
}
