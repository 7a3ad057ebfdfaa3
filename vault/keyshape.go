package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"

	"gitlab.com/yawning/secp256k1-voi/secec"

	"keyquorum/seal"
)

// A keyShape is a row of the table of keys that can be made.
type keyShape struct {
	kty   string         // "RSA", "EC" or "oct", without "-HSM"
	bits  int            // RSA modulus, oct key
	crv   string         // EC curve, by its JWK name
	curve elliptic.Curve // nil for P-256K
	ops   []string       // key_ops when none are given
}

var (
	rsaOps = []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}
	ecOps  = []string{"sign", "verify"}
	octOps = []string{"encrypt", "decrypt", "wrapKey", "unwrapKey"}
)

// keyShapes: the first row of a type is its default.
var keyShapes = []keyShape{
	{kty: "RSA", bits: 2048, ops: rsaOps},
	{kty: "RSA", bits: 3072, ops: rsaOps},
	{kty: "RSA", bits: 4096, ops: rsaOps},
	{kty: "EC", crv: "P-256", curve: elliptic.P256(), ops: ecOps},
	{kty: "EC", crv: "P-384", curve: elliptic.P384(), ops: ecOps},
	{kty: "EC", crv: "P-521", curve: elliptic.P521(), ops: ecOps},
	{kty: "EC", crv: koblitzCurve, ops: ecOps},
	{kty: "oct", bits: 256, ops: octOps},
	{kty: "oct", bits: 192, ops: octOps},
	{kty: "oct", bits: 128, ops: octOps},
}

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
		return nil, badValue("kty", "it is RSA, EC or oct, or one of them with -HSM")
	case kty == "EC":
		return nil, badValue("crv", theCurves)
	case kty == "oct":
		return nil, badValue("key_size", "it is 128, 192 or 256")
	default:
		return nil, badValue("key_size", "it is 2048, 3072 or 4096")
	}
}

// theCurves also tells whoever uses the name that version 2016-10-01 of the API had for the last.
const theCurves = "it is P-256, P-384, P-521 or P-256K, which others call secp256k1"

// matches: key_size means nothing for EC (sigstore sends 2048), crv nothing for RSA. What is not
// given matches the first row.
func (s *keyShape) matches(spec KeySpec) bool {
	if s.kty == "EC" {
		return spec.Crv == "" || spec.Crv == s.crv
	}
	return spec.Size == 0 || spec.Size == s.bits
}

// exponentAllowed: the standard library makes keys with 65537 alone.
func exponentAllowed(s *keyShape, spec KeySpec) error {
	if s.kty == "RSA" && spec.PublicExponent != 0 && spec.PublicExponent != 65537 {
		return badValue("public_exponent", "it is 65537")
	}
	return nil
}

// baseType strips "-HSM": the name is accepted and echoed, no hardware is behind it.
func baseType(kty string) string { return strings.TrimSuffix(kty, hsmSuffix) }

const hsmSuffix = "-HSM"

// generate makes a key: what its record keeps of it, and the public half, in which kty is echoed.
func (s *keyShape) generate(kty string) (private seal.Plaintext, public PublicKey, err error) {
	seal.Do(func() {
		var m material
		if m, err = s.newKey(); err == nil {
			private, public, err = halves(m, kty)
		}
	})
	return private, public, err
}

func (s *keyShape) newKey() (material, error) {
	switch {
	case s.kty == "RSA":
		key, err := rsa.GenerateKey(rand.Reader, s.bits)
		return rsaKey{key}, err
	case s.kty == "oct":
		key := make([]byte, s.bits/8)
		rand.Read(key)
		return parseOct(key)
	case s.curve == nil:
		key, err := secec.GenerateKey()
		return koblitzKey{key}, err
	default:
		key, err := ecdsa.GenerateKey(s.curve, rand.Reader)
		return ecKey{key}, err
	}
}
