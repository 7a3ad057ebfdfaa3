package vault_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/kwp/subtle"
	"gitlab.com/yawning/secp256k1-voi/secec"

	"keyquorum/vault"
)

// privateJWK spells a key as an owner brings it.
func privateJWK(t testing.TB, key any) *vault.JWK {
	t.Helper()
	switch k := key.(type) {
	case *rsa.PrivateKey:
		k.Precompute()
		p := k.Precomputed
		return &vault.JWK{Kty: "RSA", N: k.N.Bytes(), E: big.NewInt(int64(k.E)).Bytes(), D: k.D.Bytes(),
			P: k.Primes[0].Bytes(), Q: k.Primes[1].Bytes(),
			DP: p.Dp.Bytes(), DQ: p.Dq.Bytes(), QI: p.Qinv.Bytes()}
	case *ecdsa.PrivateKey:
		point := must(k.PublicKey.Bytes())(t)
		size := len(point) / 2
		return &vault.JWK{Kty: "EC", Crv: k.Params().Name, X: point[1 : 1+size], Y: point[1+size:],
			D: must(k.Bytes())(t)}
	case *secec.PrivateKey:
		point := k.PublicKey().Bytes()
		return &vault.JWK{Kty: "EC", Crv: "P-256K", X: point[1:33], Y: point[33:], D: k.Bytes()}
	case []byte:
		return &vault.JWK{Kty: "oct", K: k}
	}
	t.Fatalf("no JWK for %T", key)
	return nil
}

func TestImportedKeysWork(t *testing.T) {
	w, c := demo(t)
	aes := make([]byte, 32)
	rand.Read(aes)
	rsaPrivate := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	for name, row := range map[string]struct {
		key any
		alg string // that it signs or encrypts with
		ops []string
	}{
		"rsa":   {rsaPrivate, "PS512", []string{"encrypt", "sign", "verify"}},
		"p256":  {must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t), "ES256", nil},
		"p384":  {must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t), "ES384", nil},
		"p521":  {must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))(t), "ES512", nil},
		"p256k": {must(secec.GenerateKey())(t), "ES256K", nil},
		"oct":   {aes, "A256GCM", nil},
		"oct16": {aes[:16], "A128KW", nil},
	} {
		j := privateJWK(t, row.key)
		j.Ops = row.ops
		k := must(w.ImportKey(ctx, c, name, j,
			vault.Change{Tags: map[string]string{"from": "outside"}}))(t)
		if row.ops != nil && !slices.Equal(k.Ops, row.ops) || k.Public.Kty != j.Kty ||
			k.Tags["from"] != "outside" {
			t.Errorf("%s: %+v", name, k)
		}
		if !slices.Equal(k.Public.N, j.N) || !slices.Equal(k.Public.E, j.E) ||
			!slices.Equal(k.Public.X, j.X) || !slices.Equal(k.Public.Y, j.Y) {
			t.Errorf("%s: the public half is another: %+v", name, k.Public)
		}
		if w.usage.last(t).Operation != "keys/import" {
			t.Errorf("%s: %+v", name, w.usage.last(t))
		}
		usesOf(t, w, c, name, row.alg)
	}
	hsm := privateJWK(t, rsaPrivate)
	hsm.HardwareBacked = true
	if k := must(w.ImportKey(ctx, c, "rsa", hsm, vault.Change{}))(t); k.Public.Kty != "RSA-HSM" ||
		len(must(w.ListKeyVersions(ctx, c, "rsa", vault.PageRequest{Max: 25}))(t).Items) != 2 {
		t.Errorf("a second import: %+v", k)
	}
}

// usesOf does and undoes something with a key.
func usesOf(t *testing.T, w *world, c vault.Caller, name, alg string) {
	t.Helper()
	plain := []byte("0123456789abcdef")
	switch {
	case strings.HasSuffix(alg, "KW"):
		out := must(w.WrapKey(ctx, c, name, "", alg, vault.Cipher{Value: plain}))(t)
		if back := must(w.UnwrapKey(ctx, c, name, out.Version, alg,
			out.Cipher))(t); string(back.Value) != string(plain) {
			t.Errorf("%s: %q", name, back.Value)
		}
	case strings.HasPrefix(alg, "A"):
		out := must(w.Encrypt(ctx, c, name, "", alg, vault.Cipher{Value: plain}))(t)
		if back := must(w.Decrypt(ctx, c, name, out.Version, alg,
			out.Cipher))(t); string(back.Value) != string(plain) {
			t.Errorf("%s: %q", name, back.Value)
		}
	default:
		size := map[byte]int{'2': 32, '3': 48, '5': 64}[alg[2]]
		sum := make([]byte, size)
		out := must(w.Sign(ctx, c, name, "", alg, sum))(t)
		if !must(w.Verify(ctx, c, name, out.Version, alg, sum, out.Value))(t) {
			t.Errorf("%s: the signature does not verify", name)
		}
	}
}

func TestImportRefusals(t *testing.T) {
	w, c := demo(t)
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	other := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	ec := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	change := func(from any, f func(j *vault.JWK)) *vault.JWK {
		j := privateJWK(t, from)
		f(j)
		return j
	}
	for name, j := range map[string]*vault.JWK{
		"empty":              {},
		"unknown kty":        {Kty: "OKP"},
		"RSA without d":      change(key, func(j *vault.JWK) { j.D = nil }),
		"RSA without primes": change(key, func(j *vault.JWK) { j.P, j.Q = nil, nil }),
		"public RSA key": change(key,
			func(j *vault.JWK) { j.D, j.P, j.Q, j.DP, j.DQ, j.QI = nil, nil, nil, nil, nil, nil }),
		"another's prime":     change(key, func(j *vault.JWK) { j.P = other.Primes[0].Bytes() }),
		"another's exponent":  change(key, func(j *vault.JWK) { j.D = other.D.Bytes() }),
		"another's dp":        change(key, func(j *vault.JWK) { j.DP = other.Precomputed.Dp.Bytes() }),
		"exponent of 1":       change(key, func(j *vault.JWK) { j.E = []byte{1} }),
		"even exponent":       change(key, func(j *vault.JWK) { j.E = []byte{4} }),
		"huge exponent":       change(key, func(j *vault.JWK) { j.E = j.N }),
		"zero primes":         change(key, func(j *vault.JWK) { j.P, j.Q = []byte{0}, []byte{0} }),
		"one prime, and one":  change(key, func(j *vault.JWK) { j.P, j.Q = j.N, []byte{1} }),
		"1024 bits":           privateJWK(t, weakRSA(t)),
		"EC without d":        change(ec, func(j *vault.JWK) { j.D = nil }),
		"EC without x":        change(ec, func(j *vault.JWK) { j.X = nil }),
		"EC without curve":    change(ec, func(j *vault.JWK) { j.Crv = "" }),
		"EC, another curve":   change(ec, func(j *vault.JWK) { j.Crv = "P-521" }),
		"EC, unknown curve":   change(ec, func(j *vault.JWK) { j.Crv = "P-224" }),
		"EC, another's point": change(ec, func(j *vault.JWK) { j.Y[5] ^= 1 }),
		"EC, zero d":          change(ec, func(j *vault.JWK) { j.D = make([]byte, 48) }),
		"EC, d too large": change(ec,
			func(j *vault.JWK) { j.D = elliptic.P384().Params().N.Bytes() }),
		"EC, d too long": change(ec, func(j *vault.JWK) { j.D = append([]byte{1}, j.D...) }),
		"P-256K, zero d": {Kty: "EC", Crv: "P-256K", X: make([]byte, 32), Y: make([]byte, 32),
			D: make([]byte, 32)},
		"oct without k":    {Kty: "oct"},
		"oct of 8 bytes":   {Kty: "oct", K: make([]byte, 8)},
		"oct of 64 bytes":  {Kty: "oct", K: make([]byte, 64)},
		"unknown op":       change(ec, func(j *vault.JWK) { j.Ops = []string{"derive"} }),
		"no transfer blob": {Kty: "RSA-HSM", HSM: []byte("{}")},
		"not even JSON":    {Kty: "RSA-HSM", HSM: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.ImportKey(ctx, c, "k", j, vault.Change{})
			refused(t, err, vault.Invalid, "BadParameter")
		})
	}
	if paths := w.replica.paths("vault/"); slices.ContainsFunc(paths,
		func(p string) bool { return strings.Contains(p, "/key/") }) {
		t.Errorf("a refused import left %v", paths)
	}
}

// weakRSA is a key that nobody should bring.
func weakRSA(t *testing.T) *rsa.PrivateKey {
	t.Setenv("GODEBUG", "rsa1024min=0")
	return must(rsa.GenerateKey(rand.Reader, 1024))(t)
}

// transfer wraps a key as the tools of Azure's customers do.
func transfer(t testing.TB, kid string, to *rsa.PublicKey, private []byte) []byte {
	t.Helper()
	kek := make([]byte, 32)
	rand.Read(kek)
	ciphertext := must(rsa.EncryptOAEP(sha1.New(), rand.Reader, to, kek, nil))(t)
	ciphertext = append(ciphertext, must(must(subtle.NewKWP(kek))(t).Wrap(private))(t)...)
	return must(json.Marshal(map[string]any{"schema_version": "1.0.0", "generator": "a test",
		"header":     map[string]string{"kid": kid, "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"},
		"ciphertext": base64.RawURLEncoding.EncodeToString(ciphertext)}))(t)
}

func TestWrappedImport(t *testing.T) {
	w, c := demo(t)
	kek := must(w.CreateKey(ctx, c, "kek", vault.KeySpec{Kty: "RSA-HSM", Size: 2048},
		vault.Change{KeyOps: []string{"import"}}))(t)
	public := rsaOf(kek.Public)
	kid := "https://demo.vault.example:8200/keys/KEK/" + kek.Version
	own := must(rsa.GenerateKey(rand.Reader, 3072))(t)
	ec := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))(t)
	aes := make([]byte, 24)
	rand.Read(aes)
	for name, row := range map[string]struct {
		kty     string
		private []byte
		alg     string
	}{
		"rsa": {"RSA-HSM", must(x509.MarshalPKCS8PrivateKey(own))(t), "RS384"},
		"ec":  {"EC-HSM", must(x509.MarshalPKCS8PrivateKey(ec))(t), "ES512"},
		"oct": {"oct-HSM", aes, "A192GCM"},
	} {
		k := must(w.ImportKey(ctx, c, name,
			&vault.JWK{Kty: row.kty, HSM: transfer(t, kid, public, row.private)}, vault.Change{}))(t)
		if u := w.usage.last(t); k.Public.Kty != row.kty || u.Version != k.Version ||
			u.With != "kek/"+kek.Version {
			t.Errorf("%s: %+v, %+v", name, k, w.usage.last(t))
		}
		usesOf(t, w, c, name, row.alg)
	}
	sum := make([]byte, 48)
	signed := must(w.Sign(ctx, c, "rsa", "", "RS384", sum))(t)
	if err := rsa.VerifyPKCS1v15(&own.PublicKey, crypto.SHA384, sum, signed.Value); err != nil {
		t.Errorf("the imported key is not the owner's: %v", err)
	}

	good := must(x509.MarshalPKCS8PrivateKey(ec))(t)
	plain := must(w.CreateKey(ctx, c, "plain", rsaSpec, vault.Change{}))(t)
	otherHost := strings.Replace(kid, "demo", "other", 1)
	for name, j := range map[string]*vault.JWK{
		"another type":        {Kty: "RSA-HSM", HSM: transfer(t, kid, public, good)},
		"another vault's key": {Kty: "EC-HSM", HSM: transfer(t, otherHost, public, good)},
		"a key that isn't there": {Kty: "EC-HSM",
			HSM: transfer(t, strings.Replace(kid, "KEK", "nokey", 1), public, good)},
		"a version that isn't": {Kty: "EC-HSM",
			HSM: transfer(t, kid[:len(kid)-1]+"g", public, good)},
		"a secret's URL": {Kty: "EC-HSM",
			HSM: transfer(t, strings.Replace(kid, "keys", "secrets", 1), public, good)},
		"a key without import": {Kty: "EC-HSM",
			HSM: transfer(t, "https://demo.vault.example/keys/plain", rsaOf(plain.Public), good)},
		"an EC key to wrap with": {Kty: "EC-HSM",
			HSM: transfer(t, "https://demo.vault.example/keys/ec", public, good)},
		"wrapped for another": {Kty: "EC-HSM", HSM: transfer(t, kid, rsaOf(plain.Public), good)},
		"no PKCS #8":          {Kty: "EC-HSM", HSM: transfer(t, kid, public, make([]byte, 100))},
		"a P-224 key": {Kty: "EC-HSM", HSM: transfer(t, kid, public,
			must(x509.MarshalPKCS8PrivateKey(must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))(t)))(t))},
		"oct of a length that none": {Kty: "oct-HSM", HSM: transfer(t, kid, public, make([]byte, 40))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.ImportKey(ctx, c, "refused", j, vault.Change{})
			refused(t, err, vault.Invalid, "BadParameter")
			used := ""
			if slices.Contains([]string{"another type", "wrapped for another", "no PKCS #8", "a P-224 key",
				"oct of a length that none"}, name) {
				used = "kek/" + kek.Version
			}
			if u := w.usage.last(t); u.With != used {
				t.Errorf("the record names %q as the key that was used, want %q", u.With, used)
			}
		})
	}
	must(w.UpdateKey(ctx, c, "kek", "", vault.Change{Enabled: ptr(false)}))(t)
	_, err := w.ImportKey(ctx, c, "refused",
		&vault.JWK{Kty: "EC-HSM", HSM: transfer(t, kid, public, good)}, vault.Change{})
	refused(t, err, vault.Invalid, "BadParameter")
}

// What was wrapped for a key must never be opened by anybody: such a key can do nothing else, and
// is made for it.
func TestKeysForImportingDoNothingElse(t *testing.T) {
	w, c := demo(t)
	ops := func(ops ...string) vault.Change { return vault.Change{KeyOps: ops} }
	must(w.CreateKey(ctx, c, "kek", rsaSpec, ops("import")))(t)
	must(w.CreateKey(ctx, c, "plain", rsaSpec, ops("decrypt")))(t)
	for name, err := range map[string]error{
		"made with decrypt": second(w.CreateKey(ctx, c, "x", rsaSpec, ops("import", "decrypt"))),
		"made on a curve":   second(w.CreateKey(ctx, c, "x", ecSpec, ops("import"))),
		"widened":           second(w.UpdateKey(ctx, c, "kek", "", ops("import", "unwrapKey"))),
		"turned":            second(w.UpdateKey(ctx, c, "kek", "", ops("decrypt"))),
		"became one":        second(w.UpdateKey(ctx, c, "plain", "", ops("import"))),
	} {
		t.Run(name, func(t *testing.T) { refused(t, err, vault.Invalid, "BadParameter") })
	}
	refused(t, second(w.Decrypt(ctx, c, "kek", "", "RSA-OAEP",
		vault.Cipher{Value: make([]byte, 256)})), vault.Forbidden, "KeyOperationForbidden")
	must(w.UpdateKey(ctx, c, "kek", "", vault.Change{Tags: map[string]string{"still": "one"}}))(t)
}
