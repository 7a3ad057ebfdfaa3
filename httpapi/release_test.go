package httpapi_test

import (
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
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/tink-crypto/tink-go/v2/kwp/subtle"

	"keyquorum/httpapi"
	"keyquorum/node"
)

// An attester is a service that says what an environment is: real TLS, real discovery, its own signing key.
type attester struct {
	*httptest.Server
	key  *rsa.PrivateKey
	asks int
	roam string // what it says of where its keys are; "": on itself
}

func newAttester(t *testing.T) *attester {
	a := &attester{key: newRSA(t)}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &a.key.PublicKey, KeyID: "signer", Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch a.asks++; r.URL.Path {
		case "/.well-known/openid-configuration":
			at := a.roam
			if at == "" {
				at = a.URL
			}
			fmt.Fprintf(w, `{"jwks_uri":"%s/certs"}`, at)
		case "/certs":
			w.Write(set)
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
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: by, KeyID: "signer"}}, nil)
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
	policy := fmt.Sprintf(`{"version":"1.0.0","anyOf":[{"authority":"%s","allOf":[{"claim":"x-ms-isolation-tee.kind","equals":"enclave"},{"anyOf":[{"claim":"debug","equals":false},{"claim":"test","equals":1}]}]}]}`, authority)
	return base64.RawURLEncoding.EncodeToString([]byte(policy))
}

// A key is released to an environment that an authority of its policy vouches for, wrapped for that environment's own key; and to no other.
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
	made := c.ok("POST", "/keys/k/create", `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"`+policyOf(a.URL)+`"}}`)
	if made.at("attributes", "exportable") != true || made.at("release_policy", "data") != policyOf(a.URL) || made.at("release_policy", "contentType") != "application/json; charset=utf-8" {
		t.Fatalf("%s", made.body)
	}
	environment := newRSA(t)
	claims := func(change func(map[string]any)) map[string]any {
		m := map[string]any{"iss": a.URL, "exp": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Unix(), "x-ms-isolation-tee": map[string]any{"kind": "enclave"}, "debug": false,
			"x-ms-runtime": map[string]any{"keys": []any{jose.JSONWebKey{Key: &environment.PublicKey, KeyID: "e"}}}}
		change(m)
		return m
	}
	good := a.attest(t, nil, claims(func(map[string]any) {}))
	release := func(target string) answer {
		return c.call("POST", "/keys/k/release", `{"target":"`+target+`","nonce":"n-1","enc":"RSA_AES_KEY_WRAP_256"}`)
	}
	released := release(good)
	if released.status != 200 {
		t.Fatalf("%d %s", released.status, released.body)
	}
	checkReleased(t, s, c, environment, released.text("value"), made)

	other := newRSA(t)
	asked := a.asks
	for name, target := range map[string]string{
		"nothing":                    "",
		"no JWT":                     "a.b.c",
		"another's signature":        a.attest(t, other, claims(func(map[string]any) {})),
		"another authority":          a.attest(t, nil, claims(func(m map[string]any) { m["iss"] = "https://elsewhere.example" })),
		"expired":                    a.attest(t, nil, claims(func(m map[string]any) { m["exp"] = time.Now().Add(-time.Hour).Unix() })),
		"without an end":             a.attest(t, nil, claims(func(m map[string]any) { delete(m, "exp") })),
		"not valid yet":              a.attest(t, nil, claims(func(m map[string]any) { m["nbf"] = time.Now().Add(time.Hour).Unix() })),
		"a claim missing":            a.attest(t, nil, claims(func(m map[string]any) { delete(m, "x-ms-isolation-tee") })),
		"a claim of another type":    a.attest(t, nil, claims(func(m map[string]any) { m["debug"] = "false" })),
		"debugged":                   a.attest(t, nil, claims(func(m map[string]any) { m["debug"] = true })),
		"no key of its own":          a.attest(t, nil, claims(func(m map[string]any) { delete(m, "x-ms-runtime") })),
		"flipped":                    good[:len(good)-8] + "AAAAAAAA",
		"unsigned":                   "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"one of our own access JWTs": c.token,
	} {
		if r := release(target); r.status != 400 || r.at("error", "code") != "BadParameter" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if a.asks != asked {
		t.Errorf("the authority was asked %d more times within ten minutes", a.asks-asked)
	}
	if r := release(a.attest(t, nil, claims(func(m map[string]any) { m["debug"], m["test"] = true, 1 }))); r.status != 200 {
		t.Errorf("the other branch of anyOf: %d %s", r.status, r.body)
	}
	c.ok("PATCH", "/keys/k", `{"attributes":{"enabled":false}}`)
	if r := release(good); r.status != 403 || r.at("error", "innererror", "code") != "KeyDisabled" {
		t.Errorf("disabled: %d %s", r.status, r.body)
	}
	c.ok("POST", "/keys/plain/create", `{"kty":"EC"}`)
	if r := c.call("POST", "/keys/plain/release", `{"target":"`+good+`"}`); r.status != 400 {
		t.Errorf("without a policy: %d %s", r.status, r.body)
	}
	c.ok("POST", "/keys/far/create", `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"`+policyOf("https://unlisted.example")+`"}}`)
	far := a.attest(t, nil, claims(func(m map[string]any) { m["iss"] = "https://unlisted.example" }))
	if r := c.call("POST", "/keys/far/release", `{"target":"`+far+`"}`); r.status != 503 {
		t.Errorf("an authority that the operator has not named: %d %s", r.status, r.body)
	}
}

// checkReleased opens what was released: the JWS verifies with the cluster's keys, and the key in it is the one that was made.
func checkReleased(t *testing.T, s *service, c *client, environment *rsa.PrivateKey, compact string, made answer) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.login("GET", "/adfs/discovery/keys", "").body), &set); err != nil {
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
	if got.Request.Nonce != "n-1" || k.Kid != made.at("key", "kid") || k.X != made.at("key", "x") || !got.Response.Key.Attributes.Exportable {
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
	if err != nil || string(public[1:33]) != string(b64url(t, k.X)) || key.(*ecdsa.PrivateKey).Curve != elliptic.P256() {
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
	data := func(policy string) string { return base64.RawURLEncoding.EncodeToString([]byte(policy)) }
	for name, body := range map[string]string{
		"policy, not exportable":    `{"kty":"EC-HSM","release_policy":{"data":"` + good + `"}}`,
		"exportable, no policy":     `{"kty":"EC-HSM","attributes":{"exportable":true}}`,
		"not an HSM type":           `{"kty":"EC","attributes":{"exportable":true},"release_policy":{"data":"` + good + `"}}`,
		"policy is no object":       `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":"x"}`,
		"no data":                   `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{}}`,
		"not JSON":                  `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + data("nonsense") + `"}}`,
		"another version":           `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + data(`{"version":"2.0","anyOf":[{"authority":"https://a.example","allOf":[{"claim":"a","equals":1}]}]}`) + `"}}`,
		"nobody":                    `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + data(`{"version":"1.0.0","anyOf":[]}`) + `"}}`,
		"anything of an authority":  `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + data(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example"}]}`) + `"}}`,
		"an empty allOf":            `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + data(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[]}]}`) + `"}}`,
		"a condition unknown to us": `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + data(`{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[{"claim":"a","greater":1}]}]}`) + `"}}`,
		"plain http":                `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + policyOf("http://a.example") + `"}}`,
		"more than 4 KiB":           `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"` + policyOf("https://a.example/"+strings.Repeat("a", 4096)) + `"}}`,
	} {
		if a := c.call("POST", "/keys/refused/create", body); a.status != 400 || a.at("error", "code") != "BadParameter" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	c.ok("POST", "/keys/k/create", `{"kty":"EC-HSM","attributes":{"exportable":true},"release_policy":{"data":"`+good+`"}}`)
	if a := c.call("PATCH", "/keys/k", `{"attributes":{"exportable":false}}`); a.status != 400 {
		t.Errorf("exportable was changed: %d %s", a.status, a.body)
	}
	c.ok("PATCH", "/keys/k", `{"release_policy":{"immutable":true,"data":"`+policyOf("https://b.example")+`"}}`)
	if a := c.call("PATCH", "/keys/k", `{"release_policy":{"data":"`+good+`"}}`); a.status != 400 {
		t.Errorf("an immutable policy was changed: %d %s", a.status, a.body)
	}
	if a := c.ok("POST", "/keys/k/rotate", ""); a.at("release_policy", "immutable") != true || a.at("attributes", "exportable") != true {
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
	authorities, err := httpapi.NewAuthorities([]string{a.URL}, a.roots())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authorities.Keys(t.Context(), "https://127.0.0.1:1"); err == nil || a.asks != 0 {
		t.Error("another authority was asked")
	}
	a.roam = "https://127.0.0.1:1"
	if _, err := authorities.Keys(t.Context(), a.URL); err == nil {
		t.Error("keys of another host were taken")
	}
	a.roam = ""
	if set, err := authorities.Keys(t.Context(), a.URL+"/"); err != nil || !strings.Contains(string(set), "signer") {
		t.Errorf("%s, %v", set, err)
	}
}
