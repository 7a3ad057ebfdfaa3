package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keyquorum/httpapi"
)

// pathOf fills a shape with parameters that are well formed.
func pathOf(shape string) string {
	const version = "0123456789abcdef0123456789abcdef"
	return "/" + strings.NewReplacer("{name}", "thing", "[version]", version, "{tenant}", "adfs",
		"{vault}", "nowhere",
		"{app}", "nobody", "{id}", "1").Replace(shape)
}

// eachRoute calls f for every method of every row.
func eachRoute(rows []httpapi.RouteRow, f func(r httpapi.RouteRow, method, path string)) {
	for _, r := range rows {
		for _, m := range r.Methods {
			f(r, m, pathOf(r.Shape))
		}
	}
}

func TestApplicationRoutesWantAToken(t *testing.T) {
	s := unsealed(t)
	const challenge = `Bearer authorization="https://login.localhost:8200/adfs", resource="https://vault.localhost:8200"`
	eachRoute(httpapi.ApplicationRows(), func(_ httpapi.RouteRow, method, path string) {
		for name, token := range map[string]string{"no token": "", "a bad token": "e30.e30.e30",
			"an operator's token": s.token} {
			c := &client{t: t, s: s, host: "any.vault.localhost:8200", token: token}
			for _, body := range []string{"", `{"value"`} {
				a := c.call(method, path, body)
				if a.status != 401 || a.at("error", "code") != "Unauthorized" {
					t.Errorf("%s %s with %s: %d %s", method, path, name, a.status, a.body)
				}
				if got := a.header["Www-Authenticate"]; len(got) != 1 || got[0] != challenge {
					t.Errorf("%s %s with %s: challenge %q", method, path, name, got)
				}
			}
		}
	})
}

func TestApplicationRoutesWantAPermission(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "no-permission", `{}`)
	bodies := map[string]string{"secrets/set": `{"value":"x"}`, "keys/create": `{"kty":"EC"}`}
	eachRoute(httpapi.ApplicationRows(), func(r httpapi.RouteRow, method, path string) {
		body := bodies[r.OperationRecord]
		if body == "" && r.Body > 0 {
			body = `{"alg":"ES256","value":"AAAA","digest":"AAAA"}`
		}
		a := c.call(method, path, body)
		if a.status != 403 || a.at("error", "code") != "Forbidden" ||
			a.at("error", "innererror", "code") != "ForbiddenByPolicy" {
			t.Errorf("%s %s without a grant: %d %s", method, path, a.status, a.body)
		}
		elsewhere := *c
		elsewhere.host = "no-such-vault.vault.localhost:8200"
		if a := elsewhere.call(method, path, body); a.status != 404 ||
			a.at("error", "code") != "VaultNotFound" {
			t.Errorf("%s %s in a vault that does not exist: %d %s", method, path, a.status, a.body)
		}
	})
}

// allowed are the operations that need no token. Whoever adds one should have to say so twice.
var allowed = []string{
	"sys/health", "sys/seal-status", "sys/leader", "sys/init", "sys/unseal", "sys/decode-token",
	"sys/storage/raft/join", "sys/storage/raft/bootstrap/challenge",
	"sys/storage/raft/bootstrap/answer", "keyquorum/unseal", "keyquorum/seal-lock",
}

func TestOperatorRoutesWantAToken(t *testing.T) {
	s := unsealed(t)
	eachRoute(httpapi.OperatorRows(), func(r httpapi.RouteRow, method, path string) {
		if r.Open && r.Body > 32<<10 {
			t.Errorf("%s: strangers may send %d bytes", r.Shape, r.Body)
		}
		if r.Open != slices.Contains(allowed, r.Shape) {
			t.Errorf("%s: open is %v, the allow-list says otherwise", r.Shape, r.Open)
		}
		for name, token := range map[string]string{"no token": "",
			"a bad token":      strings.Repeat("x", len(s.token)),
			"an endless token": strings.Repeat("y", 4000)} {
			a := s.operate(method, "/v1"+path, token, "")
			if denied := a.status == 403 && strings.Contains(a.body, "permission denied"); denied == r.Open {
				t.Errorf("%s %s with %s: %d %s", method, path, name, a.status, a.body)
			}
		}
	})
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/sys", "/v1/secret/data/x", "/ui/",
		"/v1/keyquorum/", "/v1/SYS/health", "/v1/sys/health/", "/v1//sys/health",
		"/v1/sys/../sys/health", "/v1/sys/%2e%2e/sys/health", "/v1/sys%2fhealth", "/v1/keyquorum/vaults/",
		"/v1/keyquorum/../sys/health",
		"/v1/a/b/c/d/e/f/g/h/i/j/k"} {
		if a := s.operate("GET", path, "", ""); a.status != 403 {
			t.Errorf("%s without a token: %d %s", path, a.status, a.body)
		}
		if a := s.operate("GET", path, s.token, ""); a.status != 404 && a.status != 501 ||
			!strings.Contains(a.body, "GET /openapi.json lists all there are") {
			t.Errorf("%s with a token: %d %s", path, a.status, a.body)
		}
	}
}

// Vault's clients take a 404 for "there is none" and end well; what is not built has to fail.
func TestVaultsCallsThatAreNotServed(t *testing.T) {
	s := unsealed(t)
	for _, row := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "sys/monitor", 501, "GET /v1/sys/monitor is not served: A node's log goes to"},
		{"DELETE", "sys/rekey/backup", 501, "No copies of new shares are kept"},
		{"GET", "sys/rotate/root/backup", 501, "No copies of new shares are kept"},
		{"GET", "sys/rotate/recovery/init", 501, "There are no recovery keys"},
		{"PUT", "sys/rotate/root", 501, "keyquorum operator rekey"},
		{"GET", "sys/pprof/heap", 501, "sys/pprof/goroutine alone"},
		{"PUT", "sys/storage/raft/snapshot-auto/config/x", 501, "The configuration of each node"},
		{"PUT", "sys/storage/raft/snapshot-force", 501, "keyquorum operator recover"},
		{"POST", "sys/storage/raft/bootstrap", 501, "keyquorum operator init"},
		{"GET", "sys/policiesque", 501, "Keyquorum has some of"},
		{"GET", "sys/audit", 501, "usage log"},
		{"PUT", "sys/policies/acl/x", 501, "PUT /v1/sys/policies/acl/x is not served"},
		{"POST", "auth/token/create", 501, "is not served"},
		{"GET", "secret/data/x", 501, "is not served"},
		{"GET", "keyquorum/nothing", 404, "No such path"},
		{"GET", "sys/../sys/seal-status", 404, "No such path"},
		{"GET", "sys/seal-status/", 404, "No such path"},
		{"DELETE", "auth/token/lookup-self", 405, "does not have this method"},
		{"DELETE", "sys/seal-status", 405, "does not have this method"},
	} {
		if a := s.operate(row.method, "/v1/"+row.path, s.token, ""); a.status != row.status ||
			!strings.Contains(a.body, row.says) {
			t.Errorf("%s %s: %d %s", row.method, row.path, a.status, a.body)
		}
	}
}

func TestMethodsThatARouteDoesNotHave(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "methods", everything)
	for _, m := range []string{"HEAD", "OPTIONS", "TRACE", "LIST", "QUERY", "POST"} {
		a := c.call(m, "/secrets", "")
		if a.status != 405 || a.header.Get("Allow") != "GET" {
			t.Errorf("%s /secrets: %d, Allow %q", m, a.status, a.header["Allow"])
		}
		if m != "HEAD" && a.at("error", "code") != "MethodNotAllowed" {
			t.Errorf("%s /secrets: %s", m, a.body)
		}
	}
	if a := s.operate("DELETE", "/v1/sys/health", "", ""); a.status != 405 ||
		!strings.HasPrefix(a.body, `{"errors":["`) {
		t.Errorf("DELETE sys/health: %d %s", a.status, a.body)
	}
	if a := s.operate("PATCH", "/v1/sys/step-down", "", ""); a.status != 403 {
		t.Errorf("PATCH sys/step-down without a token: %d", a.status)
	}
	if a := s.operate("PATCH", "/v1/sys/step-down", s.token, ""); a.status != 405 {
		t.Errorf("PATCH sys/step-down: %d", a.status)
	}
	if a := s.login("GET", "/adfs/oauth2/token", ""); a.status != 405 ||
		a.text("error") != "invalid_request" {
		t.Errorf("GET token: %d %s", a.status, a.body)
	}
}

func TestSealedNodeRefusesEveryRoute(t *testing.T) {
	s := newService(t) // not even initialised
	eachRoute(httpapi.ApplicationRows(), func(_ httpapi.RouteRow, method, path string) {
		c := &client{t: t, s: s, host: "any.vault.localhost:8200"}
		a := c.call(method, path, "")
		if a.status != 503 || a.header.Get("Retry-After") != "1" ||
			a.at("error", "code") != "ServiceUnavailable" || a.header["Www-Authenticate"] != nil {
			t.Errorf("%s %s: %d %v %s", method, path, a.status, a.header, a.body)
		}
	})
	eachRoute(httpapi.OperatorRows(), func(r httpapi.RouteRow, method, path string) {
		a := s.operate(method, "/v1"+path, "", "")
		switch {
		case r.Open:
		case r.WhenIdle:
			if a.status != 204 {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		case a.status != 503 || !strings.Contains(a.body, "operator init") ||
			a.header.Get("Retry-After") != "1":
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
	})
	if a := s.login("POST", "/adfs/oauth2/token", ""); a.status != 503 ||
		a.text("error") != "temporarily_unavailable" || a.header.Get("Retry-After") != "1" {
		t.Errorf("token endpoint: %d %s", a.status, a.body)
	}
}

func TestEveryAnswerHasTheHeadersOfItsPlane(t *testing.T) {
	s := unsealed(t)
	answers := map[string]answer{
		"vault":    (&client{t: t, s: s, host: "any.vault.localhost"}).call("GET", "/secrets", ""),
		"login":    s.login("GET", "/adfs/.well-known/openid-configuration?", ""),
		"operator": s.operate("GET", "/v1/sys/seal-status", "", ""),
		"refusal":  s.operate("GET", "/nothing", "", ""),
	}
	for name, a := range answers {
		for header, want := range map[string]string{
			"Content-Type": "application/json", "Cache-Control": "no-store",
			"X-Content-Type-Options":    "nosniff",
			"Strict-Transport-Security": "max-age=",
		} {
			if !strings.Contains(a.header.Get(header), want) {
				t.Errorf("%s: %s is %q", name, header, a.header.Get(header))
			}
		}
		if a.status/100 == 3 || a.header.Get("Location") != "" {
			t.Errorf("%s: redirected to %q", name, a.header.Get("Location"))
		}
	}
	for _, header := range []string{"X-Ms-Request-Id", "X-Ms-Keyvault-Service-Version",
		"X-Ms-Keyvault-Region", "Pragma", "Expires"} {
		if answers["vault"].header.Get(header) == "" {
			t.Errorf("the application plane's answers lack %s", header)
		}
	}
}

func TestClientRequestIDIsEchoedWhenItIsPrintable(t *testing.T) {
	s := unsealed(t)
	for sent, want := range map[string]string{
		"8d5f1b1c-client": "8d5f1b1c-client", "a\tb": "",
		strings.Repeat("x", 100): strings.Repeat("x", 64), "naïve": "",
	} {
		r, _ := http.NewRequest("GET", "https://any.vault.localhost:8200/secrets"+apiQuery, nil)
		r.Header.Set("X-Ms-Client-Request-Id", sent)
		if got := s.serve(r).header.Get("X-Ms-Client-Request-Id"); got != want {
			t.Errorf("%q came back as %q, want %q", sent, got, want)
		}
	}
}
