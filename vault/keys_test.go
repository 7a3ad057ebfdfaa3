package vault_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyquorum/fsm"
	"keyquorum/vault"
)

var (
	rsaSpec = vault.KeySpec{Kty: "RSA"}
	ecSpec  = vault.KeySpec{Kty: "EC"}
	allOps  = []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}
	digest  = func() []byte { d := sha256.Sum256([]byte("what is signed")); return d[:] }()
)

// rsaOf and ecOf build the standard library's key from what the API gives, as a client does.
func rsaOf(p vault.PublicKey) *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBytes(p.N), E: int(new(big.Int).SetBytes(p.E).Int64())}
}

func ecOf(t testing.TB, p vault.PublicKey) *ecdsa.PublicKey {
	t.Helper()
	return must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(),
		slices.Concat([]byte{4}, p.X, p.Y)))(t)
}

func TestCreateAndGetKey(t *testing.T) {
	w, c := demo(t)
	made := must(w.CreateKey(ctx, c, "Signing-Key",
		vault.KeySpec{Kty: "EC-HSM", Size: 2048, Crv: "P-256"},
		vault.Change{Tags: map[string]string{"env": "prod"}, NotBefore: ptr(int64(5)),
			Expires: ptr(int64(9))}))(t)
	if made.Name != "Signing-Key" || len(made.Version) != 32 || made.Public.Kty != "EC-HSM" ||
		made.Public.Crv != "P-256" ||
		!slices.Equal(made.Ops, []string{"sign", "verify"}) || made.Tags["env"] != "prod" ||
		made.Deletion != nil {
		t.Errorf("made: %+v", made)
	}
	a := made.Attributes
	if !a.Enabled || *a.NotBefore != 5 || *a.Expires != 9 || a.Created != w.now.Unix() ||
		a.Updated != w.now.Unix() ||
		a.RecoverableDays != 90 || a.RecoveryLevel != "Recoverable+Purgeable" {
		t.Errorf("attributes: %+v", a)
	}
	for _, name := range []string{"Signing-Key", "signing-key", "SIGNING-KEY"} {
		for _, version := range []string{"", made.Version} {
			if got := must(w.GetKey(ctx, c, name, version))(t); !reflect.DeepEqual(got, made) {
				t.Errorf("%s/%s: %+v", name, version, got)
			}
		}
	}

	second := must(w.CreateKey(ctx, c, "signing-KEY", ecSpec, vault.Change{}))(t)
	if second.Name != "Signing-Key" || second.Version == made.Version ||
		bytes.Equal(second.Public.X, made.Public.X) {
		t.Errorf("second version: %+v", second)
	}
	if got := must(w.GetKey(ctx, c, "signing-key", ""))(t); got.Version != second.Version {
		t.Error("the latest version is not the newest")
	}
}

func TestCreateKeyDefaultsAndEchoes(t *testing.T) {
	w, c := demo(t)
	r := must(w.CreateKey(ctx, c, "r",
		vault.KeySpec{Kty: "RSA-HSM", Size: 2048, PublicExponent: 65537}, vault.Change{}))(t)
	if r.Public.Kty != "RSA-HSM" || len(r.Public.N) != 256 || !bytes.Equal(r.Public.E,
		[]byte{1, 0, 1}) || !slices.Equal(r.Ops, allOps) || r.Public.Crv != "" {
		t.Errorf("RSA-HSM: %+v", r)
	}
	ops := []string{"verify", "export", "sign"} // the order is the caller's
	e := must(w.CreateKey(ctx, c, "e", ecSpec, vault.Change{KeyOps: ops, Enabled: ptr(false)}))(t)
	if !slices.Equal(e.Ops, ops) || e.Attributes.Enabled || len(e.Public.X) != 32 ||
		len(e.Public.Y) != 32 {
		t.Errorf("EC: %+v", e)
	}
	if e = must(w.CreateKey(ctx, c, "e", ecSpec,
		vault.Change{KeyOps: []string{}}))(t); !slices.Equal(e.Ops, []string{"sign", "verify"}) {
		t.Errorf("empty key_ops gave %v", e.Ops)
	}
}

func TestCreateKeyRefusals(t *testing.T) {
	w, c := demo(t)
	tags := map[string]string{}
	for i := range 16 {
		tags[fmt.Sprint(i)] = ""
	}
	for name, row := range map[string]struct {
		spec vault.KeySpec
		ch   vault.Change
	}{
		"no kty":           {},
		"oct of 512 bits":  {spec: vault.KeySpec{Kty: "oct", Size: 512}},
		"1024 bits":        {spec: vault.KeySpec{Kty: "RSA", Size: 1024}},
		"exponent 3":       {spec: vault.KeySpec{Kty: "RSA", PublicExponent: 3}},
		"P-224":            {spec: vault.KeySpec{Kty: "EC", Crv: "P-224"}},
		"unknown op":       {ecSpec, vault.Change{KeyOps: []string{"sign", "derive"}}},
		"op twice":         {ecSpec, vault.Change{KeyOps: []string{"sign", "sign"}}},
		"op in wrong case": {ecSpec, vault.Change{KeyOps: []string{"wrapkey"}}},
		"exp before nbf":   {ecSpec, vault.Change{NotBefore: ptr(int64(2)), Expires: ptr(int64(1))}},
		"16 tags":          {ecSpec, vault.Change{Tags: tags}},
	} {
		_, err := w.CreateKey(ctx, c, "k", row.spec, row.ch)
		if refused(t, err, vault.Invalid, "BadParameter"); err.Error() == "" {
			t.Errorf("%s: no message", name)
		}
	}
	_, err := w.CreateKey(ctx, c, "under_score", ecSpec, vault.Change{})
	refused(t, err, vault.Invalid, "BadParameter")
	if paths := w.replica.paths("vault/"); slices.ContainsFunc(paths,
		func(p string) bool { return strings.Contains(p, "/key/") }) {
		t.Errorf("a refused creation left %v", paths)
	}
}

func TestUpdateKey(t *testing.T) {
	w, c := demo(t)
	first := must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{Tags: map[string]string{"a": "1"}}))(t)
	second := must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	w.now = w.now.Add(time.Minute)

	got := must(w.UpdateKey(ctx, c, "K", first.Version,
		vault.Change{Enabled: ptr(false), KeyOps: []string{"verify"}}))(t)
	want := first
	want.Attributes.Enabled, want.Attributes.Updated, want.Ops = false, w.now.Unix(),
		[]string{"verify"}
	if !reflect.DeepEqual(got, want) ||
		!reflect.DeepEqual(must(w.GetKey(ctx, c, "k", first.Version))(t), want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := must(w.GetKey(ctx, c, "k", ""))(t); !reflect.DeepEqual(got, second) {
		t.Error("updating one version changed the other")
	}
	got = must(w.UpdateKey(ctx, c, "k", "",
		vault.Change{Tags: map[string]string{}, KeyOps: []string{}}))(t)
	if got.Version != second.Version || len(got.Tags) != 0 || !slices.Equal(got.Ops, second.Ops) {
		t.Errorf("latest: %+v", got)
	}

	_, err := w.UpdateKey(ctx, c, "k", "", vault.Change{KeyOps: []string{"nonsense"}})
	refused(t, err, vault.Invalid, "BadParameter")
	_, err = w.UpdateKey(ctx, c, "nothing", "", vault.Change{})
	refused(t, err, vault.NotFound, "KeyNotFound")
	_, err = w.UpdateKey(ctx, c, "k", strings.Repeat("0", 32), vault.Change{})
	refused(t, err, vault.NotFound, "KeyNotFound")
}

func TestKeyLife(t *testing.T) {
	w, c := demo(t)
	made := must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{Tags: map[string]string{"a": "b"}}))(t)
	signature := must(w.Sign(ctx, c, "k", "", "ES256", digest))(t)
	w.now = w.now.Add(time.Hour)

	gone := must(w.DeleteKey(ctx, c, "K"))(t)
	if d := gone.Deletion; d == nil || d.Deleted != w.now.Unix() || d.Purge != w.now.Unix()+90*86400 ||
		gone.Version != made.Version {
		t.Errorf("deleted: %+v", gone)
	}
	if got := must(w.GetDeletedKey(ctx, c, "k"))(t); !reflect.DeepEqual(got, gone) {
		t.Errorf("the deleted key is %+v, its deletion said %+v", got, gone)
	}
	for name, err := range map[string]error{
		"get":           second(w.GetKey(ctx, c, "k", "")),
		"sign":          second(w.Sign(ctx, c, "k", "", "ES256", digest)),
		"sign, version": second(w.Sign(ctx, c, "k", made.Version, "ES256", digest)),
		"verify":        second(w.Verify(ctx, c, "k", "", "ES256", digest, signature.Value)),
		"delete again":  second(w.DeleteKey(ctx, c, "k")),
	} {
		t.Run(name, func(t *testing.T) { refused(t, err, vault.NotFound, "KeyNotFound") })
	}
	_, err := w.CreateKey(ctx, c, "k", ecSpec, vault.Change{})
	refused(t, err, vault.Conflict, "ObjectIsDeletedButRecoverable")

	if back := must(w.RecoverKey(ctx, c, "k"))(t); !reflect.DeepEqual(back, made) {
		t.Errorf("recovered %+v, made %+v", back, made)
	}
	if !must(w.Verify(ctx, c, "k", "", "ES256", digest, signature.Value))(t) {
		t.Error("the recovered key does not verify its own signature")
	}
	must(w.DeleteKey(ctx, c, "k"))(t)
	if err := w.PurgeKey(ctx, c, "k"); err != nil {
		t.Fatal(err)
	}
	_, err = w.GetDeletedKey(ctx, c, "k")
	refused(t, err, vault.NotFound, "KeyNotFound")
	again := must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	if bytes.Equal(again.Public.X, made.Public.X) {
		t.Error("a purged key came back")
	}
	if must(w.Verify(ctx, c, "k", "", "ES256", digest, signature.Value))(t) {
		t.Error("the new key answers for the purged one's signature")
	}
}

func second[T any](_ T, err error) error { return err }

func TestADisabledDeletedKeyCanBeRead(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{Enabled: ptr(false)}))(t)
	must(w.DeleteKey(ctx, c, "k"))(t)
	must(w.GetDeletedKey(ctx, c, "k"))(t)
}

func TestKeyListsHoldNoMaterial(t *testing.T) {
	w, c := demo(t)
	versions := map[string]bool{}
	for range 3 {
		versions[must(w.CreateKey(ctx, c, "a", ecSpec,
			vault.Change{Tags: map[string]string{"t": "1"}}))(t).Version] = true
	}
	must(w.CreateKey(ctx, c, "b", ecSpec, vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "gone", ecSpec, vault.Change{}))(t)
	must(w.DeleteKey(ctx, c, "gone"))(t)

	live := must(w.ListKeys(ctx, c, vault.PageRequest{Max: 25}))(t)
	of := must(w.ListKeyVersions(ctx, c, "A", vault.PageRequest{Max: 25}))(t)
	deleted := must(w.ListDeletedKeys(ctx, c, vault.PageRequest{Max: 25}))(t)
	if got := sorted(live.Items, nameOf); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("live: %v", got)
	}
	if got := sorted(deleted.Items, nameOf); !slices.Equal(got, []string{"gone"}) ||
		deleted.Items[0].Deletion == nil {
		t.Errorf("deleted: %v", got)
	}
	for _, k := range of.Items {
		delete(versions, k.Version)
	}
	if len(of.Items) != 3 || len(versions) != 0 || of.Items[0].Tags["t"] != "1" {
		t.Errorf("versions: %+v", of.Items)
	}
	for _, k := range slices.Concat(live.Items, of.Items, deleted.Items) {
		if !reflect.DeepEqual(k.Public, vault.PublicKey{}) || k.Ops != nil || !k.Attributes.Enabled {
			t.Errorf("an item: %+v", k)
		}
	}
	if none := must(w.ListKeyVersions(ctx, c, "unknown",
		vault.PageRequest{Max: 25}))(t); len(none.Items) != 0 {
		t.Errorf("versions of nothing: %v", none)
	}
}

func nameOf(k vault.Key) string { return k.Name }

// The client's half is the standard library's; only the public key crosses.
func TestKeyOperationsAgreeWithTheStandardLibrary(t *testing.T) {
	w, c := demo(t)
	r := must(w.CreateKey(ctx, c, "R", rsaSpec, vault.Change{}))(t)
	e := must(w.CreateKey(ctx, c, "E", ecSpec, vault.Change{}))(t)
	rsaKey, ecKey := rsaOf(r.Public), ecOf(t, e.Public)

	for alg, valid := range map[string]func(signature []byte) bool{
		"RS256": func(s []byte) bool {
			return rsa.VerifyPKCS1v15(rsaKey, crypto.SHA256, digest,
				s) == nil
		},
		"PS256": func(s []byte) bool {
			return rsa.VerifyPSS(rsaKey, crypto.SHA256, digest, s, &rsa.PSSOptions{SaltLength: 32}) == nil
		},
		"ES256": func(s []byte) bool {
			return len(s) == 64 &&
				ecdsa.Verify(ecKey, digest, new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:]))
		},
	} {
		key := r
		if alg == "ES256" {
			key = e
		}
		got := must(w.Sign(ctx, c, strings.ToLower(key.Name), "", alg, digest))(t)
		if got.Name != key.Name || got.Version != key.Version || !valid(got.Value) {
			t.Errorf("%s: %+v", alg, got)
		}
		if !must(w.Verify(ctx, c, key.Name, key.Version, alg, digest, got.Value))(t) {
			t.Errorf("%s: refused by the vault", alg)
		}
		got.Value[7] ^= 1
		for _, wrong := range [][]byte{got.Value, got.Value[1:], {}} {
			if must(w.Verify(ctx, c, key.Name, "", alg, digest, wrong))(t) {
				t.Errorf("%s: a wrong signature of %d bytes verifies", alg, len(wrong))
			}
		}
	}

	plain := []byte("thirty-two bytes of a data key..")
	for name, op := range map[string][2]func(context.Context, vault.Caller, string, string, string,
		vault.Cipher) (vault.CryptoResult, error){
		"encrypt": {w.Encrypt, w.Decrypt}, "wrapKey": {w.WrapKey, w.UnwrapKey},
	} {
		for _, alg := range []string{"RSA-OAEP", "RSA-OAEP-256"} {
			sealed := must(op[0](ctx, c, "r", "", alg, vault.Cipher{Value: plain}))(t)
			opened := must(op[1](ctx, c, "r", sealed.Version, alg, sealed.Cipher))(t)
			if !bytes.Equal(opened.Value, plain) || sealed.Version != r.Version || opened.Name != "R" {
				t.Errorf("%s %s: %q", name, alg, opened.Value)
			}
			h := sha1.New()
			if alg == "RSA-OAEP-256" {
				h = sha256.New()
			}
			theirs := must(rsa.EncryptOAEP(h, rand.Reader, rsaKey, plain, nil))(t)
			if opened := must(op[1](ctx, c, "r", "", alg,
				vault.Cipher{Value: theirs}))(t); !bytes.Equal(opened.Value, plain) {
				t.Errorf("%s %s: the client's ciphertext opened to %q", name, alg, opened.Value)
			}
			sealed.Value[0] ^= 1
			_, err := op[1](ctx, c, "r", "", alg, sealed.Cipher)
			refused(t, err, vault.Invalid, "BadParameter")
		}
	}
}

func TestKeyOperationRefusals(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "r", rsaSpec, vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "e", ecSpec, vault.Change{}))(t)
	for name, err := range map[string]error{
		"EC key, RSA algorithm": second(w.Sign(ctx, c, "e", "", "RS256", digest)),
		"RSA key, EC algorithm": second(w.Sign(ctx, c, "r", "", "ES256", digest)),
		"verify likewise":       second(w.Verify(ctx, c, "r", "", "ES256", digest, nil)),
		"sign with OAEP":        second(w.Sign(ctx, c, "r", "", "RSA-OAEP", digest)),
		"encrypt with RS256": second(w.Encrypt(ctx, c, "r", "", "RS256",
			vault.Cipher{Value: digest})),
		"no algorithm":      second(w.Sign(ctx, c, "r", "", "", digest)),
		"unknown algorithm": second(w.Sign(ctx, c, "r", "", "RSNULL", digest)),
		"short digest":      second(w.Sign(ctx, c, "r", "", "RS256", digest[1:])),
		"no digest":         second(w.Sign(ctx, c, "e", "", "ES256", nil)),
		"long digest": second(w.Verify(ctx, c, "e", "", "ES256", make([]byte, 33),
			make([]byte, 64))),
		"plaintext too long": second(w.Encrypt(ctx, c, "r", "", "RSA-OAEP-256",
			vault.Cipher{Value: make([]byte, 191)})),
		"key too long": second(w.WrapKey(ctx, c, "r", "", "RSA-OAEP",
			vault.Cipher{Value: make([]byte, 215)})),
		"ciphertext of wrong size": second(w.UnwrapKey(ctx, c, "r", "", "RSA-OAEP",
			vault.Cipher{Value: make([]byte, 255)})),
		"malformed version": second(w.Sign(ctx, c, "r", "latest", "RS256", digest)),
	} {
		t.Run(name, func(t *testing.T) { refused(t, err, vault.Invalid, "BadParameter") })
	}
	_, err := w.Sign(ctx, c, "e", "", "RS256", digest)
	if err.Error() != "Key and signing algorithm combination is not supported." {
		t.Errorf("said %q", err)
	}
	_, err = w.Sign(ctx, c, "r", strings.Repeat("a", 32), "RS256", digest)
	refused(t, err, vault.NotFound, "KeyNotFound")
}

// State is asked before the meaning of the body, and an explicit old version by its own attributes.
func TestKeyStateThroughTheVerbs(t *testing.T) {
	w, c := demo(t)
	old := must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{Expires: ptr(w.now.Unix() + 60)}))(t)
	signature := must(w.Sign(ctx, c, "k", "", "ES256", digest))(t).Value
	must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{KeyOps: []string{"verify"}}))(t)
	_, err := w.Sign(ctx, c, "k", "", "ES256", digest)
	refused(t, err, vault.Forbidden, "KeyOperationForbidden")
	must(w.Sign(ctx, c, "k", old.Version, "ES256", digest))(t)

	w.now = w.now.Add(time.Minute)
	_, err = w.Sign(ctx, c, "k", old.Version, "ES256", digest)
	refused(t, err, vault.Forbidden, "KeyExpired")
	if !must(w.Verify(ctx, c, "k", old.Version, "ES256", digest, signature))(t) {
		t.Error("an expired key no longer verifies what it signed")
	}
	must(w.UpdateKey(ctx, c, "k", old.Version,
		vault.Change{Enabled: ptr(false)}))(t) // the parsed key is cached by now
	_, err = w.Verify(ctx, c, "k", old.Version, "ES256", digest, signature)
	refused(t, err, vault.Forbidden, "KeyDisabled")
	_, err = w.Sign(ctx, c, "k", old.Version, "no such algorithm", nil)
	refused(t, err, vault.Forbidden, "KeyDisabled")
	must(w.GetKey(ctx, c, "k", old.Version))(t)
}

// Each verb asks for its own permission, and for it alone; a refusal doesn't say whether the key
// exists.
func TestKeyPermissions(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "k", rsaSpec, vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "deleted", ecSpec, vault.Change{}))(t)
	must(w.DeleteKey(ctx, c, "deleted"))(t)
	sealed := must(w.Encrypt(ctx, c, "k", "", "RSA-OAEP", vault.Cipher{Value: digest}))(t).Value
	page := vault.PageRequest{Max: 1}
	verbs := []struct {
		permission, operation string
		call                  func(c vault.Caller, name string) error
	}{
		{"get", "keys/get", func(c vault.Caller,
			n string) error {
			return second(w.GetKey(ctx, c, n, ""))
		}},
		{"get", "keys/getdeleted",
			func(c vault.Caller, n string) error { return second(w.GetDeletedKey(ctx, c, "deleted")) }},
		{"list", "keys/list",
			func(c vault.Caller, n string) error { return second(w.ListKeys(ctx, c, page)) }},
		{"list", "keys/versions",
			func(c vault.Caller, n string) error { return second(w.ListKeyVersions(ctx, c, n, page)) }},
		{"list", "keys/listdeleted",
			func(c vault.Caller, n string) error { return second(w.ListDeletedKeys(ctx, c, page)) }},
		{"update", "keys/update", func(c vault.Caller,
			n string) error {
			return second(w.UpdateKey(ctx, c, n, "", vault.Change{}))
		}},
		{"sign", "keys/sign", func(c vault.Caller,
			n string) error {
			return second(w.Sign(ctx, c, n, "", "RS256", digest))
		}},
		{"verify", "keys/verify", func(c vault.Caller, n string) error {
			return second(w.Verify(ctx, c, n, "", "RS256", digest, []byte{}))
		}},
		{"encrypt", "keys/encrypt", func(c vault.Caller, n string) error {
			return second(w.Encrypt(ctx, c, n, "", "RSA-OAEP", vault.Cipher{Value: digest}))
		}},
		{"decrypt", "keys/decrypt", func(c vault.Caller, n string) error {
			return second(w.Decrypt(ctx, c, n, "", "RSA-OAEP", vault.Cipher{Value: sealed}))
		}},
		{"wrapKey", "keys/wrapKey", func(c vault.Caller, n string) error {
			return second(w.WrapKey(ctx, c, n, "", "RSA-OAEP", vault.Cipher{Value: digest}))
		}},
		{"unwrapKey", "keys/unwrapKey", func(c vault.Caller, n string) error {
			return second(w.UnwrapKey(ctx, c, n, "", "RSA-OAEP", vault.Cipher{Value: sealed}))
		}},
		{"create", "keys/create", func(c vault.Caller, n string) error {
			return second(w.CreateKey(ctx, c, "new", ecSpec, vault.Change{}))
		}},
		{"recover", "keys/recover",
			func(c vault.Caller, n string) error { return second(w.RecoverKey(ctx, c, "deleted")) }},
		{"delete", "keys/delete",
			func(c vault.Caller, n string) error { return second(w.DeleteKey(ctx, c, "deleted")) }},
		{"purge", "keys/purge",
			func(c vault.Caller, n string) error { return w.PurgeKey(ctx, c, "deleted") }},
	}
	every := []string{"get", "list", "update", "create", "import", "delete", "backup", "restore",
		"recover", "purge", "encrypt", "decrypt",
		"unwrapKey", "wrapKey", "verify", "sign", "release", "rotate", "getrotationpolicy",
		"setrotationpolicy"}
	a := w.app("limited")
	for _, v := range verbs {
		others := slices.DeleteFunc(slices.Clone(every), func(p string) bool { return p == v.permission })
		w.grant("demo", "limited", others, []string{"all"})
		limited := w.caller(a, "demo")
		for _, name := range []string{"k", "nothing"} {
			refused(t, v.call(limited, name), vault.Forbidden, "ForbiddenByPolicy")
			if u := w.usage.last(t); u.Operation != v.operation || u.Status != 403 ||
				u.Code != "ForbiddenByPolicy" {
				t.Errorf("%s: recorded %+v", v.operation, u)
			}
		}
		w.grant("demo", "limited", []string{v.permission}, nil)
		if err := v.call(w.caller(a, "demo"), "k"); err != nil {
			t.Errorf("%s with %q alone: %v", v.operation, v.permission, err)
		}
	}
}

func TestUseOfAKeyIsRecordedWithItsVersion(t *testing.T) {
	w, c := demo(t)
	k := must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	if u := w.usage.last(t); u.Operation != "keys/create" || u.Object != "k" ||
		u.Version != k.Version || u.Status != 200 {
		t.Errorf("create: %+v", u)
	}
	must(w.Sign(ctx, c, "K", "", "ES256", digest))(t)
	if u := w.usage.last(t); u.Operation != "keys/sign" || u.Version != k.Version || u.Status != 200 ||
		u.Vault != "demo" || u.OID != c.Identity.OID {
		t.Errorf("sign: %+v", u)
	}
	w.usage.failWith(context.DeadlineExceeded)
	got, err := w.Sign(ctx, c, "k", "", "ES256", digest)
	refused(t, err, vault.Internal, "UsageRecordFailed")
	if got.Value != nil {
		t.Error("a signature was answered without a usage record")
	}
	good, err := w.Verify(ctx, c, "k", "", "ES256", digest, got.Value)
	if refused(t, err, vault.Internal, "UsageRecordFailed"); good {
		t.Error("a verification was answered without a usage record")
	}
}

// Finding a key is dear: a conflict must not make the node look for another.
func TestAConflictKeepsTheGeneratedKey(t *testing.T) {
	w, c := demo(t)
	w.before(func() { must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t) })
	var proposed [][]byte // ends of the private keys: the primes' coefficients
	w.replica.refuse = func(txn fsm.Txn) error {
		for _, write := range txn.Writes {
			if record := must(w.keyring.Open(nil, write.Path, write.Logical,
				write.Value))(t); len(record) > 1200 {
				proposed = append(proposed, record[len(record)-100:])
			}
		}
		return nil
	}
	made := must(w.CreateKey(ctx, c, "k", rsaSpec, vault.Change{}))(t)
	if len(proposed) != 2 || !bytes.Equal(proposed[0], proposed[1]) {
		t.Errorf("%d proposals, want two of the same key", len(proposed))
	}
	if versions := must(w.ListKeyVersions(ctx, c, "k",
		vault.PageRequest{Max: 25}))(t); len(versions.Items) != 2 {
		t.Errorf("%d versions", len(versions.Items))
	}
	got := must(w.Sign(ctx, c, "k", "", "RS256", digest))(t)
	if got.Version != made.Version ||
		rsa.VerifyPKCS1v15(rsaOf(made.Public), crypto.SHA256, digest, got.Value) != nil {
		t.Error("the key that was answered is not the key that was stored")
	}
}

// A record of one key put in the place of another does not open (I8).
func TestAMovedKeyRecordIsRefused(t *testing.T) {
	w, c := demo(t)
	a := must(w.CreateKey(ctx, c, "a", ecSpec, vault.Change{}))(t)
	b := must(w.CreateKey(ctx, c, "b", ecSpec, vault.Change{}))(t)
	var from, to string
	for _, path := range w.replica.paths("vault/") {
		switch {
		case strings.HasSuffix(path, "/key/a/version/"+a.Version):
			from = path
		case strings.HasSuffix(path, "/key/b/version/"+b.Version):
			to = path
		}
	}
	record, _ := w.replica.View().Get(from)
	w.replica.alter(to, func(fsm.Record) []byte { return record.Value })
	_, err := w.Sign(ctx, c, "b", "", "ES256", digest)
	refused(t, err, vault.Internal, "RecordDamaged")
	must(w.Sign(ctx, c, "a", "", "ES256", digest))(t)
}

func TestClosedVaultSignsNothing(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	must(w.Sign(ctx, c, "k", "", "ES256", digest))(t)
	w.Close()
	_, err := w.Sign(ctx, c, "k", "", "ES256", digest)
	refused(t, err, vault.Unavailable, "Sealed")
}

// Signatures go on while versions, attributes and the cache change under them: each is by the
// version it names.
func TestKeyUseWhileTheKeyChanges(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	results := make(chan vault.CryptoResult, 400)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range cap(results) / 4 {
				r, err := w.Sign(ctx, c, "k", "", "ES256", digest)
				if err != nil {
					t.Error(err)
				}
				results <- r
			}
		})
	}
	for i := range 20 {
		k := must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
		must(w.UpdateKey(ctx, c, "k", k.Version,
			vault.Change{Tags: map[string]string{"i": fmt.Sprint(i)}}))(t)
	}
	wg.Wait()
	close(results)
	for r := range results {
		key := ecOf(t, must(w.GetKey(ctx, c, "k", r.Version))(t).Public)
		if len(r.Value) != 64 || !ecdsa.Verify(key, digest, new(big.Int).SetBytes(r.Value[:32]),
			new(big.Int).SetBytes(r.Value[32:])) {
			t.Fatalf("a signature is not by version %s", r.Version)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	w, c := demo(b)
	must(w.CreateKey(ctx, c, "r", rsaSpec, vault.Change{}))(b)
	must(w.CreateKey(ctx, c, "e", ecSpec, vault.Change{}))(b)
	for _, alg := range []string{"ES256", "RS256"} {
		name := map[string]string{"ES256": "e", "RS256": "r"}[alg]
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Sign(ctx, c, name, "", alg, digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("GetKey", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.GetKey(ctx, c, "e", ""); err != nil {
				b.Fatal(err)
			}
		}
	})
}
