package httpapi_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/tink-crypto/tink-go/v2/kwp/subtle"

	"keyquorum/httpapi"
	"keyquorum/node"
)

// An attester is a service that says what an environment is: real TLS, real discovery, its own
// signing key.
type attester struct {
	*httptest.Server
	key  *rsa.PrivateKey
	asks atomic.Int32
	roam string // what it says of where its keys are; "": on itself
	name string // what it says that it is; "": itself, with a slash
	kid  string // of its key
	down atomic.Bool
}

func newAttester(t *testing.T) *attester {
	a := &attester{key: newRSA(t), kid: "signer"}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asks.Add(1)
		switch {
		case a.down.Load():
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":"%s","jwks_uri":"%s/certs"}`, cmp.Or(a.name, a.URL+"/"),
				cmp.Or(a.roam, a.URL))
		case r.URL.Path == "/certs":
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &a.key.PublicKey,
				KeyID: a.kid, Algorithm: "RS256", Use: "sig"}}})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func newRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (a *attester) roots() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	return &tls.Config{RootCAs: pool}
}

// attest signs claims with a key; nil is the attester's own.
func (a *attester) attest(t *testing.T, by *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	if by == nil {
		by = a.key
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256,
		Key: jose.JSONWebKey{Key: by, KeyID: "signer"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func policyOf(authority string) string {
	policy := fmt.Sprintf(`{"version":"1.0.0","anyOf":[{"authority":"%s","allOf":[{"claim":"x-ms-isolation-tee.kind","equals":"enclave"},{"anyOf":[{"claim":"debug","equals":false},{"claim":"test","equals":1}]}]}]}`,
		authority)
	return base64.RawURLEncoding.EncodeToString([]byte(policy))
}

// A key is released to an environment that an authority of its policy vouches for, wrapped for that
// environment's own key; and to no other.
func TestReleaseToAnAttestedEnvironment(t *testing.T) {
	a := newAttester(t)
	authorities, err := httpapi.NewAuthorities([]string{a.URL + "/"}, a.roots())
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t, func(c *node.Config) { c.AuthorityKeys = authorities.Keys })
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	c := s.application(t, "release", everything)
	made := c.ok("POST", "/keys/k/create",
		`{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"`+policyOf(a.URL)+
			`"}}`)
	if made.at("attributes", "exportable") != true || made.at("release_policy",
		"data") != policyOf(a.URL) ||
		made.at("release_policy", "contentType") != "application/json; charset=utf-8" {
		t.Fatalf("%s", made.body)
	}
	environment := newRSA(t)
	claims := func(change func(map[string]any)) map[string]any {
		m := map[string]any{"iss": a.URL, "exp": time.Now().Add(time.Hour).Unix(),
			"nbf": time.Now().Unix(), "x-ms-isolation-tee": map[string]any{"kind": "enclave"},
			"debug": false,
			"x-ms-runtime": map[string]any{"keys": []any{jose.JSONWebKey{Key: &environment.PublicKey,
				KeyID: "e"}}}}
		change(m)
		return m
	}
	good := a.attest(t, nil, claims(func(map[string]any) {}))
	release := func(target string) answer {
		return c.call("POST", "/keys/k/release",
			`{"target":"`+target+`","nonce":"n-1","enc":"RSA_AES_KEY_WRAP_256"}`)
	}
	released := release(good)
	if released.status != 200 {
		t.Fatalf("%d %s", released.status, released.body)
	}
	checkReleased(t, s, c, environment, released.text("value"), made)

	other := newRSA(t)
	asked := a.asks.Load()
	for name, target := range map[string]string{
		"nothing":             "",
		"no JWT":              "a.b.c",
		"another's signature": a.attest(t, other, claims(func(map[string]any) {})),
		"another authority": a.attest(t, nil,
			claims(func(m map[string]any) { m["iss"] = "https://elsewhere.example" })),
		"expired": a.attest(t, nil,
			claims(func(m map[string]any) { m["exp"] = time.Now().Add(-time.Hour).Unix() })),
		"without an end": a.attest(t, nil,
			claims(func(m map[string]any) { delete(m, "exp") })),
		"not valid yet": a.attest(t, nil,
			claims(func(m map[string]any) { m["nbf"] = time.Now().Add(time.Hour).Unix() })),
		"a claim missing": a.attest(t, nil,
			claims(func(m map[string]any) { delete(m, "x-ms-isolation-tee") })),
		"a claim of another type": a.attest(t, nil,
			claims(func(m map[string]any) { m["debug"] = "false" })),
		"debugged": a.attest(t, nil,
			claims(func(m map[string]any) { m["debug"] = true })),
		"no key of its own": a.attest(t, nil,
			claims(func(m map[string]any) { delete(m, "x-ms-runtime") })),
		"flipped":                    good[:len(good)-8] + "AAAAAAAA",
		"unsigned":                   "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"one of our own access JWTs": c.token,
	} {
		if r := release(target); r.status != 400 || r.at("error", "code") != "BadParameter" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if a.asks.Load() != asked {
		t.Errorf("the authority was asked %d more times within ten minutes", a.asks.Load()-asked)
	}
	if r := release(a.attest(t, nil,
		claims(func(m map[string]any) { m["debug"], m["test"] = true, 1 }))); r.status != 200 {
		t.Errorf("the other branch of anyOf: %d %s", r.status, r.body)
	}
	shouted := strings.Replace(a.URL, "https:", "HTTPS:", 1) // schemes and hosts have no case
	if r := release(a.attest(t, nil,
		claims(func(m map[string]any) { m["iss"] = shouted }))); r.status != 200 {
		t.Errorf("an authority that shouts: %d %s", r.status, r.body)
	}
	c.ok("POST", "/keys/shouted/create",
		`{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"`+policyOf(shouted)+
			`"}}`)
	if r := c.call("POST", "/keys/shouted/release", `{"target":"`+good+`"}`); r.status != 200 {
		t.Errorf("a policy that shouts: %d %s", r.status, r.body)
	}
	c.ok("PATCH", "/keys/k", `{"attributes":{"enabled":false}}`)
	if r := release(good); r.status != 403 || r.at("error", "innererror", "code") != "KeyDisabled" {
		t.Errorf("disabled: %d %s", r.status, r.body)
	}
	c.ok("POST", "/keys/plain/create", `{"kty":"EC"}`)
	if r := c.call("POST", "/keys/plain/release", `{"target":"`+good+`"}`); r.status != 400 {
		t.Errorf("without a policy: %d %s", r.status, r.body)
	}
	c.ok("POST", "/keys/far/create",
		`{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"`+
			policyOf("https://unlisted.example")+`"}}`)
	far := a.attest(t, nil, claims(func(m map[string]any) { m["iss"] = "https://unlisted.example" }))
	if r := c.call("POST", "/keys/far/release", `{"target":"`+far+`"}`); r.status != 503 {
		t.Errorf("an authority that the operator has not named: %d %s", r.status, r.body)
	}
}

// checkReleased opens what was released: the JWS verifies with the cluster's keys, and the key in
// it is the one that was made.
func checkReleased(t *testing.T, s *service, c *client, environment *rsa.PrivateKey, compact string,
	made answer) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.login("GET", "/adfs/discovery/keys", "").body),
		&set); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(set)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var got struct {
		Request  struct{ Kid, Nonce, Enc string }
		Response struct {
			Key struct {
				Key struct {
					Kid, Kty, X string
					HSM         string `json:"key_hsm"`
				}
				Attributes struct{ Exportable bool }
			}
		}
	}
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatalf("%v in %s", err, payload)
	}
	k := got.Response.Key.Key
	if got.Request.Nonce != "n-1" || k.Kid != made.at("key", "kid") || k.X != made.at("key", "x") ||
		!got.Response.Key.Attributes.Exportable {
		t.Errorf("%s", payload)
	}
	var blob struct{ Ciphertext string }
	if err := json.Unmarshal(b64url(t, k.HSM), &blob); err != nil {
		t.Fatal(err)
	}
	wrapped := b64url(t, blob.Ciphertext)
	kek, err := rsa.DecryptOAEP(sha256.New(), nil, environment, wrapped[:256], nil)
	if err != nil {
		t.Fatal(err)
	}
	wrap, err := subtle.NewKWP(kek)
	if err != nil {
		t.Fatal(err)
	}
	der, err := wrap.Unwrap(wrapped[256:])
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.(*ecdsa.PrivateKey).PublicKey.Bytes()
	if err != nil || string(public[1:33]) != string(b64url(t, k.X)) ||
		key.(*ecdsa.PrivateKey).Curve != elliptic.P256() {
		t.Errorf("another key was released: %v", err)
	}
	r := c.raw("GET", "/keys/k"+apiQuery, "")
	if r.status != 200 {
		t.Errorf("%d", r.status)
	}
	asToken := *c
	asToken.token = compact
	if r := asToken.call("GET", "/keys/k", ""); r.status != 401 {
		t.Errorf("what was released is taken for an access token: %d", r.status)
	}
}

func b64url(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func TestReleasePolicyRules(t *testing.T) {
	c := unsealed(t).application(t, "policies", everything)
	good := policyOf("https://a.example")
	policy := `{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[{"claim":"a","equals":1}]}]}`
	exportable := func(data string) string {
		return `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + data +
			`"}}`
	}
	data := func(policy string) string { return base64.RawURLEncoding.EncodeToString([]byte(policy)) }
	for name, body := range map[string]string{
		"policy, not exportable": `{"kty":"EC-HSM","release_policy":{"data":"` + good + `"}}`,
		"exportable, no policy":  `{"kty":"EC-HSM","attributes":{"exportable":true}}`,
		"not an HSM type": `{"kty":"EC","attributes":{"exportable":true},"release_policy":{"data":"` +
			good + `"}}`,
		"policy is no object": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":"x"}`,
		"no data":             `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{}}`,
		"not JSON": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			data("nonsense") + `"}}`,
		"another version": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			data(`{"version":"2.0","anyOf":[{"authority":"https://a.example","allOf":[{"claim":"a","equals":1}]}]}`) +
			`"}}`,
		"nobody": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			data(`{"version":"1.0.0","anyOf":[]}`) + `"}}`,
		"anything of an authority": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			data(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example"}]}`) + `"}}`,
		"an empty allOf": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			data(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[]}]}`) + `"}}`,
		"a condition unknown to us": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			data(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[{"claim":"a","greater":1}]}]}`) +
			`"}}`,
		"plain http": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			policyOf("http://a.example") + `"}}`,
		"more than 4 KiB": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` +
			policyOf("https://a.example/"+strings.Repeat("a", 4096)) + `"}}`,
		"text after it":        exportable(data(policy + `}}}]]`)),
		"a member in capitals": exportable(data(strings.Replace(policy, "allOf", "ALLOF", 1))),
		"the same member twice": exportable(data(strings.Replace(policy, `"equals":1`,
			`"equals":2,"equals":1`, 1))),
		"two spellings of one": exportable(data(strings.Replace(policy, `"allOf"`,
			`"allof":[{"claim":"b","equals":2}],"allOf"`, 1))),
		"a value with two meanings": exportable(data(strings.Replace(policy, `"equals":1`,
			`"equals":{"a":1,"a":2}`, 1))),
		"a claim of 17 names": exportable(data(strings.Replace(policy, `"a"`,
			`"a`+strings.Repeat(".a", 16)+`"`, 1))),
	} {
		if a := c.call("POST", "/keys/refused/create", body); a.status != 400 ||
			a.at("error", "code") != "BadParameter" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for name, policy := range map[string]string{
		"spaces after it":     policy + " \n",
		"a claim of 16 names": strings.Replace(policy, `"a"`, `"a`+strings.Repeat(".a", 15)+`"`, 1),
		"names in a value": strings.Replace(policy, `"equals":1`,
			`"equals":{"Claim":1,"b":{"Claim":2}}`, 1),
	} {
		if a := c.call("POST", "/keys/taken/create", exportable(data(policy))); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	c.ok("POST", "/keys/k/create",
		`{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"`+good+`"}}`)
	if a := c.call("PATCH", "/keys/k", `{"attributes":{"exportable":false}}`); a.status != 400 {
		t.Errorf("exportable was changed: %d %s", a.status, a.body)
	}
	c.ok("PATCH", "/keys/k",
		`{"release_policy":{"immutable":true,"data":"`+policyOf("https://b.example")+`"}}`)
	if a := c.call("PATCH", "/keys/k", `{"release_policy":{"data":"`+good+`"}}`); a.status != 400 {
		t.Errorf("an immutable policy was changed: %d %s", a.status, a.body)
	}
	if a := c.ok("POST", "/keys/k/rotate", ""); a.at("release_policy", "immutable") != true ||
		a.at("attributes", "exportable") != true {
		t.Errorf("rotated: %s", a.body)
	}
	c.ok("POST", "/keys/plain/create", `{"kty":"EC-HSM"}`)
	if a := c.call("PATCH", "/keys/plain", `{"release_policy":{"data":"`+good+`"}}`); a.status != 400 {
		t.Errorf("a key that is not exportable got a policy: %d %s", a.status, a.body)
	}
}

func TestAuthoritiesAreThoseThatTheOperatorNamed(t *testing.T) {
	a := newAttester(t)
	if _, err := httpapi.NewAuthorities([]string{"http://plain.example"}, nil); err == nil {
		t.Error("plain http was taken")
	}
	for name, lie := range map[string]func(){
		"another authority": func() { a.roam, a.name = "", "" },
		"keys of another":   func() { a.roam, a.name = "https://127.0.0.1:1", "" },
		"another name":      func() { a.roam, a.name = "", "https://elsewhere.example" },
		"capitals": func() {
			a.roam, a.name = strings.ToUpper(a.URL),
				strings.ToUpper(a.URL)
		},
		"no slash": func() { a.roam, a.name = "", a.URL },
		"a slash":  func() { a.roam, a.name = "", "" },
	} {
		lie()
		authorities, asked := authoritiesAt(t, a, time.Now), a.asks.Load()
		switch name {
		case "another authority":
			if _, err := authorities.Keys(t.Context(), "https://127.0.0.1:1", "signer"); err == nil ||
				a.asks.Load() != asked {
				t.Error("another authority was asked")
			}
		case "no slash", "a slash", "capitals":
			if set, err := authorities.Keys(t.Context(), a.URL+"/", "signer"); err != nil ||
				!strings.Contains(string(set), "signer") {
				t.Errorf("%s: %s, %v", name, set, err)
			}
		default:
			if _, err := authorities.Keys(t.Context(), a.URL, "signer"); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
	}
}

func authoritiesAt(t *testing.T, a *attester, now func() time.Time) *httpapi.Authorities {
	t.Helper()
	authorities, err := httpapi.NewAuthorities([]string{a.URL}, a.roots())
	if err != nil {
		t.Fatal(err)
	}
	authorities.At(now)
	return authorities
}

// An authority is asked when there is reason to: by one of those who wait, anew for a key that it
// may have since, and not again and again because it is down or somebody makes names of keys up.
func TestWhenAuthoritiesAreAsked(t *testing.T) {
	a := newAttester(t)
	now := time.Now()
	authorities := authoritiesAt(t, a, func() time.Time { return now })
	const fetch = 2 // requests: the discovery document, and the keys
	step := func(what string, later time.Duration, kid string, want int32, fails bool) {
		t.Helper()
		now = now.Add(later)
		before := a.asks.Load()
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() {
				if _, err := authorities.Keys(t.Context(), a.URL, kid); (err != nil) != fails {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		wait.Wait()
		if got := a.asks.Load() - before; got != want {
			t.Errorf("%s: it was asked %d times, want %d", what, got, want)
		}
	}
	a.down.Store(true)
	step("down", 0, "signer", 1, true)
	a.down.Store(false)
	step("up, but just asked", 4*time.Second, "signer", 0, true)
	step("up", time.Second, "signer", fetch, false)
	step("known", 9*time.Minute, "signer", 0, false)
	a.kid = "next"
	step("a new key", 0, "next", fetch, false)
	step("a key that nobody has", 0, "made-up", 0, false)
	step("a minute later", time.Minute, "made-up", fetch, false)
	a.down.Store(true)
	step("down with keys known", time.Minute, "made-up", 1, false)
	step("the known key", 0, "next", 0, false)
	step("ten minutes old", 9*time.Minute, "next", 1, true)
}
