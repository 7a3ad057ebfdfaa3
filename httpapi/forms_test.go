package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestFormsOfPathsThatClientsSend(t *testing.T) {
	c := unsealed(t).application(t, "path-forms", everything)
	c.ok("POST", "/keys/Signer/create", `{"kty":"EC","key_size":2048}`)
	c.ok("PUT", "/secrets/Word", `{"value":"x"}`)
	digest := `{"alg":"ES256","value":"` + strings.Repeat("A", 43) + `"}`
	for _, path := range []string{"/keys/signer/sign", "/keys/signer//sign", "/Keys/SIGNER//Sign",
		"/keys/signer/sign/", "//keys/signer/sign"} {
		if a := c.ok("POST", path, digest); !strings.HasPrefix(a.text("kid"),
			"https://"+c.host+"/keys/Signer/") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	for _, path := range []string{"/secrets/Word", "/secrets/word/", "/SECRETS/wORD//",
		"/secrets/w%6frd"} {
		if a := c.ok("GET", path, ""); a.text("value") != "x" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	rsa := c.ok("POST", "/keys/wrapper/create",
		`{"kty":"RSA-HSM","attributes":{},"tags":{},"release_policy":null}`)
	if rsa.at("key", "kty") != "RSA-HSM" {
		t.Errorf("kty %v", rsa.at("key", "kty"))
	}
	wrapped := c.ok("POST", "/keys/wrapper/wrapKey", `{"alg":"RSA-OAEP","value":"AQID"}`).text("value")
	if got := c.ok("POST", "/keys/wrapper//unwrapKey",
		`{"alg":"RSA-OAEP","value":"`+wrapped+`"}`).text("value"); got != "AQID" {
		t.Errorf("unwrapped %q", got)
	}
}

func TestApiVersionIsRequired(t *testing.T) {
	c := unsealed(t).application(t, "api-version", everything)
	for query, status := range map[string]int{
		"?api-version=7.4": 200, "?api%2Dversion=2025-07-01": 200, "?x=1&api-version=7.6-preview.2": 200,
		"?api-version=2026-01-01-preview": 200,
		"":                                400, "?api-version=": 400, "?api-version=6.0": 400,
		"?api-version=7.": 400, "?api-version=2024-01-01": 400,
		"?api-version=7.4-preview.": 400, "?api-version=7.4%0d%0aX: y": 400, "?API-VERSION=7.4": 200,
		"?api-version=7.0": 200, "?api-version=7.1": 200, "?api-version=7.2": 200,
		"?api-version=7.3": 200, "?api-version=7.5": 200, "?api-version=7.6": 200,
		"?api-version=7.4-preview.1": 200, "?api-version=7.5-preview": 200,
		"?api-version=2025-06-01-preview": 200, "?api-version=2026-04-01": 200,
		"?api-version=7": 400, "?api-version=latest": 400, "?api-version=-preview": 400,
		"?api-version=2025-07": 400, "?api-version=" + strings.Repeat("7", 40): 400,
	} {
		for _, path := range []string{"/secrets", "/deletedkeys"} {
			a := c.raw("GET", path+strings.ReplaceAll(query, " ", "%20"), "")
			if a.status != status || status == 400 && a.at("error", "code") != "BadParameter" {
				t.Errorf("%s%s: %d %s", path, query, a.status, a.body)
			}
		}
	}
}

func TestPagesLinkToTheHostThatWasAsked(t *testing.T) {
	c := unsealed(t).application(t, "paging", everything)
	for i := range 5 {
		c.ok("PUT", fmt.Sprintf("/secrets/s%d", i), `{"value":"x"}`)
	}
	name, _, _ := strings.Cut(c.host, ".")
	c.host = strings.ToUpper(name) + ".Vault.localhost:9443" // as a port mapping would have it
	seen := 0
	for target := "/secrets" + apiQuery + "&maxresults=2"; target != ""; {
		a := c.raw("GET", target, "")
		if a.status != 200 {
			t.Fatalf("%s: %d %s", target, a.status, a.body)
		}
		for _, item := range a.json["value"].([]any) {
			if id := item.(map[string]any)["id"]; id != fmt.Sprintf("https://%s/secrets/s%d", c.host, seen) {
				t.Errorf("item %d has id %v", seen, id)
			}
			seen++
		}
		link, more := a.json["nextLink"].(string)
		if !more {
			break
		}
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "https" || u.Host != c.host || u.Query().Get("api-version") == "" ||
			u.Query().Get("maxresults") != "2" {
			t.Fatalf("nextLink %q", link)
		}
		target = u.RequestURI()
	}
	if seen != 5 {
		t.Errorf("%d secrets listed, want 5", seen)
	}
	if a := c.call("GET", "/secrets/none-such/versions",
		""); a.body != `{"value":[],"nextLink":null}` {
		t.Errorf("versions of nothing: %s", a.body)
	}
	for _, n := range []string{"0", "26", "-1", "x", "2.5"} {
		if a := c.call("GET", "/secrets?maxresults="+n, ""); a.status != 400 {
			t.Errorf("maxresults=%s: %d", n, a.status)
		}
	}
	if a := c.call("GET", "/secrets?$skiptoken=%00%ff", ""); a.status != 400 {
		t.Errorf("a made-up skip token: %d %s", a.status, a.body)
	}
}

func TestHostWithoutAVaultIsNotFoundWithoutAChallenge(t *testing.T) {
	s := unsealed(t)
	for _, host := range []string{"vault.localhost:8200", "a.b.vault.localhost",
		"demo.vault.localhost:x"} {
		a := (&client{t: t, s: s, host: host}).call("GET", "/v1/sys/seal-status", "")
		if a.status != 404 || a.at("error", "code") != "VaultNotFound" ||
			a.header["Www-Authenticate"] != nil {
			t.Errorf("%s: %d %s", host, a.status, a.body)
		}
	}
}

func TestOperatorPlaneIsNotUnderVaultHosts(t *testing.T) {
	s := unsealed(t)
	c := &client{t: t, s: s, host: "any.vault.localhost:8200"}
	if a := c.call("GET", "/v1/sys/seal-status", ""); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	c = s.application(t, "no-operator", everything)
	if a := c.call("GET", "/v1/sys/seal-status", ""); a.status != 404 ||
		a.at("error", "code") != "NotFound" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
