package vault

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// FuzzImportJWK: whatever a private JWK holds, it is refused with BadParameter, or it is a key that
// does what it should.
func FuzzImportJWK(f *testing.F) {
	for _, m := range testKeys() {
		j := privateJWK(m)
		f.Add(j.Kty, j.Crv, j.N, j.E, j.D, j.P, j.Q, j.DP, j.X, j.Y, j.K)
		f.Add(j.Kty, j.Crv, j.N, j.E, j.D, j.Q, j.P, []byte{}, j.Y, j.X, j.K[:len(j.K)/2])
	}
	f.Fuzz(func(t *testing.T, kty, crv string, n, e, d, p, q, dp, x, y, k []byte) {
		j := &JWK{Kty: kty, Crv: crv, N: n, E: e, D: d, P: p, Q: q, DP: dp, X: x, Y: y, K: k}
		if _, err := defaultOps(kty); err != nil {
			wantBadParameter(t, err)
			return
		}
		m, err := j.material(nil)
		if err != nil {
			wantBadParameter(t, err)
			return
		}
		consistent(t, m, kty)
	})
}

// privateJWK is what a client sends to import a key.
func privateJWK(m material) *JWK {
	switch k := m.(type) {
	case rsaKey:
		return &JWK{Kty: "RSA", N: k.N.Bytes(), E: []byte{1, 0, 1}, D: k.D.Bytes(),
			P: k.Primes[0].Bytes(), Q: k.Primes[1].Bytes(), DP: k.Precomputed.Dp.Bytes()}
	case octKey:
		return &JWK{Kty: "oct-HSM", K: k.key}
	case ecKey:
		public := must1(k.jwk("EC"))
		return &JWK{Kty: "EC", Crv: public.Crv, D: must1(k.Bytes()), X: public.X, Y: public.Y}
	default:
		public := must1(m.jwk("EC"))
		return &JWK{Kty: "EC", Crv: public.Crv, D: must1(m.encode()), X: public.X, Y: public.Y}
	}
}

// consistent wants a key from outside to come back from its record the same, and to undo what it
// does with every algorithm that takes it.
func consistent(t *testing.T, m material, kty string) {
	t.Helper()
	private, public, err := halves(m, kty)
	if err != nil {
		t.Fatalf("a %s key came in that can't be kept: %v", kty, err)
	}
	r := keyRecord{}.withPublic(public)
	k, err := openKey(must1(encodeRecord(&r, private)))
	if err != nil || !reflect.DeepEqual(k.record.public(), public) {
		t.Fatalf("a %s key came in that does not open again: %v", kty, err)
	}
	for i := range algorithms {
		a := &algorithms[i]
		if _, err := algorithmFor(a.name, a.ops[0], k); err == nil {
			a.undoes(t, k.material)
		}
	}
}

func (a *algorithm) undoes(t *testing.T, m material) {
	t.Helper()
	if a.ops[0] == opSign {
		digest := digestFor(a)
		if signature, err := a.sign(m, digest); err != nil || !a.verify(m, digest, signature) {
			t.Fatalf("%s: own signature does not verify (%v)", a.name, err)
		}
		return
	}
	in := Cipher{Value: bytes.Repeat([]byte{9}, 32)}
	if a.scheme == aesCBC || a.scheme == aesCBCPad {
		in.IV = make([]byte, 16)
	}
	out, err := a.encrypt(m, in)
	if err != nil {
		t.Fatalf("%s: %v", a.name, err)
	}
	if back, err := a.decrypt(m, out); err != nil || !bytes.Equal(back.Value, in.Value) {
		t.Fatalf("%s: what was encrypted does not decrypt (%v)", a.name, err)
	}
}

// FuzzTransferBlob: a wrapped key is refused with BadParameter, or it is one that does what it
// should. plain stands for what a blob holds that was made for the key, which a fuzzer can't.
func FuzzTransferBlob(f *testing.F) {
	key := rsaTestKey()
	for _, m := range testKeys() {
		plain, err := exported(m)
		if err != nil {
			continue
		}
		t := transferBlob{Schema: transferSchema,
			Ciphertext: strictBase64.EncodeToString(must1(transferTo(&key.PublicKey, sha1.New(), m)))}
		t.Header.KID, t.Header.Alg, t.Header.Enc = "https://demo.vault.example/keys/k", "dir",
			transferWrap
		f.Add(must1(json.Marshal(t)), privateJWK(m).Kty, []byte(plain))
	}
	f.Add([]byte(`{"schema_version":"1.0.0","header":{"kid":"","alg":"dir","enc":"CKM_RSA_AES_KEY_WRAP"},"ciphertext":"AA=="}`),
		"RSA", []byte{0x30})
	f.Fuzz(func(t *testing.T, blob []byte, kty string, plain []byte) {
		if _, err := defaultOps(kty); err != nil {
			return
		}
		for _, unwrap := range []func() ([]byte, error){
			func() ([]byte, error) { return fromBlob(key, blob) },
			func() ([]byte, error) { return bytes.Clone(plain), nil },
		} {
			m, err := (&JWK{Kty: kty}).material(unwrap)
			if err != nil {
				wantBadParameter(t, err)
				continue
			}
			consistent(t, m, kty)
		}
	})
}

func fromBlob(key *rsa.PrivateKey, blob []byte) ([]byte, error) {
	_, ciphertext, err := parseTransfer(blob)
	if err != nil {
		return nil, err
	}
	return openTransfer(key, ciphertext)
}

// FuzzReleasePolicy: a policy is refused, or it is one that not everybody satisfies.
func FuzzReleasePolicy(f *testing.F) {
	f.Add([]byte(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[{"claim":"x.y","equals":1},{"anyOf":[{"claim":"z","equals":[true,null]}]}]}]}`),
		[]byte(`{"x":{"y":1},"z":[true,null]}`))
	f.Add([]byte(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example/b","anyOf":[{"claim":"x","equals":{"a":1e3}}]}]}`),
		[]byte(`{"x":{"a":1e3}}`))
	f.Add([]byte(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[]}]}`),
		[]byte(`{}`))
	f.Fuzz(func(t *testing.T, policy, claims []byte) {
		rules, err := parsePolicy(policy)
		if err != nil {
			return
		}
		var all map[string]any
		d := json.NewDecoder(bytes.NewReader(claims))
		d.UseNumber()
		_ = d.Decode(&all)
		for i := range rules {
			if rules[i].satisfied(nil) {
				t.Errorf("%s is satisfied by no claims at all", policy)
			}
			if rules[i].Authority == "" {
				t.Errorf("%s names no authority", policy)
			}
			rules[i].satisfied(all)
		}
	})
}

// periodPattern is what a period looks like (ISO 8601-1 section 5.5.2.2, whole days or more).
var periodPattern = regexp.MustCompile(`\AP(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?\z`)

func FuzzPeriod(f *testing.F) {
	for _, s := range []string{"", "P", "P90D", "P18M", "P1Y6M", "P2W", "P1Y2M3W4D", "P0D", "P9999Y",
		"P10000D", "P007D", "PT1H", "P1D1Y", "P-1D", "p1d", "P1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePeriod("attributes.expiryTime", s)
		if err != nil {
			wantBadParameter(t, err)
		}
		want, ok := readPeriod(s)
		if (err == nil) != ok || ok && p != want {
			t.Fatalf("%q is %+v (%v), want %+v %v", s, p, err, want, ok)
		}
		if ok && (p.after(time.Unix(0, 0)).Before(time.Unix(0, 0)) ||
			p.before(time.Unix(0, 0)).After(time.Unix(0, 0))) {
			t.Fatalf("%q goes the wrong way", s)
		}
		r := rotationRecord{ExpiryTime: s,
			Actions: []LifetimeAction{{Type: actionRotate, AfterCreate: s}}}
		if r.valid() == nil &&
			r.due(storedAttributes{Created: 1_800_000_000}, time.Unix(1_800_000_000, 0)) {
			t.Fatalf("%q: a new version is due at once", s)
		}
	})
}

func readPeriod(s string) (p period, ok bool) {
	m := periodPattern.FindStringSubmatch(s)
	if m == nil || s == "P" {
		return p, s == ""
	}
	for i, unit := range []byte("YMWD") {
		n, err := strconv.Atoi("0" + m[i+1])
		if err != nil || n > maxPeriod {
			return period{}, false
		}
		p.add(unit, n)
	}
	return p, true
}
