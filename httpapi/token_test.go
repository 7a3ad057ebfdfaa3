package httpapi_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func TestOpenIDConfigurationNamesTheHostThatWasAsked(t *testing.T) {
	s := unsealed(t)
	for _, path := range []string{"/adfs/.well-known/openid-configuration?",
		"/2f7b9c1e-0000-4000-8000-000000000000/v2.0/.well-known/openid-configuration"} {
		tenant, _, _ := strings.Cut(path[1:], "/")
		a := s.login("GET", path, "")
		base := "https://" + loginHost + "/" + tenant
		if a.status != 200 || a.text("issuer") != base ||
			a.text("token_endpoint") != base+"/oauth2/token" ||
			a.text("authorization_endpoint") != base+"/oauth2/authorize" ||
			a.text("jwks_uri") != base+"/discovery/keys" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/a%22b/.well-known/openid-configuration",
		"/.well-known/openid-configuration", "/adfs/oauth2/authorize", "/v1/sys/seal-status", "/"} {
		if a := s.login("GET", path, ""); a.status != 404 || a.text("error") != "invalid_request" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestSigningKeys(t *testing.T) {
	a := unsealed(t).login("GET", "/adfs/discovery/keys", "")
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(a.body), &set); err != nil || len(set.Keys) == 0 ||
		set.Keys[0]["kid"] == "" || set.Keys[0]["d"] != "" {
		t.Errorf("%d %s %v", a.status, a.body, err)
	}
}

func TestTokenRefusals(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "token-refusals", everything)
	const good = "https%3A%2F%2Fvault.localhost%3A8200%2F.default"
	base := "grant_type=client_credentials&client_id=" + c.id
	for name, row := range map[string]struct {
		form   string
		status int
		code   string
		number float64
	}{
		"wrong secret": {base + "&client_secret=wrong&scope=" + good, 401, "invalid_client",
			7000215},
		"unknown client": {"grant_type=client_credentials&client_id=2f7b9c1e-0000-4000-8000-000000000000&client_secret=x&scope=" +
			good, 400, "unauthorized_client", 700016},
		"other grant": {"grant_type=password&client_id=x&client_secret=x&scope=" + good, 400,
			"unsupported_grant_type", 70003},
		"assertion": {base + "&client_assertion=x&scope=" + good, 400, "invalid_request",
			700027},
		"no secret": {base + "&scope=" + good, 400, "invalid_request", 900144},
		"no scope":  {base + "&client_secret=x", 400, "invalid_scope", 70011},
		"foreign scope": {base + "&client_secret=x&scope=https://vault.azure.net/.default", 400,
			"invalid_scope", 70011},
		"scope of a vault": {base + "&client_secret=x&scope=https://demo.vault.localhost/.default", 400,
			"invalid_scope", 70011},
		"plain http": {base + "&client_secret=x&scope=http://vault.localhost/.default", 400,
			"invalid_scope", 70011},
		"secret twice": {base + "&client_secret=x&client_secret=y&scope=" + good, 400,
			"invalid_request", 90100},
		"scope twice": {base + "&client_secret=x&scope=" + good + "&scope=" + good, 400,
			"invalid_request", 90100},
		"scope with a user": {base + "&client_secret=x&scope=https://a@vault.localhost/.default", 400,
			"invalid_scope", 70011},
		"scope with a path": {base + "&client_secret=x&scope=https://vault.localhost/a/.default", 400,
			"invalid_scope", 70011},
		"scope with a query": {base + "&client_secret=x&scope=https://vault.localhost?a/.default", 400,
			"invalid_scope", 70011},
		"foreign resource": {base + "&client_secret=x&resource=https://vault.azure.net", 400,
			"invalid_scope", 70011},
		"resource twice": {base +
			"&client_secret=x&resource=https://vault.localhost&resource=https://vault.localhost", 400,
			"invalid_request", 90100},
		"resource at v2": {base + "&client_secret=" + c.secret + "&resource=https://vault.localhost", 400,
			"invalid_scope", 70011},
		"bad escape": {base + "&client_secret=%zz&scope=" + good, 400, "invalid_request", 900144},
		"nothing":    {"", 400, "unsupported_grant_type", 70003},
		"too large":  {strings.Repeat("a", 70000), 413, "invalid_request", 0},
	} {
		a := s.login("POST", "/adfs/oauth2/v2.0/token", row.form)
		codes, _ := a.json["error_codes"].([]any)
		if a.status != row.status || a.text("error") != row.code || row.number != 0 &&
			(len(codes) != 1 || codes[0] != row.number) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if row.code == "invalid_scope" &&
			!strings.Contains(a.text("error_description"), "https://vault.localhost/.default") {
			t.Errorf("%s: no accepted scope in %s", name, a.body)
		}
		if a.text("trace_id") == "" || a.text("correlation_id") == "" || a.text("timestamp") == "" ||
			a.text("error_description") == "" {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

// Azure AD's first token endpoint takes the resource, and a scope where there is one.
func TestTokenForAResource(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "resource", everything)
	base := "grant_type=client_credentials&client_id=" + c.id + "&client_secret=" + c.secret
	for name, row := range map[string]struct {
		more   string
		status int
	}{
		"resource":            {"&resource=https://vault.localhost", 200},
		"with port and slash": {"&resource=https%3A%2F%2Fvault.localhost%3A8200%2F", 200},
		"both": {"&resource=https://vault.localhost&scope=https://vault.localhost/.default",
			200},
		"scope counts": {"&resource=https://vault.localhost&scope=https://vault.azure.net/.default", 400},
		"foreign":      {"&resource=https://vault.azure.net", 400},
		"two":          {"&resource=https://vault.azure.net/.default%20https://vault.localhost", 400},
	} {
		a := s.login("POST", "/adfs/oauth2/token", base+row.more)
		if a.status != row.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if row.status == 200 {
			c.token = a.text("access_token")
			c.ok("GET", "/secrets", "")
		}
	}
}

// A client that writes the vault's host with its last dot is challenged with that dot, and must get
// on with it.
func TestZoneWithALastDot(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "last-dot", everything)
	c.host = strings.Replace(c.host, ":", ".:", 1)
	const resource = "https://vault.localhost.:8200"
	unknown := *c
	unknown.token = ""
	if a := unknown.call("GET", "/secrets", ""); !strings.HasSuffix(a.header.Get("Www-Authenticate"),
		`resource="`+resource+`"`) {
		t.Errorf("challenge %q", a.header["Www-Authenticate"])
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id},
		"client_secret": {c.secret}, "scope": {resource + "/.default"}}
	a := s.login("POST", "/adfs/oauth2/token", form.Encode())
	if c.token = a.text("access_token"); a.status != 200 {
		t.Fatalf("token: %d %s", a.status, a.body)
	}
	c.ok("GET", "/secrets", "")
}

func TestTokenOfOneZoneIsNotGoodElsewhere(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "token-shape", everything)
	for name, token := range map[string]string{
		"cut": c.token[:len(c.token)-2], "altered": c.token[:20] + "A" + c.token[21:],
		"twice": c.token + "." + c.token, "long": strings.Repeat("a", 10000),
	} {
		other := *c
		other.token = token
		if a := other.call("GET", "/secrets", ""); a.status != 401 ||
			a.header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
