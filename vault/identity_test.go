package vault_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyquorum/seal"
	"keyquorum/vault"
)

func TestAccessToken(t *testing.T) {
	w, _ := demo(t)
	a := app{App: must(w.GetApp(ctx, w.root, "web"))(t), secret: mustSecret(t, w)}
	token := w.signIn(a)
	if e := w.usage.last(t); e.Operation != "token/issue" || e.Status != 200 ||
		e.AppID != a.ClientID || e.OID != a.OID {
		t.Errorf("recorded %+v", e)
	}

	// Whoever reads the JWKS can verify it, and finds what Azure's tokens have.
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(must(w.JWKS())(t), &keys); err != nil {
		t.Fatal(err)
	}
	signed := must(jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256}))(t)
	h := signed.Signatures[0].Protected
	if len(keys.Key(h.KeyID)) != 1 || !keys.Keys[0].IsPublic() || h.ExtraHeaders["typ"] != "JWT" {
		t.Fatalf("header %+v, keys %+v", h, keys)
	}
	var claims map[string]any
	if err := json.Unmarshal(must(signed.Verify(keys.Key(h.KeyID)[0]))(t), &claims); err != nil {
		t.Fatal(err)
	}
	now := float64(w.now.Unix())
	for name, want := range map[string]any{"aud": "https://" + zone + ":8200",
		"iss": "https://sts.keyquorum/c0ffee/", "iat": now, "nbf": now, "exp": now + 3600,
		"appid": a.ClientID, "azp": a.ClientID, "oid": a.OID, "sub": a.OID, "idtyp": "app", "ver": "1.0",
		"tid": "c0ffee"} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if claims["uti"] == "" || w.signIn(a) == token {
		t.Error("two tokens are one")
	}

	for _, z := range []string{zone, zone + ":443", strings.ToUpper(zone)} {
		id := must(w.node().Authenticate(ctx, []byte(token), z))(t)
		if id.OID != a.OID || id.AppID != a.ClientID || id.Expires.Unix() != w.now.Unix()+3600 {
			t.Errorf("%s: %+v", z, id)
		}
	}
	for _, z := range []string{"", "example", "x." + zone, "other.example", "https:"} {
		_, err := w.Authenticate(ctx, []byte(token), z)
		refused(t, err, vault.Unauthenticated, "Unauthorized")
	}
}

// Times are looked at each time, also of a token that is remembered; our own clocks may differ by a
// minute.
func TestAccessTokenTimes(t *testing.T) {
	w, _ := demo(t)
	token := []byte(w.signIn(app{App: must(w.GetApp(ctx, w.root, "web"))(t),
		secret: mustSecret(t, w)}))
	issued := w.now
	for _, row := range []struct {
		after time.Duration
		ok    bool
	}{{-61 * time.Second, false}, {-60 * time.Second, true}, {0, true}, {time.Hour, true},
		{time.Hour + 59*time.Second, true}, {time.Hour + time.Minute, false}, {time.Hour * 99, false},
		{0, true}} {
		w.now = issued.Add(row.after)
		_, err := w.Authenticate(ctx, token, zone)
		if (err == nil) != row.ok {
			t.Errorf("%v after: %v", row.after, err)
		}
	}
}

// tokenKey takes the cluster's signing key out of its record, which only a holder of the keyring
// can.
func (w *world) tokenKey(t testing.TB) (kid string, key *ecdsa.PrivateKey) {
	t.Helper()
	r, ok := w.replica.View().Get("sys/token-keys")
	if !ok {
		t.Fatal("no token keys")
	}
	record := must(w.keyring.Open(nil, "sys/token-keys", r.Logical, r.Value))(t)
	key = must(ecdsa.ParseRawPrivateKey(elliptic.P256(), record[len(record)-32:]))(t)
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(must(w.JWKS())(t), &keys); err != nil {
		t.Fatal(err)
	}
	return keys.Keys[0].KeyID, key
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, o *jose.SignerOptions,
	payload string) string {
	t.Helper()
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o))(t)
	signed := must(signer.Sign([]byte(payload)))(t)
	if alg == jose.ES256 {
		vault.LowerS(signed.Signatures[0].Signature) // as our tokens have it
	}
	return must(signed.CompactSerialize())(t)
}

// Even with the cluster's own key, what is not exactly one of its tokens is refused.
func TestForgedAccessTokens(t *testing.T) {
	w, c := demo(t)
	kid, key := w.tokenKey(t)
	headers := func(extra map[jose.HeaderKey]any) *jose.SignerOptions {
		o := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"typ": "JWT", "kid": kid}}
		maps.Copy(o.ExtraHeaders, extra)
		return o
	}
	now := w.now.Unix()
	claims := func(change map[string]any) string {
		m := map[string]any{"aud": zone, "iss": "https://sts.keyquorum/c0ffee/", "iat": now, "nbf": now,
			"exp": now + 60, "tid": "c0ffee", "idtyp": "app", "ver": "1.0",
			"appid": c.Identity.AppID, "azp": c.Identity.AppID, "oid": c.Identity.OID, "sub": c.Identity.OID,
			"uti": "u", "kq_cred": c.Identity.Credential}
		maps.Copy(m, change)
		return string(must(json.Marshal(m))(t))
	}
	good := sign(t, jose.ES256, key, headers(nil), claims(nil))
	must(w.Authenticate(ctx, []byte(good), zone))(t) // the positive control

	foreign := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT","kid":"`+kid+
		`"}`)) + "." + parts[1] + "."
	tokens := map[string]string{
		"nothing": "", "a word": "x", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x",
		"no signature": parts[0] + "." + parts[1] + ".",
		"padding":      good + "=", "a space": good + " ", "a line": good + "\n",
		"a line inside":    good[:9] + "\r\n" + good[9:],
		"a loose last bit": good[:len(good)-1] + next(good[len(good)-1]), "not base64": "!" + good,
		"alg none": none,
		"JSON form": must(jose.ParseSignedCompact(good,
			[]jose.SignatureAlgorithm{jose.ES256}))(t).FullSerialize(),
		"too long": sign(t, jose.ES256, key, headers(nil),
			claims(map[string]any{"x": strings.Repeat("x", 16<<10)})),
		"another key": sign(t, jose.ES256, foreign, headers(nil), claims(nil)),
		"another key's id": sign(t, jose.ES256, key, headers(map[jose.HeaderKey]any{"kid": "other"}),
			claims(nil)),
		"its key brought": sign(t, jose.ES256, foreign,
			&jose.SignerOptions{EmbedJWK: true, ExtraHeaders: headers(nil).ExtraHeaders}, claims(nil)),
		"the key brought": sign(t, jose.ES256, key,
			&jose.SignerOptions{EmbedJWK: true, ExtraHeaders: headers(nil).ExtraHeaders}, claims(nil)),
		"HMAC by public key": sign(t, jose.HS256, must(key.PublicKey.Bytes())(t), headers(nil),
			claims(nil)),
		"another type": sign(t, jose.ES256, key, headers(map[jose.HeaderKey]any{"typ": "at+jwt"}),
			claims(nil)),
		"one header more": sign(t, jose.ES256, key, headers(map[jose.HeaderKey]any{"zip": "DEF"}),
			claims(nil)),
		"a list":      sign(t, jose.ES256, key, headers(nil), "[]"),
		"two objects": sign(t, jose.ES256, key, headers(nil), claims(nil)+"{}"),
		"another's payload": parts[0] + "." +
			base64.RawURLEncoding.EncodeToString([]byte(claims(map[string]any{"oid": "x", "sub": "x"}))) +
			"." + parts[2],
	}
	for name, value := range map[string]any{"iss": "https://sts.keyquorum/c0ffee", "tid": "other",
		"idtyp": "user", "ver": "2.0", "appid": "other", "sub": "other",
		"oid": nil, "kq_cred": "", "exp": now, "aud": []string{zone}, "nbf": "soon"} {
		tokens["claim "+name] = sign(t, jose.ES256, key, headers(nil),
			claims(map[string]any{name: value}))
	}
	for why, token := range tokens {
		for range 2 { // the second time it could be remembered
			if id, err := w.Authenticate(ctx, []byte(token), zone); err == nil {
				t.Errorf("%s: let in as %+v", why, id)
			} else {
				code := "Unauthorized"
				if why == "another key's id" {
					code = vault.TokenKeyGone
				}
				refused(t, err, vault.Unauthenticated, code)
			}
		}
	}
	if _, err := newWorld(t).Authenticate(ctx, []byte(good), zone); err == nil {
		t.Error("another cluster lets it in")
	}
}

// next is the digit of base64url after c, which is c with its lowest bit set: one that decoders
// like to ignore.
func next(c byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, c)|1])
}

func TestIssueTokenRefusals(t *testing.T) {
	w := newWorld(t)
	a := w.app("web")
	b := w.app("other")
	ended, err := w.AddCredential(ctx, w.root, "web", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	unknown := "00000000-0000-4000-8000-000000000000"
	for why, row := range map[string]struct {
		id     string
		secret seal.Plaintext
		aud    string
		kind   vault.Kind
		code   string
		says   string
	}{
		"unknown application": {unknown, a.secret, zone, vault.Invalid, "unauthorized_client",
			"AADSTS700016"},
		"not an id": {"../app/" + a.ClientID, a.secret, zone, vault.Invalid, "unauthorized_client",
			"AADSTS700016"},
		"its name": {"web", a.secret, zone, vault.Invalid, "unauthorized_client", "AADSTS700016"},
		"wrong secret": {a.ClientID, append(a.secret[:len(a.secret)-1:len(a.secret)-1], '?'), zone,
			vault.Unauthenticated, "invalid_client", "AADSTS7000215"},
		"no secret": {a.ClientID, nil, zone, vault.Unauthenticated, "invalid_client",
			"AADSTS7000215"},
		"another's secret": {a.ClientID, b.secret, zone, vault.Unauthenticated, "invalid_client",
			"AADSTS7000215"},
		"ended secret": {a.ClientID, ended.Secret, zone, vault.Unauthenticated, "invalid_client",
			"AADSTS7000215"},
		"no audience": {a.ClientID, a.secret, "", vault.Invalid, "invalid_scope", "AADSTS70011"},
		"long audience": {a.ClientID, a.secret, strings.Repeat("a", 600), vault.Invalid, "invalid_scope",
			"AADSTS70011"},
	} {
		token, _, err := w.IssueToken(ctx,
			vault.TokenRequest{ClientID: row.id, Secret: row.secret, Audience: row.aud})
		if e := refused(t, err, row.kind, row.code); !strings.HasPrefix(e.Message, row.says+":") ||
			token != "" {
			t.Errorf("%s: %s", why, e.Message)
		}
		if got := w.usage.last(t); got.Operation != "token/issue" || got.Status != row.kind.Status() ||
			got.Code != row.code {
			t.Errorf("%s: recorded %+v", why, got)
		}
	}
	must(w.SetAppEnabled(ctx, w.root, "web", false))(t)
	_, _, err = w.IssueToken(ctx,
		vault.TokenRequest{ClientID: a.ClientID, Secret: a.secret, Audience: zone})
	refused(t, err, vault.Unauthenticated, "invalid_client")
	_, _, err = w.IssueToken(ctx,
		vault.TokenRequest{ClientID: strings.ToUpper(b.ClientID), Secret: b.secret, Audience: zone})
	if err != nil {
		t.Errorf("a client id in capitals: %v", err)
	}
}

func TestOperatorToken(t *testing.T) {
	w := newWorld(t)
	if got := must(w.LookupSelf(ctx, w.root))(t); got.Accessor != w.root.Accessor ||
		got.DisplayName != "root" || len(got.Policies) != 1 || !got.Created.Equal(w.now) {
		t.Errorf("%+v", got)
	}
	if e := w.usage.last(t); e.Plane != "operator" || e.Accessor != w.root.Accessor ||
		e.Operation != "token/lookup-self" {
		t.Errorf("recorded %+v", e)
	}
	wrong := append(seal.Plaintext{}, w.token...)
	wrong[10] ^= 1
	for _, token := range []seal.Plaintext{nil, {}, wrong, w.token[1:],
		append(w.token[:len(w.token):len(w.token)], 'A'), seal.Plaintext("root")} {
		o, err := w.AuthenticateOperator(ctx, vault.Request{}, token)
		if e := refused(t, err, vault.Forbidden, "Forbidden"); e.Message != "permission denied" ||
			o.Accessor != "" {
			t.Errorf("%+v %+v", o, e)
		}
		_, err = w.ListVaults(ctx, o)
		refused(t, err, vault.Forbidden, "Forbidden")
		_, err = w.CreateVault(ctx, vault.Operator{Accessor: w.root.Accessor}, "stolen", 90, false)
		refused(t, err, vault.Forbidden, "Forbidden")
	}
}

// Strangers can't fill the disk: their refusals are recorded at a bounded rate, and what was left
// out is counted.
func TestRefusalsOfStrangersAreBounded(t *testing.T) {
	w := newWorld(t)
	const tries = 5000
	for range tries {
		if _, err := w.AuthenticateOperator(ctx, vault.Request{}, nil); err == nil {
			t.Fatal("let in")
		}
		if err := w.RecordRefusal(vault.Request{}, nil, "secrets/get", "demo",
			&vault.Error{Kind: vault.Unauthenticated, Code: "Unauthorized"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.usage.lines(t)); n < 100 || n > tries {
		t.Errorf("%d records of %d refusals", n, 2*tries)
	}
	w.usage.forget()
	id := vault.Identity{OID: "o", AppID: "a"}
	if err := w.RecordRefusal(vault.Request{}, &id, "secrets/set", "demo",
		&vault.Error{Kind: vault.Invalid, Code: "BadParameter"}); err != nil {
		t.Fatal(err)
	}
	if got := w.usage.last(t); got != (use{Plane: "app", OID: "o", AppID: "a",
		Operation: "secrets/set", Vault: "demo", Status: 400, Code: "BadParameter"}) {
		t.Errorf("recorded %+v", got)
	}
}

// A client id is no secret, so knowing one must not open the usage log either.
func TestWrongSecretsAreRecordedAtABoundedRate(t *testing.T) {
	w := newWorld(t)
	a := w.app("web")
	w.usage.forget()
	const tries = 3000
	for range tries {
		_, _, err := w.IssueToken(ctx,
			vault.TokenRequest{ClientID: a.ClientID, Secret: seal.Plaintext("wrong"), Audience: zone})
		refused(t, err, vault.Unauthenticated, "invalid_client")
	}
	if n := len(w.usage.lines(t)); n < 100 || n > tries/2 {
		t.Errorf("%d records of %d wrong secrets", n, tries)
	}
	w.usage.forget()
	w.signIn(a)
	if n := len(w.usage.lines(t)); n != 1 {
		t.Errorf("%d records of a right one, want 1", n)
	}
}

func TestRefusalsAreRecordedWithTheStatusOfTheirAnswer(t *testing.T) {
	w := newWorld(t)
	id := vault.Identity{OID: "o", AppID: "a"}
	tooLarge := &vault.Error{Kind: vault.Invalid, Status: 413, Code: "RequestEntityTooLarge"}
	if err := w.RecordRefusal(vault.Request{}, &id, "secrets/set", "demo", tooLarge); err != nil {
		t.Fatal(err)
	}
	if got := w.usage.last(t); got.Status != 413 {
		t.Errorf("recorded %+v", got)
	}
}

func TestRecordOperation(t *testing.T) {
	w := newWorld(t)
	for _, err := range []error{nil, &vault.Error{Kind: vault.Invalid, Code: "BadParameter"},
		fmt.Errorf("something")} {
		if err := w.RecordOperation(w.root, "sys/raft/remove-peer", "n2", "", err); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for _, l := range w.usage.lines(t) {
		if l.Accessor != w.root.Accessor || l.Object != "n2" {
			t.Errorf("%+v", l)
		}
		got = append(got, l.Status)
	}
	if fmt.Sprint(got) != "[200 400 500]" {
		t.Errorf("%v", got)
	}
}

func FuzzAccessToken(f *testing.F) {
	w, _ := demo(f)
	made, err := w.AddCredential(ctx, w.root, "web", 0)
	if err != nil {
		f.Fatal(err)
	}
	good := w.signIn(app{App: must(w.GetApp(ctx, w.root, "web"))(f), secret: made.Secret})
	f.Add([]byte(good), zone)
	f.Add([]byte("a.b.c"), zone)
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, token []byte, z string) {
		id, err := w.Authenticate(ctx, token, z)
		if err == nil && (string(token) != good || id.AppID == "") {
			t.Errorf("let in: %q as %+v", token, id)
		}
		if err != nil && string(token) == good && z == zone {
			t.Error(err)
		}
	})
}
