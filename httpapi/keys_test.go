package httpapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// A signature made over HTTP verifies with the public key that was answered, by Go's own crypto and
// by the vault.
func TestKeySignsOverHTTP(t *testing.T) {
	c := unsealed(t).application(t, "key-sign", everything)
	key := c.ok("POST", "/keys/signer/create",
		`{"kty":"EC","crv":"P-256","key_ops":["sign","verify"],"tags":{"team":"a"},"attributes":{"enabled":true,"exp":4102444800}}`)
	if got := c.ok("GET", "/keys/Signer", ""); got.body != key.body {
		t.Errorf("get says %s, create said %s", got.body, key.body)
	}
	kid, _ := key.at("key", "kid").(string)
	if !strings.HasPrefix(kid, "https://"+c.host+"/keys/signer/") || key.at("key", "crv") != "P-256" ||
		key.at("attributes", "exp") != 4102444800.0 || key.at("tags", "team") != "a" {
		t.Errorf("%s", key.body)
	}
	digest := sha256.Sum256([]byte("message"))
	b64 := base64.RawURLEncoding.EncodeToString
	version := kid[strings.LastIndexByte(kid, '/')+1:]
	signed := c.ok("POST", "/keys/signer/"+version+"/sign",
		fmt.Sprintf(`{"alg":"ES256","value":"%s"}`, b64(digest[:])))
	if signed.text("kid") != kid {
		t.Errorf("signed by %s, want %s", signed.text("kid"), kid)
	}
	sig, err := base64.RawURLEncoding.DecodeString(signed.text("value"))
	if err != nil || len(sig) != 64 {
		t.Fatalf("signature %q", signed.text("value"))
	}
	n := func(name string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(key.at("key", name).(string))
		if err != nil || len(b) != 32 {
			t.Errorf("%s has %d bytes: %v", name, len(b), err)
		}
		return new(big.Int).SetBytes(b)
	}
	public := &ecdsa.PublicKey{Curve: elliptic.P256(), X: n("x"), Y: n("y")}
	if !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(sig[:32]),
		new(big.Int).SetBytes(sig[32:])) {
		t.Error("the signature does not verify with the public key")
	}
	for want, s := range map[bool][]byte{true: sig, false: append([]byte{sig[0] ^ 1}, sig[1:]...)} {
		padded := base64.URLEncoding.EncodeToString(s) // as some clients send it
		a := c.ok("POST", "/keys/signer//verify",
			fmt.Sprintf(`{"alg":"ES256","digest":"%s","value":"%s"}`, b64(digest[:]), padded))
		if a.body != fmt.Sprintf(`{"value":%v}`, want) {
			t.Errorf("verify says %s, want %v", a.body, want)
		}
	}
	for name, body := range map[string]string{
		"not base64": `{"alg":"ES256","value":"*"}`, "a newline": `{"alg":"ES256","value":"AA\nAA"}`,
		"a number":     `{"alg":"ES256","value":1}`,
		"no algorithm": `{"value":"AAAA"}`, "short digest": `{"alg":"ES256","value":"AAAA"}`,
		"other key's algorithm": `{"alg":"RS256","value":"AAAA"}`,
	} {
		if a := c.call("POST", "/keys/signer/sign", body); a.status != 400 ||
			a.at("error", "code") != "BadParameter" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestKeyLife(t *testing.T) {
	c := unsealed(t).application(t, "key-life", everything)
	c.ok("POST", "/keys/K/create", `{"kty":"EC"}`)
	c.ok("POST", "/keys/k/create", `{"kty":"EC"}`)
	if a := c.ok("GET", "/keys/k/versions", ""); len(a.json["value"].([]any)) != 2 {
		t.Errorf("versions %s", a.body)
	}
	if a := c.ok("GET", "/keys", ""); !strings.Contains(a.body, `"kid":"https://`+c.host+`/keys/K"`) {
		t.Errorf("list %s", a.body)
	}
	if a := c.ok("PATCH", "/keys/k", `{"attributes":{"enabled":false}}`); a.at("attributes",
		"enabled") != false {
		t.Errorf("update %s", a.body)
	}
	if a := c.call("POST", "/keys/k/sign", `{"alg":"ES256","value":"`+strings.Repeat("A", 43)+
		`"}`); a.status != 403 || a.at("error", "innererror", "code") != "KeyDisabled" {
		t.Errorf("sign while disabled: %d %s", a.status, a.body)
	}
	deleted := c.ok("DELETE", "/keys/k", "")
	if deleted.text("recoveryId") != "https://"+c.host+"/deletedkeys/K" ||
		deleted.at("key", "kid") == nil {
		t.Errorf("delete %s", deleted.body)
	}
	if a := c.ok("GET", "/deletedkeys", ""); !strings.Contains(a.body, deleted.text("recoveryId")) {
		t.Errorf("deleted keys %s", a.body)
	}
	c.ok("POST", "/deletedkeys/k/recover", "")
	c.ok("DELETE", "/keys/k", "")
	if a := c.ok("DELETE", "/deletedkeys/k", ""); a.status != 204 {
		t.Errorf("purge %d", a.status)
	}
	if a := c.call("GET", "/keys/k", ""); a.status != 404 || a.at("error", "code") != "KeyNotFound" {
		t.Errorf("after the purge: %d %s", a.status, a.body)
	}
	for path, status := range map[string]int{"/keys/k/not-a-version": 400, "/keys/a_b": 400,
		"/keys/a%2fb": 400, "/keys/k/" + strings.Repeat("0", 32): 404, "/keys/k/a/b/c": 404} {
		if a := c.call("GET", path, ""); a.status != status {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.body, status)
		}
	}
}
