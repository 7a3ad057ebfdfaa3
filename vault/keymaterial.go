package vault

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"reflect"
	"strings"

	"keyquorum/seal"
)

// errKeyKind says that a key is not what its record says. Only a bug or a damaged record can bring it.
var errKeyKind = errors.New("vault: a key does not fit its record")

// shapeFor finds the row for what a request asks, or says which property has no row.
func shapeFor(spec KeySpec) (*keyShape, error) {
	kty := baseType(spec.Kty)
	found := false
	for i := range keyShapes {
		s := &keyShapes[i]
		if s.kty != kty {
			continue
		}
		found = true
		if s.matches(spec) {
			return s, exponentAllowed(s, spec)
		}
	}
	switch {
	case !found:
		return nil, badProperty("kty")
	case kty == "EC":
		return nil, badProperty("crv")
	default:
		return nil, badProperty("key_size")
	}
}

// matches: key_size means nothing for EC (sigstore sends 2048), crv nothing for RSA. What is not given matches the first row.
func (s *keyShape) matches(spec KeySpec) bool {
	if s.kty == "EC" {
		return spec.Crv == "" || spec.Crv == s.crv
	}
	return spec.Size == 0 || spec.Size == s.bits
}

// exponentAllowed: the standard library makes keys with 65537 alone.
func exponentAllowed(s *keyShape, spec KeySpec) error {
	if s.kty == "RSA" && spec.PublicExponent != 0 && spec.PublicExponent != 65537 {
		return badProperty("public_exponent")
	}
	return nil
}

// baseType strips "-HSM": the name is accepted and echoed, no hardware is behind it.
func baseType(kty string) string { return strings.TrimSuffix(kty, "-HSM") }

// generate makes a key: the private half as PKCS#8 DER (RFC 5958), and the public half, in which kty is echoed.
func (s *keyShape) generate(kty string) (private seal.Plaintext, public PublicKey, err error) {
	seal.Do(func() {
		var key crypto.Signer
		if key, err = s.newKey(); err != nil {
			return
		}
		if public, err = publicJWK(kty, key.Public()); err != nil {
			return
		}
		private, err = x509.MarshalPKCS8PrivateKey(key)
	})
	return private, public, err
}

func (s *keyShape) newKey() (crypto.Signer, error) {
	if s.kty == "EC" {
		return ecdsa.GenerateKey(s.curve, rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, s.bits)
}

// publicJWK spells a public key as RFC 7518 sections 6.2.1 and 6.3.1 do.
func publicJWK(kty string, key crypto.PublicKey) (PublicKey, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return PublicKey{Kty: kty, N: k.N.Bytes(), E: big.NewInt(int64(k.E)).Bytes()}, nil
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 0x04, x, y, each coordinate padded
		if err != nil {
			return PublicKey{}, err
		}
		size := fieldSize(k.Curve)
		return PublicKey{Kty: kty, Crv: k.Params().Name, X: point[1 : 1+size], Y: point[1+size:]}, nil
	}
	return PublicKey{}, errKeyKind
}

// parsePrivate parses PKCS#8, strictly: the one encoding that generate writes. What it returns is erased when nobody holds it
// any more.
func parsePrivate(der seal.Plaintext) (key crypto.Signer, err error) {
	seal.Do(func() {
		parsed, parseErr := x509.ParsePKCS8PrivateKey(der)
		signer, ok := parsed.(crypto.Signer)
		again, encodeErr := x509.MarshalPKCS8PrivateKey(parsed)
		if parseErr != nil || !ok || encodeErr != nil || !bytes.Equal(again, der) {
			err = errKeyKind // the parser's own words might quote what it read
			return
		}
		key = signer
	})
	return key, err
}

// A keyRecord is one version of a key: vault/<id>/key/<folded name>/version/<32 hex>. Its tail is the private key.
type keyRecord struct {
	_          struct{} `cbor:",toarray"`
	Attributes storedAttributes
	Ops        []string
	Tags       map[string]string
	Kty, Crv   string
	N, E, X, Y []byte // as in PublicKey
}

func (r *keyRecord) public() PublicKey {
	return PublicKey{Kty: r.Kty, Crv: r.Crv, N: r.N, E: r.E, X: r.X, Y: r.Y}
}

func (r keyRecord) withPublic(p PublicKey) keyRecord {
	r.Kty, r.Crv, r.N, r.E, r.X, r.Y = p.Kty, p.Crv, p.N, p.E, p.X, p.Y
	return r
}

// An openedKey is a version of a key, ready to be used.
type openedKey struct {
	record  keyRecord // without tags
	private crypto.Signer
	size    int64 // bytes that it takes, about
}

// openKey opens a version's record; the tail that the private key is parsed from is the caller's to clear.
func openKey(record seal.Plaintext) (*openedKey, error) {
	r, der, err := decodeRecord[keyRecord](record)
	if err != nil {
		return nil, err
	}
	private, err := parsePrivate(der)
	if err != nil {
		return nil, err
	}
	if again, err := publicJWK(r.Kty, private.Public()); err != nil || !reflect.DeepEqual(again, r.public()) {
		return nil, errKeyKind
	}
	r.Tags = nil
	return &openedKey{record: r, private: private, size: openedSize(der)}, nil
}

// openedSize is what a parsed key takes, bookkeeping for its erasure included (measured: a test holds it).
func openedSize(der []byte) int64 { return 3*int64(len(der)) + 3<<10 }

// withPrivate runs f, which uses a private key. Here, and nowhere else, is decided that a use erases its traces. An RSA
// operation costs nothing more for it; an ES256 signature two to three times as much, because the library allocates sixty
// times and the runtime keeps a list of such objects that it walks each time. Without it the nonces of ES256 signatures stay
// in memory after the key is gone, and a nonce with its signature gives the key (a test searches for them).
func withPrivate(f func()) { seal.Do(f) }
