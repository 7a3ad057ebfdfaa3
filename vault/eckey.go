package vault

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"slices"

	"gitlab.com/yawning/secp256k1-voi/secec"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"keyquorum/seal"
)

// An ecKey is on one of NIST's curves. It is kept as PKCS#8 (RFC 5958).
type ecKey struct{ *ecdsa.PrivateKey }

// fieldSize is the length of a coordinate, and of r and s, on the wire.
func fieldSize(c elliptic.Curve) int { return (c.Params().BitSize + 7) / 8 }

func (k ecKey) bits() int { return k.Curve.Params().BitSize }

func (k ecKey) encode() (seal.Plaintext, error) { return x509.MarshalPKCS8PrivateKey(k.PrivateKey) }

func (k ecKey) jwk(kty string) (PublicKey, error) {
	point, err := k.PublicKey.Bytes()
	if err != nil {
		return PublicKey{}, err
	}
	return ecJWK(kty, k.Curve.Params().Name, point), nil
}

// ecJWK spells an uncompressed point (0x04, x, y, each coordinate padded) as RFC 7518 section 6.2.1
// does.
func ecJWK(kty, crv string, point []byte) PublicKey {
	size := len(point) / 2
	return PublicKey{Kty: kty, Crv: crv, X: point[1 : 1+size], Y: point[1+size:]}
}

func (k ecKey) sign(_ *algorithm, digest []byte) (signature []byte, err error) {
	withPrivate(func() { signature, err = ecdsa.SignASN1(rand.Reader, k.PrivateKey, digest) })
	if err != nil {
		return nil, err
	}
	return rawSignature(signature, fieldSize(k.Curve))
}

// rawSignature turns an ECDSA-Sig-Value (RFC 3279 section 2.2.3) into r and s, each padded on the
// left to size.
func rawSignature(der []byte, size int) ([]byte, error) {
	var sequence cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(&r) ||
		!sequence.ReadASN1Integer(&s) || len(r) > size || len(s) > size {
		return nil, errKeyKind
	}
	raw := make([]byte, 2*size)
	copy(raw[size-len(r):], r)
	copy(raw[2*size-len(s):], s)
	return raw, nil
}

func (k ecKey) verify(_ *algorithm, digest, signature []byte) bool {
	size := fieldSize(k.Curve)
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(&k.PublicKey, digest, r, s)
}

// A koblitzKey is on secp256k1, which JOSE and Azure call P-256K (RFC 8812 section 3.1). It is kept
// as its scalar, 32 bytes big-endian. The standard library hasn't the curve. Of the libraries that
// have, this is one whose arithmetic takes the same time whatever the scalar, which a key that
// signs for strangers needs.
type koblitzKey struct{ *secec.PrivateKey }

const koblitzCurve = "P-256K"

func (koblitzKey) bits() int { return 256 }

func (k koblitzKey) encode() (seal.Plaintext, error) { return k.PrivateKey.Bytes(), nil }

func (k koblitzKey) jwk(kty string) (PublicKey, error) {
	return ecJWK(kty, koblitzCurve, k.PublicKey().Bytes()), nil
}

var rawECDSA = &secec.ECDSAOptions{Encoding: secec.EncodingCompact}

func (k koblitzKey) sign(_ *algorithm, digest []byte) (signature []byte, err error) {
	withPrivate(func() { signature, err = k.PrivateKey.Sign(rand.Reader, digest, rawECDSA) })
	return signature, err
}

func (k koblitzKey) verify(_ *algorithm, digest, signature []byte) bool {
	return verifyKoblitz(k.PublicKey(), digest, signature)
}

func verifyKoblitz(public *secec.PublicKey, digest, signature []byte) bool {
	return public.Verify(digest, signature, rawECDSA)
}

func parseKoblitz(scalar []byte) (material, error) {
	key, err := secec.NewPrivateKey(scalar)
	if err != nil {
		return nil, errKeyKind
	}
	return koblitzKey{key}, nil
}

// importEC builds a key from a private JWK (RFC 7518 section 6.2.2).
func importEC(j *JWK) (material, error) {
	shape, err := shapeFor(KeySpec{Kty: "EC", Crv: j.Crv})
	switch {
	case j.Crv == "":
		return nil, missing("key.crv")
	case err != nil:
		return nil, badValue("key.crv", theCurves)
	}
	size := 32
	if shape.curve != nil {
		size = fieldSize(shape.curve)
	}
	d, x, y := padded(j.D, size), padded(j.X, size), padded(j.Y, size)
	defer clear(d)
	switch {
	case d == nil:
		return nil, badProperty("key.d")
	case x == nil:
		return nil, badProperty("key.x")
	case y == nil:
		return nil, badProperty("key.y")
	}
	m, err := ecFromScalar(shape, d)
	if err != nil {
		return nil, badProperty("key.d")
	}
	if public, err := m.jwk(j.Kty); err != nil || !slices.Equal(public.X, x) ||
		!slices.Equal(public.Y, y) {
		return nil, errInconsistent
	}
	return m, nil
}

func ecFromScalar(shape *keyShape, d []byte) (material, error) {
	if shape.curve == nil {
		return parseKoblitz(d)
	}
	key, err := ecdsa.ParseRawPrivateKey(shape.curve, d)
	if err != nil {
		return nil, err
	}
	return ecKey{key}, nil
}

// padded is the number b in size bytes, nil if it isn't given or is too long. Clients are known to
// leave leading zeros out, and to put more of them in: Java's BigInteger has one where the first
// bit is set.
func padded(b []byte, size int) []byte {
	if len(b) == 0 {
		return nil
	}
	if b = bytes.TrimLeft(b, "\x00"); len(b) > size {
		return nil
	}
	p := make([]byte, size)
	copy(p[size-len(b):], b)
	return p
}
