package keyfile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// Public writes a public key in a format: pem, jwk, or raw, which is DER.
var Public = map[string]func(*azkeys.JSONWebKey) ([]byte, error){
	"pem": publicPEM,
	"raw": publicDER,
	"der": publicDER, // as az says it
	"jwk": publicJWK,
}

func publicPEM(key *azkeys.JSONWebKey) ([]byte, error) {
	der, err := publicDER(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

var curves = map[azkeys.CurveName]elliptic.Curve{
	azkeys.CurveNameP256: elliptic.P256(), azkeys.CurveNameP384: elliptic.P384(),
	azkeys.CurveNameP521: elliptic.P521(),
}

// publicDER is a SubjectPublicKeyInfo (RFC 5280 section 4.1).
func publicDER(key *azkeys.JSONWebKey) ([]byte, error) {
	switch PlainType(key) {
	case "RSA":
		e := new(big.Int).SetBytes(key.E)
		return x509.MarshalPKIXPublicKey(
			&rsa.PublicKey{N: new(big.Int).SetBytes(key.N), E: int(e.Int64())},
		)
	case "EC":
		return ecDER(key)
	}
	return nil, errors.New("a symmetric key has no public part: nothing of it can be downloaded")
}

func ecDER(key *azkeys.JSONWebKey) ([]byte, error) {
	point := append(append([]byte{4}, key.X...), key.Y...)
	crv := curveOf(key)
	if crv == azkeys.CurveNameP256K {
		return secp256k1DER(point)
	}
	curve, ok := curves[crv]
	if !ok {
		return nil, fmt.Errorf("a key on the curve %s cannot be written so; --as jwk can", crv)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("the vault's public key is no point of %s", crv)
	}
	return x509.MarshalPKIXPublicKey(public)
}

func curveOf(key *azkeys.JSONWebKey) azkeys.CurveName {
	if key.Crv == nil {
		return ""
	}
	return *key.Crv
}

// secp256k1DER writes what crypto/x509 has no name for (RFC 5480 section 2.1.1, SEC 2 section
// A.2.1).
func secp256k1DER(point []byte) ([]byte, error) {
	curve, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 132, 0, 10})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Point     asn1.BitString
	}{
		pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, // id-ecPublicKey
			Parameters: asn1.RawValue{FullBytes: curve},
		},
		asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	})
}

// publicJWK is the key as RFC 7517 and, for P-256K, RFC 8812 have it.
func publicJWK(key *azkeys.JSONWebKey) ([]byte, error) {
	members := map[string]string{"kty": PlainType(key), "kid": ""}
	if key.KID != nil {
		members["kid"] = string(*key.KID)
	}
	crv := curveOf(key)
	text := base64.RawURLEncoding.EncodeToString
	switch PlainType(key) {
	case "RSA":
		members["n"], members["e"] = text(key.N), text(key.E)
	case "EC":
		members["crv"], members["x"], members["y"] = string(crv), text(key.X), text(key.Y)
		if crv == azkeys.CurveNameP256K {
			members["crv"] = "secp256k1"
		}
	default:
		return nil, errors.New(
			"a symmetric key has no public part: nothing of it can be downloaded",
		)
	}
	b, err := json.MarshalIndent(members, "", "  ")
	return append(b, '\n'), err
}
