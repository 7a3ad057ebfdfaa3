package vault

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"hash"
	"maps"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// testKeys are fixed: a fuzzer's seeds must still be valid in its worker processes. They go by the
// name that algorithms call for.
var testKeys = sync.OnceValue(func() map[string]material {
	keys := map[string]material{}
	for name, file := range map[string]string{"RSA": "testdata/rsa2048.pem",
		"P-256": "testdata/p256.pem"} {
		b, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		block, _ := pem.Decode(b)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		keys[name] = must1(asMaterial(key))
	}
	for i := range keyShapes {
		switch s := &keyShapes[i]; {
		case s.kty == "oct":
			keys["oct"+strconv.Itoa(s.bits)] = must1(parseOct(bytes.Repeat([]byte{7}, s.bits/8)))
		case s.crv != "" && keys[s.crv] == nil:
			keys[s.crv] = must1(ecFromScalar(s,
				padded([]byte{1, 2, 3, 4, 5, 6, 7, 8}, (s.bitsOfCurve()+7)/8)))
		}
	}
	return keys
})

func (s *keyShape) bitsOfCurve() int {
	if s.curve == nil {
		return 256
	}
	return s.curve.Params().BitSize
}

// keyFor is a key that the algorithm takes.
func (a *algorithm) keyFor() material {
	switch {
	case a.kty == "oct":
		return testKeys()["oct"+strconv.Itoa(cmp.Or(a.bits, 256))]
	case a.crv != "":
		return testKeys()[a.crv]
	default:
		return testKeys()[a.kty]
	}
}

func rsaTestKey() *rsa.PrivateKey { return testKeys()["RSA"].(rsaKey).PrivateKey }

// signers and cipherers are the rows of either sort.
func signers() (names []string) { return rowsWith(opSign) }
func cipherers() (names []string) {
	return append(rowsWith(opEncrypt), "A128KW", "A192KW",
		"A256KW")
}

func rowsWith(op keyOp) (names []string) {
	for _, a := range algorithms {
		if slices.Contains(a.ops, op) {
			names = append(names, a.name)
		}
	}
	return names
}

func wantBadParameter(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != Invalid || e.Code != "BadParameter" || e.Inner != "" ||
		e.Message == "" {
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
	sign, wrap, encrypt := []keyOp{opSign, opVerify}, []keyOp{opWrapKey, opUnwrapKey},
		[]keyOp{opEncrypt, opDecrypt}
	all := slices.Concat(encrypt, wrap)
	accepted := map[string]struct {
		keys string // of testKeys
		ops  []keyOp
	}{
		"RS256": {"RSA", sign}, "RS384": {"RSA", sign}, "RS512": {"RSA", sign},
		"PS256": {"RSA", sign}, "PS384": {"RSA", sign}, "PS512": {"RSA", sign},
		"ES256": {"P-256", sign}, "ES384": {"P-384", sign}, "ES512": {"P-521", sign},
		"ES256K": {"P-256K", sign},
		"HS256":  {"oct128 oct192 oct256", sign}, "HS384": {"oct128 oct192 oct256", sign},
		"HS512":    {"oct128 oct192 oct256", sign},
		"RSA-OAEP": {"RSA", all}, "RSA-OAEP-256": {"RSA", all}, "RSA1_5": {"RSA", all},
		"A128KW": {"oct128", wrap}, "A192KW": {"oct192", wrap}, "A256KW": {"oct256", wrap},
		"A128GCM": {"oct128", encrypt}, "A192GCM": {"oct192", encrypt}, "A256GCM": {"oct256", encrypt},
		"A128CBC": {"oct128", encrypt}, "A192CBC": {"oct192", encrypt}, "A256CBC": {"oct256", encrypt},
		"A128CBCPAD": {"oct128", encrypt}, "A192CBCPAD": {"oct192", encrypt},
		"A256CBCPAD": {"oct256", encrypt},
	}
	if len(algorithms) != len(accepted) {
		t.Fatalf("%d rows, the test knows %d", len(algorithms), len(accepted))
	}
	names := slices.AppendSeq([]string{"", "rs256", "none", "RSNULL", "A128CBC-HS256", "ECDH-ES"},
		maps.Keys(accepted))
	for key, m := range testKeys() {
		k := openedOf(t, m)
		for _, name := range names {
			for _, op := range knownOps {
				want := accepted[name]
				fits := slices.Contains(want.ops, op) && slices.Contains(strings.Fields(want.keys), key)
				a, err := algorithmFor(name, op, k)
				if fits && (err != nil || a.name != name) {
					t.Errorf("%s %s with %s: %v", name, op, key, err)
				}
				if !fits && err == nil {
					t.Errorf("%s %s with %s was accepted", name, op, key)
				}
				if err != nil {
					wantBadParameter(t, err)
				}
			}
		}
	}
}

// openedOf is a key as its record opens.
func openedOf(t *testing.T, m material) *openedKey {
	t.Helper()
	kty := "EC"
	switch m.(type) {
	case rsaKey:
		kty = "RSA"
	case octKey:
		kty = "oct"
	}
	private, public, err := halves(m, kty)
	if err != nil {
		t.Fatal(err)
	}
	r := keyRecord{}.withPublic(public)
	k, err := openKey(must1(encodeRecord(&r, private)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWrongKeyForAlgorithmIsSaidInAzuresWords(t *testing.T) {
	_, err := algorithmFor("ES256", opSign, openedOf(t, testKeys()["RSA"]))
	if err == nil || err.Error() != "Key and signing algorithm combination is not supported." {
		t.Errorf("got %v", err)
	}
}

// The standard library called directly is the reference in both directions.
func TestSignaturesVerifyWithTheStandardLibrary(t *testing.T) {
	rsaKey := rsaTestKey()
	for _, name := range signers() {
		a := row(t, name)
		digest := digestFor(a)
		signature := mustSign(t, name, a.keyFor(), digest)
		switch key := a.keyFor().(type) {
		case ecKey:
			half := len(signature) / 2
			if half != fieldSize(key.Curve) || !ecdsa.Verify(&key.PublicKey, digest,
				new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])) {
				t.Errorf("%s: not r and s of the field's size", name)
			}
		case octKey:
			h := hmac.New(a.hash.New, key.key)
			h.Write(digest)
			if !bytes.Equal(signature, h.Sum(nil)) {
				t.Errorf("%s: not the standard library's sum", name)
			}
		}
		salt := &rsa.PSSOptions{SaltLength: a.hash.Size()}
		switch a.scheme {
		case pkcs1v15:
			if err := rsa.VerifyPKCS1v15(&rsaKey.PublicKey, a.hash, digest, signature); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case pss:
			if err := rsa.VerifyPSS(&rsaKey.PublicKey, a.hash, digest, signature, salt); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			theirs, err := rsa.SignPSS(rand.Reader, rsaKey, a.hash, digest, salt)
			if err != nil || !a.verify(a.keyFor(), digest, theirs) {
				t.Errorf("%s made by the standard library refused (%v)", name, err)
			}
		}
	}
}

// digestFor is what the algorithm's hash makes of a message.
func digestFor(a *algorithm) []byte {
	h := a.hash.New()
	h.Write([]byte("the digest is the caller's"))
	return h.Sum(nil)
}

func mustSign(t *testing.T, alg string, key material, digest []byte) []byte {
	t.Helper()
	signature, err := row(t, alg).sign(key, digest)
	if err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	if !row(t, alg).verify(key, digest, signature) {
		t.Fatalf("%s: own signature does not verify", alg)
	}
	return signature
}

// One r or s in 256 begins with a zero byte; 4000 signatures hold some thirty.
func TestES256PadsOnTheLeft(t *testing.T) {
	key, digest, short := testKeys()["P-256"], sha256.Sum256([]byte("x")), 0
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
	x, y := b64(t, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
		b64(t, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		t.Fatal(err)
	}
	signed := "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	signature := b64(t, "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
	digest := sha256.Sum256([]byte(signed))
	public := ecKey{&ecdsa.PrivateKey{PublicKey: *key}}
	if !row(t, "ES256").verify(public, digest[:], signature) {
		t.Error("refused")
	}
	signature[63] ^= 1
	if row(t, "ES256").verify(public, digest[:], signature) {
		t.Error("accepted with a flipped bit")
	}
}

func TestWrongSignaturesAreFalseWhateverTheirLength(t *testing.T) {
	for _, alg := range signers() {
		a := row(t, alg)
		key, digest := a.keyFor(), digestFor(a)
		other := bytes.Clone(digest)
		other[0] ^= 1
		good := mustSign(t, alg, key, digest)
		flipped := bytes.Clone(good)
		flipped[len(flipped)/2] ^= 1
		for name, bad := range map[string][]byte{
			"nil": nil, "short": good[1:], "long": append(bytes.Clone(good), 0), "flipped": flipped,
			"zeros": make([]byte, len(good)), "ones": bytes.Repeat([]byte{0xff}, len(good)),
			"huge": make([]byte, 1<<16),
		} {
			if a.verify(key, digest, bad) {
				t.Errorf("%s: %s signature accepted", alg, name)
			}
		}
		if a.verify(key, other, good) {
			t.Errorf("%s: accepted for another digest", alg)
		}
	}
}

func TestSchemesAreNotMixed(t *testing.T) {
	digest, key := sha256.Sum256([]byte("a")), testKeys()["RSA"]
	if row(t, "PS256").verify(key, digest[:], mustSign(t, "RS256", key, digest[:])) {
		t.Error("an RS256 signature verifies as PS256")
	}
	if row(t, "RS256").verify(key, digest[:], mustSign(t, "PS256", key, digest[:])) {
		t.Error("a PS256 signature verifies as RS256")
	}
}

func TestDigestLength(t *testing.T) {
	for _, alg := range signers() {
		a := row(t, alg)
		for n := range 130 {
			err := a.checkDigest("value", make([]byte, n))
			if fits := n == a.hash.Size() || a.scheme == hmacSum; fits != (err == nil) {
				t.Errorf("%s with %d bytes: %v", alg, n, err)
			}
			if err != nil {
				wantBadParameter(t, err)
			}
		}
	}
}

func TestOAEPBothWaysWithTheStandardLibrary(t *testing.T) {
	key := rsaTestKey()
	for alg, newHash := range map[string]func() hash.Hash{"RSA-OAEP": sha1.New,
		"RSA-OAEP-256": sha256.New} {
		a := row(t, alg)
		largest := key.Size() - 2*newHash().Size() - 2
		for _, n := range []int{0, 1, 32, largest} {
			plaintext := bytes.Repeat([]byte{7}, n)
			ours, err := a.encrypt(rsaKey{key}, Cipher{Value: plaintext})
			if err != nil {
				t.Fatalf("%s of %d bytes: %v", alg, n, err)
			}
			if got, err := rsa.DecryptOAEP(newHash(), nil, key, ours.Value, nil); err != nil ||
				!bytes.Equal(got, plaintext) {
				t.Errorf("%s of %d bytes: the standard library can't decrypt it: %v", alg, n, err)
			}
			theirs, err := rsa.EncryptOAEP(newHash(), rand.Reader, &key.PublicKey, plaintext, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := a.decrypt(rsaKey{key}, Cipher{Value: theirs}); err != nil ||
				!bytes.Equal(got.Value, plaintext) {
				t.Errorf("%s of %d bytes: we can't decrypt the standard library's: %v", alg, n, err)
			}
		}
		_, err := a.encrypt(rsaKey{key}, Cipher{Value: make([]byte, largest+1)})
		wantBadParameter(t, err)
	}
}

// Every row that encrypts decrypts again, whatever the length that it takes.
func TestWhatIsEncryptedDecrypts(t *testing.T) {
	for _, alg := range cipherers() {
		a := row(t, alg)
		for _, n := range []int{0, 1, 8, 15, 16, 17, 24, 32, 48, 100} {
			plaintext := bytes.Repeat([]byte{9}, n)
			in := Cipher{Value: plaintext}
			switch a.scheme {
			case aesCBC, aesCBCPad:
				in.IV = bytes.Repeat([]byte{1}, 16)
			case aesGCM:
				in.AAD = []byte("more")
			}
			out, err := a.encrypt(a.keyFor(), in)
			whole := a.scheme == aesCBC && (n == 0 || n%16 != 0) || a.scheme == aesKeyWrap &&
				(n < 16 || n%8 != 0)
			if whole {
				wantBadParameter(t, err)
				continue
			}
			if err != nil {
				t.Fatalf("%s of %d bytes: %v", alg, n, err)
			}
			back, err := a.decrypt(a.keyFor(), out)
			if err != nil || !bytes.Equal(back.Value, plaintext) || n > 15 &&
				bytes.Contains(out.Value, plaintext) {
				t.Errorf("%s of %d bytes: %x, %v", alg, n, back.Value, err)
			}
		}
	}
}

func TestGCMDrawsItsIV(t *testing.T) {
	a := row(t, "A256GCM")
	_, err := a.encrypt(a.keyFor(), Cipher{Value: []byte("x"), IV: make([]byte, 12)})
	wantBadParameter(t, err)
	seen := map[string]bool{}
	for range 100 {
		out, err := a.encrypt(a.keyFor(), Cipher{Value: []byte("x")})
		if err != nil || len(out.IV) != 12 || len(out.Tag) != 16 || seen[string(out.IV)] {
			t.Fatalf("%+v, %v", out, err)
		}
		seen[string(out.IV)] = true
	}
}

// All that does not decrypt is refused in one way for each algorithm.
func TestEveryFailedDecryptionGetsTheSameAnswer(t *testing.T) {
	key := rsaTestKey()
	labelled := must1(rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, []byte("key"),
		[]byte("label")))
	for _, alg := range cipherers() {
		a := row(t, alg)
		if a.scheme == aesCBC {
			continue // every ciphertext of whole blocks decrypts to something
		}
		in := Cipher{Value: bytes.Repeat([]byte{5}, 32)}
		if a.scheme == aesCBCPad {
			in.IV = make([]byte, 16)
		}
		good := must1(a.encrypt(a.keyFor(), in))
		flipped := bytes.Clone(good.Value)
		flipped[len(flipped)-1] ^= 1
		answers := map[string]bool{}
		for name, bad := range map[string][]byte{
			"one byte": {1}, "short": good.Value[1:], "long": append(bytes.Clone(good.Value), 0),
			"flipped": flipped,
			"label":   labelled, "zeros": make([]byte, len(good.Value)), "modulus": key.N.Bytes(),
			"ones": bytes.Repeat([]byte{0xff}, len(good.Value)),
		} {
			c := good
			c.Value = bad
			out, err := a.decrypt(a.keyFor(), c)
			if err == nil && (a.scheme == aesCBCPad || a.scheme == rsaes15) {
				continue // it may look padded by chance
			}
			if out.Value != nil {
				t.Errorf("%s, %s: decrypted to %d bytes", alg, name, len(out.Value))
			}
			wantBadParameter(t, err)
			answers[err.Error()] = true
		}
		if len(answers) != 1 {
			t.Errorf("%s: the answers differ: %v", alg, answers)
		}
	}
}

// Each last byte of a padded block, and each byte of padding that is wrong, is refused as the
// padding that it is not.
func TestPadding(t *testing.T) {
	for n := range 256 {
		block := bytes.Repeat([]byte{byte(n)}, 16)
		if got, ok := padding(block); ok != (n >= 1 && n <= 16) || ok && got != n {
			t.Errorf("%d: %d, %v", n, got, ok)
		}
		for i := range 15 {
			changed := bytes.Clone(block)
			changed[i] ^= 1
			if _, ok := padding(changed); n >= 1 && n <= 16 && ok != (i < 16-n) {
				t.Errorf("%d, byte %d changed: %v", n, i, ok)
			}
		}
	}
}

// Whatever bytes arrive, a crypto operation answers: no panic, no error other than BadParameter, no
// signature for two digests. The seeds hold what verifies and what decrypts.
func FuzzCryptoInputs(f *testing.F) {
	for i := range algorithms {
		a := &algorithms[i]
		if slices.Contains(a.ops, opSign) {
			digest := digestFor(a)
			good := must1(a.sign(a.keyFor(), digest))
			f.Add(uint8(i), digest, good, []byte{}, []byte{})
			f.Add(uint8(i), digest[1:], good[1:], []byte{}, []byte{})
			continue
		}
		in := Cipher{Value: make([]byte, 32)}
		if a.scheme == aesCBC || a.scheme == aesCBCPad {
			in.IV = make([]byte, 16)
		}
		good := must1(a.encrypt(a.keyFor(), in))
		f.Add(uint8(i), []byte("plain"), good.Value, good.IV, good.Tag)
	}
	f.Fuzz(func(t *testing.T, i uint8, x, y, iv, tag []byte) {
		a := &algorithms[int(i)%len(algorithms)]
		if slices.Contains(a.ops, opSign) {
			fuzzVerify(t, a, x, y)
		} else {
			fuzzCipher(t, a, x, Cipher{Value: y, IV: iv, Tag: tag})
		}
	})
}

func fuzzVerify(t *testing.T, a *algorithm, digest, signature []byte) {
	if err := a.checkDigest("digest", digest); err != nil {
		wantBadParameter(t, err)
		return
	}
	if !a.verify(a.keyFor(), digest, signature) {
		return
	}
	flipped := append(bytes.Clone(digest), 0)
	flipped[0] ^= 1
	if a.verify(a.keyFor(), flipped[:len(digest)], signature) && len(digest) > 0 {
		t.Fatalf("%s: a signature for two digests", a.name)
	}
}

func fuzzCipher(t *testing.T, a *algorithm, plaintext []byte, c Cipher) {
	if _, err := a.encrypt(a.keyFor(), Cipher{Value: plaintext, IV: c.IV}); err != nil {
		wantBadParameter(t, err)
	}
	if _, err := a.decrypt(a.keyFor(), c); err != nil {
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
