package vault

import (
	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"keyquorum/seal"
)

// The names of a key on P-256K: id-ecPublicKey (RFC 5480 section 2.1.1) on secp256k1 (SEC 2 section
// A.2.1).
var (
	ecPublicKey = encasn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	secp256k1   = encasn1.ObjectIdentifier{1, 3, 132, 0, 10}
)

// koblitz8Size is the length of a key on P-256K in PKCS #8.
const koblitz8Size = 135

// pkcs8 spells the key as OpenSSL does: PKCS #8 (RFC 5958) around an ECPrivateKey (RFC 5915) with
// its public key. The buffer does not grow, so that no part of the key is left behind in one that
// was too small.
func (k koblitzKey) pkcs8() (seal.Plaintext, error) {
	scalar := k.PrivateKey.Bytes()
	defer clear(scalar)
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, koblitz8Size))
	b.AddASN1(asn1.SEQUENCE, func(info *cryptobyte.Builder) {
		info.AddASN1Int64(0)
		info.AddASN1(asn1.SEQUENCE, func(algorithm *cryptobyte.Builder) {
			algorithm.AddASN1ObjectIdentifier(ecPublicKey)
			algorithm.AddASN1ObjectIdentifier(secp256k1)
		})
		info.AddASN1(asn1.OCTET_STRING, func(key *cryptobyte.Builder) {
			key.AddASN1(asn1.SEQUENCE, func(key *cryptobyte.Builder) {
				key.AddASN1Int64(1)
				key.AddASN1OctetString(scalar)
				key.AddASN1(asn1.Tag(1).ContextSpecific().Constructed(), func(public *cryptobyte.Builder) {
					public.AddASN1BitString(k.PublicKey().Bytes())
				})
			})
		})
	})
	return b.Bytes()
}

// parseKoblitz8 reads a key on P-256K in PKCS #8, with its public key or without. ok is false for
// whatever else der is.
func parseKoblitz8(der []byte) (m material, ok bool) {
	var version, inner int64
	var info, algorithm, octets, key, scalar cryptobyte.String
	var kind, curve encasn1.ObjectIdentifier
	input := cryptobyte.String(der)
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !input.Empty() ||
		!info.ReadASN1Integer(&version) || version != 0 ||
		!info.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&kind) ||
		!kind.Equal(ecPublicKey) ||
		!algorithm.ReadASN1ObjectIdentifier(&curve) || !curve.Equal(secp256k1) ||
		!info.ReadASN1(&octets, asn1.OCTET_STRING) || !octets.ReadASN1(&key, asn1.SEQUENCE) ||
		!octets.Empty() ||
		!key.ReadASN1Integer(&inner) || inner != 1 || !key.ReadASN1(&scalar, asn1.OCTET_STRING) {
		return nil, false
	}
	m, err := parseKoblitz(scalar)
	return m, err == nil
}
