package vault

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/seal"
)

func recordOf(t *testing.T, spec KeySpec) (*keyRecord, seal.Plaintext) {
	t.Helper()
	shape, err := shapeFor(spec)
	if err != nil {
		t.Fatal(err)
	}
	private, public, err := shape.generate(spec.Kty)
	if err != nil {
		t.Fatal(err)
	}
	r := keyRecord{Attributes: storedAttributes{Enabled: true, Created: 1, Updated: 2}, Ops: shape.ops,
		Tags: map[string]string{"a": "b"}}.withPublic(public)
	record, err := encodeRecord(&r, private)
	if err != nil {
		t.Fatal(err)
	}
	return &r, record
}

func TestWhichKeysCanBeMade(t *testing.T) {
	for _, row := range []struct {
		spec KeySpec
		bits int    // of the RSA row that answers
		crv  string // of the EC row that answers
	}{
		{KeySpec{Kty: "RSA"}, 2048, ""},
		{KeySpec{Kty: "RSA", Size: 2048, PublicExponent: 65537}, 2048, ""},
		{KeySpec{Kty: "RSA-HSM", Size: 3072}, 3072, ""},
		{KeySpec{Kty: "RSA", Size: 4096, Crv: "P-256"}, 4096, ""},
		{KeySpec{Kty: "EC"}, 0, "P-256"},
		{KeySpec{Kty: "EC-HSM", Crv: "P-256"}, 0, "P-256"},
		{KeySpec{Kty: "EC", Size: 2048}, 0, "P-256"}, // sigstore sends this
		{KeySpec{}, 0, ""},
		{KeySpec{Kty: "rsa"}, 0, ""},
		{KeySpec{Kty: "-HSM"}, 0, ""},
		{KeySpec{Kty: "RSA-HSM-HSM"}, 0, ""},
		{KeySpec{Kty: "oct"}, 256, ""},
		{KeySpec{Kty: "oct-HSM", Size: 128}, 128, ""},
		{KeySpec{Kty: "oct", Size: 192}, 192, ""},
		{KeySpec{Kty: "oct", Size: 512}, 0, ""},
		{KeySpec{Kty: "RSA", Size: 1024}, 0, ""},
		{KeySpec{Kty: "RSA", Size: 2049}, 0, ""},
		{KeySpec{Kty: "RSA", Size: -1}, 0, ""},
		{KeySpec{Kty: "RSA", Size: 8192}, 0, ""},
		{KeySpec{Kty: "RSA", PublicExponent: 3}, 0, ""},
		{KeySpec{Kty: "EC", Crv: "P-384"}, 0, "P-384"},
		{KeySpec{Kty: "EC-HSM", Crv: "P-521"}, 0, "P-521"},
		{KeySpec{Kty: "EC", Crv: "P-256K"}, 0, "P-256K"},
		{KeySpec{Kty: "EC", Crv: "p-256"}, 0, ""},
		{KeySpec{Kty: "EC", Crv: "secp256k1"}, 0, ""},
	} {
		shape, err := shapeFor(row.spec)
		if row.bits == 0 && row.crv == "" {
			wantBadParameter(t, err)
			continue
		}
		if err != nil || shape.bits != row.bits || shape.crv != row.crv {
			t.Errorf("%+v: %+v, %v", row.spec, shape, err)
		}
	}
}

// Every row: what is stored opens to a key that is its public half's, of the size that was asked
// for.
func TestMadeKeysOpenFromTheirRecords(t *testing.T) {
	for _, spec := range []KeySpec{{Kty: "RSA"}, {Kty: "RSA-HSM", Size: 3072},
		{Kty: "RSA", Size: 4096}, {Kty: "EC"}, {Kty: "EC-HSM", Crv: "P-256"},
		{Kty: "EC", Crv: "P-384"}, {Kty: "EC", Crv: "P-521"}, {Kty: "EC", Crv: "P-256K"}, {Kty: "oct"},
		{Kty: "oct-HSM", Size: 128}, {Kty: "oct", Size: 192}} {
		r, record := recordOf(t, spec)
		k, err := openKey(record)
		if err != nil {
			t.Fatalf("%+v: %v", spec, err)
		}
		if p := r.public(); p.Kty != spec.Kty || !reflect.DeepEqual(p, k.record.public()) {
			t.Errorf("%+v: public half %+v", spec, p)
		}
		switch key := k.material.(type) {
		case rsaKey:
			if size := max(spec.Size, 2048); key.N.BitLen() != size || len(r.N) != size/8 ||
				new(big.Int).SetBytes(r.E).Int64() != 65537 {
				t.Errorf("%+v: %d bits", spec, key.N.BitLen())
			}
		case octKey:
			if key.bits() != cmp.Or(spec.Size, 256) || r.X != nil || r.N != nil {
				t.Errorf("%+v: %d bits, %+v", spec, key.bits(), r)
			}
		default:
			if size := (key.bits() + 7) / 8; len(r.X) != size || len(r.Y) != size ||
				r.Crv != cmp.Or(spec.Crv, "P-256") {
				t.Errorf("%+v: x of %d bytes, y of %d, %s", spec, len(r.X), len(r.Y), r.Crv)
			}
		}
	}
}

// Coordinates begin with a zero byte once in 256 keys each; they must keep it.
func TestCoordinatesArePaddedToTheField(t *testing.T) {
	shape, err := shapeFor(KeySpec{Kty: "EC"})
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		_, public, err := shape.generate("EC")
		if err != nil || len(public.X) != 32 || len(public.Y) != 32 {
			t.Fatalf("x of %d bytes, y of %d, %v", len(public.X), len(public.Y), err)
		}
		if public.X[0] == 0 {
			return
		}
	}
	t.Error("5000 keys without a leading zero in x")
}

func TestDamagedKeyRecordsDoNotOpen(t *testing.T) {
	r, record := recordOf(t, KeySpec{Kty: "EC"})
	other, otherRecord := recordOf(t, KeySpec{Kty: "EC"})
	_, otherPrivate, err := decodeRecord[keyRecord](otherRecord)
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := encodeRecord(r, otherPrivate) // another key's private half beside this public half
	if err != nil {
		t.Fatal(err)
	}
	renamed := *other
	renamed.Kty = "RSA"
	swapped, err := encodeRecord(&renamed, otherPrivate[:len(otherPrivate)-1])
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]seal.Plaintext{"empty": nil, "cut": record[:len(record)-1],
		"head only":              record[:40],
		"another's private half": mixed, "wrong type and cut": swapped,
		"longer": append(record[:len(record):len(record)], 0)} {
		if _, err := openKey(bad); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// The bound of the cache is only as good as this account: a parsed key must not take more than it
// says. What other tests left behind may be collected in the middle of a measurement, so the median
// of several counts.
func TestOpenedSizeIsNotLessThanWhatAKeyTakes(t *testing.T) {
	for _, spec := range []KeySpec{{Kty: "EC"}, {Kty: "EC", Crv: "P-521"}, {Kty: "EC", Crv: "P-256K"},
		{Kty: "oct"}, {Kty: "RSA"}, {Kty: "RSA", Size: 4096}} {
		_, record := recordOf(t, spec)
		var said int64
		var each [5]int64
		for i := range each {
			each[i], said = takenByOpenKeys(t, record)
		}
		slices.Sort(each[:])
		if median := each[len(each)/2]; median > said || said > 4*median+4096 {
			t.Errorf("%+v takes %d bytes (of %v), %d are counted", spec, median, each, said)
		}
	}
}

// takenByOpenKeys opens a record many times over and says what one key takes, and what it counts
// for.
func takenByOpenKeys(t *testing.T, record seal.Plaintext) (each, said int64) {
	t.Helper()
	keep := make([]*openedKey, 64)
	before := inUse()
	for i := range keep {
		k, err := openKey(record)
		if err != nil {
			t.Fatal(err)
		}
		keep[i] = k
	}
	each = (inUse() - before) / int64(len(keep))
	said = keep[0].size
	runtime.KeepAlive(keep)
	return each, said
}

// inUse is what objects take. What was made inside seal.Do and dropped goes with the second
// collection.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What Azure allows in which state.
func TestStateRules(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	at := func(seconds int64) *int64 { s := now.Unix() + seconds; return &s }
	uses := []use{useSign, useVerify, useEncrypt, useDecrypt, useWrap, useUnwrap}
	const making, undoing = "sign encrypt wrapKey", "verify decrypt unwrapKey"
	for _, row := range []struct {
		name            string
		a               storedAttributes
		ops             []string
		making, undoing string // inner codes; "" is allowed
	}{
		{"no times", storedAttributes{Enabled: true}, rsaOps, "", ""},
		{"in window", storedAttributes{Enabled: true, NotBefore: at(-10), Expires: at(10)}, rsaOps, "",
			""},
		{"at nbf", storedAttributes{Enabled: true, NotBefore: at(0)}, rsaOps, "", ""},
		{"before nbf", storedAttributes{Enabled: true, NotBefore: at(1)}, rsaOps, "KeyNotYetValid", ""},
		{"a second before exp", storedAttributes{Enabled: true, Expires: at(1)}, rsaOps, "", ""},
		{"at exp", storedAttributes{Enabled: true, Expires: at(0)}, rsaOps, "KeyExpired", ""},
		{"after exp", storedAttributes{Enabled: true, NotBefore: at(-9), Expires: at(-5)}, rsaOps,
			"KeyExpired", ""},
		{"negative exp of the JS SDK", storedAttributes{Enabled: true, Expires: at(-4_000_000_000)},
			rsaOps, "KeyExpired", ""},
		{"disabled", storedAttributes{}, rsaOps, "KeyDisabled", "KeyDisabled"},
		{"disabled and expired", storedAttributes{Expires: at(-1)}, rsaOps, "KeyDisabled", "KeyDisabled"},
		{"no ops", storedAttributes{Enabled: true}, []string{"import"}, "KeyOperationForbidden",
			"KeyOperationForbidden"},
		{"no ops and expired", storedAttributes{Enabled: true, Expires: at(-1)}, nil, "KeyExpired",
			"KeyOperationForbidden"},
	} {
		for _, u := range uses {
			want := row.undoing
			if slices.Contains(strings.Fields(making), string(u.op)) {
				want = row.making
			} else if !slices.Contains(strings.Fields(undoing), string(u.op)) {
				t.Fatalf("no column for %s", u.op)
			}
			err := u.allowed(&keyRecord{Attributes: row.a, Ops: row.ops}, now)
			var e *Error
			if errors.As(err, &e); (want == "") != (err == nil) || err != nil &&
				(e.Inner != want || e.Kind != Forbidden || e.Code != "Forbidden") {
				t.Errorf("%s, %s: %#v, want %q", row.name, u.op, err, want)
			}
		}
	}
}

func TestEachOperationNeedsItsOwnKeyOp(t *testing.T) {
	for _, u := range []use{useSign, useVerify, useEncrypt, useDecrypt, useWrap, useUnwrap} {
		for _, op := range knownOps {
			err := u.allowed(&keyRecord{Attributes: storedAttributes{Enabled: true},
				Ops: []string{string(op)}}, time.Unix(1, 0))
			if (err == nil) != (op == u.op) {
				t.Errorf("%s with key_ops [%s]: %v", u.op, op, err)
			}
		}
	}
}

// What erasing costs: the standard library's signature bare, and as it is made here (withPrivate).
func BenchmarkSignBareAndErased(b *testing.B) {
	digest := make([]byte, 32)
	es256, rs256 := row(b, "ES256"), row(b, "RS256")
	ec, rsaPrivate := es256.keyFor().(ecKey), rsaTestKey()
	for name, sign := range map[string]func() ([]byte, error){
		"ES256/bare": func() ([]byte,
			error) {
			return ecdsa.SignASN1(rand.Reader, ec.PrivateKey, digest)
		},
		"ES256/erased": func() ([]byte, error) { return es256.sign(ec, digest) },
		"RS256/bare": func() ([]byte,
			error) {
			return rsa.SignPKCS1v15(rand.Reader, rsaPrivate, crypto.SHA256, digest)
		},
		"RS256/erased": func() ([]byte, error) { return rs256.sign(rsaKey{rsaPrivate}, digest) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sign(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
