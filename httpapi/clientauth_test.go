package httpapi_test

import (
	"encoding/base64"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// An authority with a slash at its end makes paths with two at their beginning.
func TestSlashesCollapseAtTheLoginHost(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "slashes", everything)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id},
		"client_secret": {c.secret}, "scope": {"https://vault.localhost/.default"}}
	ask := func(method, path string) answer {
		r := httptest.NewRequest(method, "/", strings.NewReader(form.Encode()))
		r.URL.Path, r.Host = path, loginHost
		return s.serve(r)
	}
	for _, slashes := range []string{"/", "//", "///"} {
		a := ask("GET", slashes+"adfs"+slashes+".well-known"+slashes+"openid-configuration")
		if a.status != 200 ||
			a.text("token_endpoint") != "https://"+loginHost+"/adfs/oauth2/token" {
			t.Errorf("configuration behind %s: %d %s", slashes, a.status, a.body)
		}
		for _, path := range []string{"/oauth2/token", "/oauth2/v2.0/token", "/oauth2/token/"} {
			if a := ask("POST", slashes+"adfs"+path); a.status != 200 ||
				a.text("access_token") == "" {
				t.Errorf("token at %sadfs%s: %d %s", slashes, path, a.status, a.body)
			}
		}
	}
}

// Client id and secret may come in the Authorization header (RFC 6749 section 2.3.1), but not there
// and in the form.
func TestClientSecretBasic(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "basic", everything)
	if a := s.login("GET", "/adfs/.well-known/openid-configuration", ""); !strings.Contains(a.body,
		`"token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"]`) {
		t.Errorf("the configuration says %s", a.body)
	}
	const scope = "&scope=https%3A%2F%2Fvault.localhost%2F.default"
	basic := func(scheme, id, secret, more string) answer {
		credentials := base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
		return s.with("Authorization", scheme+" "+credentials).login("POST", "/adfs/oauth2/token",
			"grant_type=client_credentials"+scope+more)
	}
	for _, scheme := range []string{"Basic", "basic", "BASIC "} {
		a := basic(scheme, c.id, c.secret, "")
		if c.token = a.text("access_token"); a.status != 200 {
			t.Fatalf("%s: %d %s", scheme, a.status, a.body)
		}
		c.ok("GET", "/secrets", "")
	}
	escaped := strings.ReplaceAll(url.QueryEscape(c.secret), "-", "%2D")
	for name, row := range map[string]struct {
		a      answer
		status int
		code   string
	}{
		"the id in both": {basic("Basic", c.id, c.secret, "&client_id="+c.id), 200, ""},
		"escaped":        {basic("Basic", url.QueryEscape(c.id), escaped, ""), 200, ""},
		"another id": {basic("Basic", c.id, c.secret, "&client_id=x"), 400,
			"invalid_request"},
		"the secret in both": {basic("Basic", c.id, c.secret, "&client_secret="+c.secret), 400,
			"invalid_request"},
		"a wrong secret":      {basic("Basic", c.id, c.secret+"x", ""), 401, "invalid_client"},
		"no secret":           {basic("Basic", c.id, "", ""), 400, "invalid_request"},
		"an escape that ends": {basic("Basic", c.id, "%4", ""), 400, "invalid_request"},
		"a long one": {basic("Basic", c.id, strings.Repeat("a", 3000), ""), 400,
			"invalid_request"},
		"no base64": {s.with("Authorization", "Basic *").login("POST",
			"/adfs/oauth2/token", "grant_type=client_credentials"+scope), 400, "invalid_request"},
		"no colon": {s.with("Authorization", "Basic YQ==").login("POST",
			"/adfs/oauth2/token", "grant_type=client_credentials"+scope), 400, "invalid_request"},
		"nothing": {s.with("Authorization", "Basic").login("POST", "/adfs/oauth2/token",
			"grant_type=client_credentials"+scope), 400, "invalid_request"},
	} {
		if row.a.status != row.status || row.a.text("error") != row.code {
			t.Errorf("%s: %d %s", name, row.a.status, row.a.body)
		}
		if (row.a.header.Get("Www-Authenticate") == `Basic realm="login.localhost"`) != (row.status == 401) {
			t.Errorf("%s: %d with the challenge %q (RFC 6749 section 5.2)", name, row.status,
				row.a.header["Www-Authenticate"])
		}
		if strings.Contains(row.a.body, c.secret) {
			t.Errorf("%s: the secret is in the answer", name)
		}
	}
}

// A token that was revoked is answered with the challenge that makes an SDK ask for another, which
// it would keep otherwise until it ends.
func TestRevokedTokensAreChallengedWithClaims(t *testing.T) {
	s := unsealed(t)
	admin := func(method, path, body string) answer {
		t.Helper()
		a := s.operate(method, "/v1/keyquorum/"+path, s.token, body)
		if a.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		return a
	}
	for name, revoke := range map[string]func(c *client){
		"disabled": func(c *client) { admin("PUT", "apps/"+c.id, `{"enabled":false}`) },
		"deleted":  func(c *client) { admin("DELETE", "apps/"+c.id, "") },
		"credential removed": func(c *client) {
			for _, k := range admin("GET", "apps/"+c.id, "").at("data", "credentials").([]any) {
				admin("DELETE", "apps/"+c.id+"/credentials/"+k.(map[string]any)["id"].(string), "")
			}
		},
	} {
		c := s.application(t, "revoked", everything)
		c.ok("GET", "/secrets", "")
		revoke(c)
		a := c.call("GET", "/secrets", "")
		if a.status != 401 || a.at("error", "innererror", "code") != "TokenRevoked" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		challenge := a.header.Get("Www-Authenticate")
		_, claims, ok := strings.Cut(challenge, `, error="insufficient_claims", claims="`)
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(claims, `"`))
		if !ok || err != nil || !strings.Contains(string(decoded),
			`{"access_token":{"nbf":{"essential":true,`) ||
			!strings.HasPrefix(challenge,
				`Bearer authorization="https://login.localhost:8200/adfs", resource="https://vault.localhost:8200"`) {
			t.Errorf("%s: challenge %q", name, challenge)
		}
		c.token = "" // whoever has none is challenged as ever
		if a := c.call("GET", "/secrets", ""); strings.Contains(a.header.Get("Www-Authenticate"),
			"claims") {
			t.Errorf("without a token: challenge %q", a.header["Www-Authenticate"])
		}
	}
}

// Random bytes are for whoever may do anything with keys, as roles of a Managed HSM that use keys
// have them.
func TestWhoGetsRandomBytes(t *testing.T) {
	s := unsealed(t)
	for grant, status := range map[string]int{`{"keys":["list"]}`: 200,
		`{"keys":["sign"],"secrets":["get"]}`: 200, `{"keys":["all"]}`: 200,
		`{"secrets":["all"]}`: 403, `{}`: 403} {
		c := s.application(t, "rng", grant)
		if a := c.call("POST", "/rng", `{"count":8}`); a.status != status || status == 403 &&
			!strings.Contains(a.body, "does not have any keys permission") {
			t.Errorf("with %s: %d %s", grant, a.status, a.body)
		}
	}
}
