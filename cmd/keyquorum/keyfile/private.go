// Package keyfile reads private keys and writes public ones as files hold them: PEM, DER, JWK. No
// error shows anything of a file.
package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// MaxFile bounds the file of a key in bytes: an RSA key of 4096 bits in PEM, with its
// certificates.
const MaxFile = 64 << 10

// Private reads a private key: PEM (PKCS #8, PKCS #1, SEC 1), DER (PKCS #8) or JWK.
func Private(file []byte) (*azkeys.JSONWebKey, error) {
	trimmed := bytes.TrimSpace(file)
	switch {
	case len(trimmed) == 0:
		return nil, errors.New("it is empty")
	case trimmed[0] == '{':
		return fromJWK(trimmed)
	case bytes.Contains(trimmed, []byte("-----BEGIN ")):
		return fromPEM(trimmed)
	}
	if key, err := x509.ParsePKCS8PrivateKey(file); err == nil {
		return toJWK(key)
	}
	return nil, errors.New("it holds no key: a key is PEM, PKCS #8 or JWK")
}

// parsers are those of the PEM blocks that hold a private key.
var parsers = map[string]func([]byte) (any, error){
	"PRIVATE KEY":     x509.ParsePKCS8PrivateKey,
	"RSA PRIVATE KEY": func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
	"EC PRIVATE KEY":  func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
}

// fromPEM reads the first private key among the blocks; certificates may stand beside it.
func fromPEM(text []byte) (*azkeys.JSONWebKey, error) {
	public := false
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, errors.New(
				"its key is encrypted: decrypt it first, as with openssl pkey -in FILE -out PLAIN",
			)
		}
		if parse, ok := parsers[block.Type]; ok {
			key, err := parse(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf(
					"its %s cannot be read; a vault takes RSA, and EC keys on P-256, P-384, P-521 "+
						"(on P-256K as JWK)",
					strings.ToLower(block.Type),
				)
			}
			return toJWK(key)
		}
		public = public || block.Type == "PUBLIC KEY" || block.Type == "CERTIFICATE"
	}
	if public {
		return nil, errors.New(
			"it holds only a public key or a certificate; a vault takes private keys",
		)
	}
	return nil, errors.New("it holds no private key in PEM")
}

func toJWK(key any) (*azkeys.JSONWebKey, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return rsaJWK(key)
	case *ecdsa.PrivateKey:
		return ecJWK(key)
	case ed25519.PrivateKey:
		return nil, errors.New("it holds an Ed25519 key; a vault takes RSA and EC")
	}
	return nil, errors.New("it holds a key of a kind that no vault takes: RSA and EC are taken")
}

func rsaJWK(key *rsa.PrivateKey) (*azkeys.JSONWebKey, error) {
	if len(key.Primes) != 2 {
		return nil, errors.New("it holds an RSA key of more than two primes, which no vault takes")
	}
	key.Precompute()
	kty := azkeys.KeyTypeRSA
	return &azkeys.JSONWebKey{
		Kty: &kty, N: key.N.Bytes(), E: big.NewInt(int64(key.E)).Bytes(), D: key.D.Bytes(),
		P: key.Primes[0].Bytes(), Q: key.Primes[1].Bytes(),
		DP: key.Precomputed.Dp.Bytes(), DQ: key.Precomputed.Dq.Bytes(), QI: key.Precomputed.Qinv.Bytes(),
	}, nil
}

func ecJWK(key *ecdsa.PrivateKey) (*azkeys.JSONWebKey, error) {
	d, err := key.Bytes()
	if err != nil {
		return nil, errors.New("it holds an EC key that cannot be read")
	}
	point, err := key.PublicKey.Bytes() // 4, then x and y
	if err != nil {
		return nil, errors.New("it holds an EC key that cannot be read")
	}
	kty, crv := azkeys.KeyTypeEC, azkeys.CurveName(key.Params().Name)
	half := (len(point) - 1) / 2
	return &azkeys.JSONWebKey{
		Kty: &kty,
		Crv: &crv,
		D:   d,
		X:   point[1 : 1+half],
		Y:   point[1+half:],
	}, nil
}

// curveOfJWK has the names of RFC 8812 that Azure has others for.
var curveOfJWK = map[azkeys.CurveName]azkeys.CurveName{"secp256k1": azkeys.CurveNameP256K}

func fromJWK(text []byte) (*azkeys.JSONWebKey, error) {
	key := &azkeys.JSONWebKey{}
	if json.Unmarshal(text, key) != nil {
		return nil, errors.New("it is JSON, and no JWK")
	}
	if key.Crv != nil {
		if ours, ok := curveOfJWK[*key.Crv]; ok {
			key.Crv = &ours
		}
	}
	key.KID, key.KeyOps = nil, nil // those of where it comes from
	switch PlainType(key) {
	case "RSA":
		return complete(key, key.N, key.E, key.D, key.P, key.Q)
	case "EC":
		return complete(key, key.X, key.Y, key.D)
	case "oct":
		return complete(key, key.K)
	case "":
		return nil, errors.New(`it is JSON, and no JWK: it has no "kty"`)
	}
	return nil, errors.New(
		"it holds a JWK of a kind that no vault takes: RSA, EC and oct are taken",
	)
}

// complete refuses a JWK without one of the members that make it a private key.
func complete(key *azkeys.JSONWebKey, members ...[]byte) (*azkeys.JSONWebKey, error) {
	for _, m := range members {
		if len(m) == 0 {
			return nil, errors.New(
				"it holds a JWK without its private members; a vault takes private keys",
			)
		}
	}
	return key, nil
}

// PlainType is a type of key without where it is kept: EC for EC-HSM; "" where it has none.
func PlainType(key *azkeys.JSONWebKey) string {
	if key.Kty == nil {
		return ""
	}
	return strings.TrimSuffix(string(*key.Kty), "-HSM")
}
