package vault

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"hash"
	"math/big"
	"os"
	"slices"
	"sync"
	"testing"
)

// testKeys are fixed: a fuzzer's seeds must still be valid in its worker processes.
var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for kty, file := range map[string]string{"RSA": "testdata/rsa2048.pem", "EC": "testdata/p256.pem"} {
		b, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		block, _ := pem.Decode(b)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		keys[kty] = key.(crypto.Signer)
	}
	return keys
})

func wantBadParameter(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != Invalid || e.Code != "BadParameter" || e.Inner != "" || e.Message == "" {
		t.Fatalf("error %#v, want BadParameter", err)
	}
}

func row(t testing.TB, name string) *algorithm {
	t.Helper()
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.name == name })
	if i < 0 {
		t.Fatalf("no row %q", name)
	}
	return &algorithms[i]
}

// What is accepted, in full: everything that is not here must be refused.
func TestEachAlgorithmTakesItsKeysAndOperationsOnly(t *testing.T) {
	accepted := map[string]struct {
		kty, crv string
		ops      []keyOp
	}{
		"RS256":        {"RSA", "", []keyOp{opSign, opVerify}},
		"PS256":        {"RSA", "", []keyOp{opSign, opVerify}},
		"ES256":        {"EC", "P-256", []keyOp{opSign, opVerify}},
		"RSA-OAEP":     {"RSA", "", []keyOp{opEncrypt, opDecrypt, opWrapKey, opUnwrapKey}},
		"RSA-OAEP-256": {"RSA", "", []keyOp{opEncrypt, opDecrypt, opWrapKey, opUnwrapKey}},
	}
	if len(algorithms) != len(accepted) {
		t.Fatalf("%d rows, the test knows %d", len(algorithms), len(accepted))
	}
	names := []string{"", "rs256", "none", "HS256", "RSNULL", "RSA1_5", "ES256K"}
	for name := range accepted {
		names = append(names, name)
	}
	ops := []keyOp{opEncrypt, opDecrypt, opSign, opVerify, opWrapKey, opUnwrapKey}
	keys := []struct{ kty, crv string }{{"RSA", ""}, {"EC", "P-256"}, {"EC", "P-384"}, {"oct", ""}}
	for _, name := range names {
		for _, op := range ops {
			for _, key := range keys {
				want := accepted[name]
				fits := slices.Contains(want.ops, op) && want.kty == key.kty && want.crv == key.crv
				a, err := algorithmFor(name, op, key.kty, key.crv)
				if fits {
					if err != nil || a.name != name {
						t.Errorf("%s %s with %s %s: %v", name, op, key.kty, key.crv, err)
					}
					continue
				}
				if err == nil {
					t.Errorf("%s %s with %s %s was accepted", name, op, key.kty, key.crv)
					continue
				}
				wantBadParameter(t, err)
			}
		}
	}
}

func TestWrongKeyForAlgorithmIsSaidInAzuresWords(t *testing.T) {
	_, err := algorithmFor("ES256", opSign, "RSA", "")
	if err == nil || err.Error() != "Key and signing algorithm combination is not supported." {
		t.Errorf("got %v", err)
	}
}

// The standard library called directly is the reference in both directions.
func TestSignaturesVerifyWithTheStandardLibrary(t *testing.T) {
	digest := sha256.Sum256([]byte("the digest is the caller's"))
	salt := &rsa.PSSOptions{SaltLength: 32}
	rsaKey, ecKey := testKeys()["RSA"].(*rsa.PrivateKey), testKeys()["EC"].(*ecdsa.PrivateKey)

	signature := mustSign(t, "RS256", rsaKey, digest[:])
	if err := rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("RS256: %v", err)
	}
	signature = mustSign(t, "PS256", rsaKey, digest[:])
	if err := rsa.VerifyPSS(&rsaKey.PublicKey, crypto.SHA256, digest[:], signature, salt); err != nil {
		t.Errorf("PS256: %v", err)
	}
	signature = mustSign(t, "ES256", ecKey, digest[:])
	if len(signature) != 64 || !ecdsa.Verify(&ecKey.PublicKey, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("ES256: not r and s of 32 bytes each")
	}

	theirs, err := rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, digest[:], salt)
	if err != nil || !row(t, "PS256").verify(&rsaKey.PublicKey, digest[:], theirs) {
		t.Errorf("PS256 made by the standard library refused (%v)", err)
	}
}

func mustSign(t *testing.T, alg string, key crypto.Signer, digest []byte) []byte {
	t.Helper()
	signature, err := row(t, alg).sign(key, digest)
	if err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	if !row(t, alg).verify(key.Public(), digest, signature) {
		t.Fatalf("%s: own signature does not verify", alg)
	}
	return signature
}

// One r or s in 256 begins with a zero byte; 4000 signatures hold some thirty.
func TestES256PadsOnTheLeft(t *testing.T) {
	key, digest, short := testKeys()["EC"], sha256.Sum256([]byte("x")), 0
	for i := 0; i < 4000 && short < 4; i++ {
		signature := mustSign(t, "ES256", key, digest[:])
		if len(signature) != 64 {
			t.Fatalf("%d bytes", len(signature))
		}
		if signature[0] == 0 || signature[32] == 0 {
			short++
		}
	}
	if short == 0 {
		t.Error("4000 signatures without a leading zero: r or s is not padded on the left")
	}
}

// RFC 7515 appendix A.3: signature made by somebody else with a published key.
func TestES256KnownAnswer(t *testing.T) {
	x, y := b64(t, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), b64(t, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		t.Fatal(err)
	}
	signed := "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	signature := b64(t, "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
	digest := sha256.Sum256([]byte(signed))
	if !row(t, "ES256").verify(key, digest[:], signature) {
		t.Error("refused")
	}
	signature[63] ^= 1
	if row(t, "ES256").verify(key, digest[:], signature) {
		t.Error("accepted with a flipped bit")
	}
}

func TestWrongSignaturesAreFalseWhateverTheirLength(t *testing.T) {
	digest, other := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	for alg, kty := range map[string]string{"RS256": "RSA", "PS256": "RSA", "ES256": "EC"} {
		key := testKeys()[kty]
		good, a := mustSign(t, alg, key, digest[:]), row(t, alg)
		flipped := bytes.Clone(good)
		flipped[len(flipped)/2] ^= 1
		for name, bad := range map[string][]byte{
			"nil": nil, "short": good[1:], "long": append(bytes.Clone(good), 0), "flipped": flipped,
			"zeros": make([]byte, len(good)), "ones": bytes.Repeat([]byte{0xff}, len(good)), "huge": make([]byte, 1<<16),
		} {
			if a.verify(key.Public(), digest[:], bad) {
				t.Errorf("%s: %s signature accepted", alg, name)
			}
		}
		if a.verify(key.Public(), other[:], good) {
			t.Errorf("%s: accepted for another digest", alg)
		}
	}
}

func TestSchemesAreNotMixed(t *testing.T) {
	digest, key := sha256.Sum256([]byte("a")), testKeys()["RSA"]
	if row(t, "PS256").verify(key.Public(), digest[:], mustSign(t, "RS256", key, digest[:])) {
		t.Error("an RS256 signature verifies as PS256")
	}
	if row(t, "RS256").verify(key.Public(), digest[:], mustSign(t, "PS256", key, digest[:])) {
		t.Error("a PS256 signature verifies as RS256")
	}
}

func TestDigestLength(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256"} {
		for n := range 130 {
			err := row(t, alg).checkDigest("value", make([]byte, n))
			if n == 32 && err != nil {
				t.Errorf("%s refuses 32 bytes: %v", alg, err)
			}
			if n != 32 {
				wantBadParameter(t, err)
			}
		}
	}
}

func TestOAEPBothWaysWithTheStandardLibrary(t *testing.T) {
	key := testKeys()["RSA"].(*rsa.PrivateKey)
	for alg, newHash := range map[string]func() hash.Hash{"RSA-OAEP": sha1.New, "RSA-OAEP-256": sha256.New} {
		a := row(t, alg)
		largest := key.Size() - 2*newHash().Size() - 2
		for _, n := range []int{0, 1, 32, largest} {
			plaintext := bytes.Repeat([]byte{7}, n)
			ours, err := a.encrypt(&key.PublicKey, plaintext)
			if err != nil {
				t.Fatalf("%s of %d bytes: %v", alg, n, err)
			}
			if got, err := rsa.DecryptOAEP(newHash(), nil, key, ours, nil); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%s of %d bytes: the standard library can't decrypt it: %v", alg, n, err)
			}
			theirs, err := rsa.EncryptOAEP(newHash(), rand.Reader, &key.PublicKey, plaintext, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := a.decrypt(key, theirs); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%s of %d bytes: we can't decrypt the standard library's: %v", alg, n, err)
			}
		}
		_, err := a.encrypt(&key.PublicKey, make([]byte, largest+1))
		wantBadParameter(t, err)
	}
}

func TestEveryFailedDecryptionGetsTheSameAnswer(t *testing.T) {
	key := testKeys()["RSA"].(*rsa.PrivateKey)
	a := row(t, "RSA-OAEP-256")
	good, err := a.encrypt(&key.PublicKey, []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	otherHash, _ := row(t, "RSA-OAEP").encrypt(&key.PublicKey, []byte("key"))
	labelled, _ := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, []byte("key"), []byte("label"))
	pkcs, _ := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, []byte("key")) //nolint:staticcheck // a wrong padding is what is wanted
	flipped := bytes.Clone(good)
	flipped[9] ^= 1
	answers := map[string]bool{}
	for name, bad := range map[string][]byte{
		"nil": nil, "one byte": {1}, "short": good[:255], "long": append(bytes.Clone(good), 0), "flipped": flipped, "other hash": otherHash,
		"label": labelled, "other padding": pkcs, "zeros": make([]byte, 256), "modulus": key.N.Bytes(), "above": bytes.Repeat([]byte{0xff}, 256),
	} {
		plaintext, err := a.decrypt(key, bad)
		if plaintext != nil {
			t.Errorf("%s: decrypted to %d bytes", name, len(plaintext))
		}
		wantBadParameter(t, err)
		answers[err.Error()] = true
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
}

// Whatever bytes arrive, a crypto operation answers: no panic, no error other than BadParameter, no signature for two digests.
// The seeds hold what verifies and what decrypts.
func FuzzCryptoInputs(f *testing.F) {
	digest := sha256.Sum256([]byte("seed"))
	for i := range algorithms {
		a := &algorithms[i]
		key := testKeys()[a.kty]
		answer := func() ([]byte, error) { return a.sign(key, digest[:]) }
		if a.scheme == oaep {
			answer = func() ([]byte, error) { return a.encrypt(key.Public(), digest[:]) }
		}
		good, err := answer()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), digest[:], good)
		f.Add(uint8(i), digest[1:], good[1:])
	}
	f.Fuzz(func(t *testing.T, i uint8, x, y []byte) {
		a := &algorithms[int(i)%len(algorithms)]
		if a.scheme == oaep {
			fuzzOAEP(t, a, x, y)
		} else {
			fuzzVerify(t, a, x, y)
		}
	})
}

func fuzzVerify(t *testing.T, a *algorithm, digest, signature []byte) {
	key := testKeys()[a.kty].Public()
	if err := a.checkDigest("digest", digest); err != nil {
		wantBadParameter(t, err)
		return
	}
	if !a.verify(key, digest, signature) {
		return
	}
	flipped := bytes.Clone(digest)
	flipped[0] ^= 1
	if a.verify(key, flipped, signature) {
		t.Fatalf("%s: a signature for two digests", a.name)
	}
}

func fuzzOAEP(t *testing.T, a *algorithm, plaintext, ciphertext []byte) {
	key := testKeys()[a.kty]
	if _, err := a.encrypt(key.Public(), plaintext); err != nil {
		wantBadParameter(t, err)
	}
	if _, err := a.decrypt(key, ciphertext); err != nil {
		wantBadParameter(t, err)
	}
}

func b64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
