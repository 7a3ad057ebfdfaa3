package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestKeyFiles reads keys in every form in which people have them, and writes their public parts.
func TestKeyFiles(t *testing.T) {
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		block("PRIVATE KEY", pkcs8(t, own)), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(own)),
		string(pkcs8(t, own)),
		block("CERTIFICATE", []byte("beside it")) + block("PRIVATE KEY", pkcs8(t, own)),
	} {
		key, err := Private([]byte(file))
		if err != nil || !bytes.Equal(key.N, own.N.Bytes()) ||
			!bytes.Equal(key.QI, own.Precomputed.Qinv.Bytes()) {
			t.Errorf("%.30q… is read as another key (%v)", file, err)
			continue
		}
		samePublic(t, key, &own.PublicKey)
		throughJWK(t, key)
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		own, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		sec1, err := x509.MarshalECPrivateKey(own)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{block("PRIVATE KEY", pkcs8(t, own)),
			block("EC PRIVATE KEY", sec1)} {
			key, err := Private([]byte(file))
			if err != nil {
				t.Errorf("%s: %v", curve.Params().Name, err)
				continue
			}
			samePublic(t, key, &own.PublicKey)
			throughJWK(t, key)
		}
	}
}

// samePublic compares what is downloaded of a key with what it should be.
func samePublic(t *testing.T, key *azkeys.JSONWebKey, want any) {
	t.Helper()
	der, err := publicDER(key)
	if err != nil {
		t.Fatal(err)
	}
	if wanted, err := x509.MarshalPKIXPublicKey(want); err != nil || !bytes.Equal(der, wanted) {
		t.Errorf("its public key is written as another (%v)", err)
	}
}

// throughJWK reads the key from the JWK that it is on the wire.
func throughJWK(t *testing.T, key *azkeys.JSONWebKey) {
	t.Helper()
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Private(text); err != nil || !bytes.Equal(again.D, key.D) {
		t.Errorf("as JWK it is another (%v)", err)
	}
}

func TestFilesThatAreNoKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{
		"":                                      "empty",
		"hello":                                 "holds no key",
		block("PUBLIC KEY", []byte("x")):        "only a public key",
		block("CERTIFICATE", []byte("x")):       "only a public key or a certificate",
		block("PRIVATE KEY", []byte("topsec")):  "cannot be read",
		block("ENCRYPTED PRIVATE KEY", nil):     "encrypted",
		block("PRIVATE KEY", pkcs8(t, ed)):      "Ed25519",
		block("OPENSSH PRIVATE KEY", []byte{1}): "no private key",
		`{"topsecret`:                           "no JWK",
		`{"n":"AQAB"}`:                          `no "kty"`,
		`{"kty":"OKP","d":"AQAB"}`:              "no vault takes",
		`{"kty":"RSA","n":"AQAB","e":"AQAB"}`:   "without its private members",
		`{"kty":"oct"}`:                         "without its private members",
	} {
		_, err := Private([]byte(file))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "topsec") {
			t.Errorf("%.40q: %v, which should say %q", file, err, says)
		}
	}
}

// TestJWKOfP256K: RFC 8812 calls the curve by another name than Azure.
func TestJWKOfP256K(t *testing.T) {
	key, err := Private([]byte(`{"kty":"EC","crv":"secp256k1","x":"AQAB","y":"AQAB","d":"AQAB","key_ops":["sign"],"kid":"mine"}`))
	if err != nil || *key.Crv != azkeys.CurveNameP256K || key.KID != nil || key.KeyOps != nil {
		t.Fatalf("%+v (%v)", key, err)
	}
	if text, err := publicJWK(key); err != nil || !strings.Contains(string(text), `"secp256k1"`) ||
		strings.Contains(string(text), `"d"`) {
		t.Errorf("%s (%v)", text, err)
	}
}

// FuzzPrivateKey: whatever a file holds, it is taken whole or refused on one line.
func FuzzPrivateKey(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(block("PRIVATE KEY", pkcs8(f, key))))
	f.Add(pkcs8(f, key))
	f.Add([]byte(`{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB","p":"AQAB","q":"AQAB"}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		key, err := Private(file)
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("refused with %q", err)
		}
		if err == nil && (key.Kty == nil || len(key.D)+len(key.K) == 0) {
			t.Errorf("%q is taken, and holds no private key", file)
		}
	})
}
