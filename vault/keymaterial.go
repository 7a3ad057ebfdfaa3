package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
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

// A keyMaterial is what the sealed record of a version holds of the key itself.
type keyMaterial struct {
	Private seal.Plaintext // PKCS#8, DER (RFC 5208)
	Public  PublicKey
}

// generate makes a key. kty is echoed in its public half.
func (s *keyShape) generate(kty string) (m keyMaterial, err error) {
	seal.Do(func() {
		var key crypto.Signer
		if key, err = s.newKey(); err != nil {
			return
		}
		if m.Private, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			return
		}
		m.Public, err = publicJWK(kty, key.Public())
	})
	return m, err
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

// parsePrivate parses PKCS#8. What it returns is erased when nobody holds it any more.
func parsePrivate(der seal.Plaintext) (key crypto.Signer, err error) {
	seal.Do(func() {
		var parsed any
		if parsed, err = x509.ParsePKCS8PrivateKey(der); err != nil {
			err = errKeyKind // the parser's own words might quote what it read
			return
		}
		var ok bool
		if key, ok = parsed.(crypto.Signer); !ok {
			err = errKeyKind
		}
	})
	return key, err
}

// withPrivate runs f, which uses a private key. Here, and nowhere else, is decided whether the use leaves traces: an RSA
// operation costs the same inside seal.Do; an ES256 signature about twice as much, because the curve arithmetic allocates.
func withPrivate(f func()) { seal.Do(f) }
