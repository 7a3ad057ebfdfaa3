package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// Every answer of the application plane, refusals of every status included, has the headers that
// Azure sends, and no others that mean something.
func TestHeadersOfEveryKindOfAnswer(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "headers", everything)
	c.s = s.with("Accept-Encoding", "gzip, deflate, br")
	secretKind.make(c, "s", false)
	answers := map[string]answer{}
	ask := func(status int, name string, a answer) {
		if a.status != status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		answers[name] = a
	}
	ask(200, "bundle", c.call("GET", "/secrets/s", ""))
	ask(200, "page", c.call("GET", "/keys", ""))
	ask(200, "random bytes", c.call("POST", "/rng", `{"count":128}`))
	ask(400, "bad request", c.call("PUT", "/secrets/s", `{`))
	ask(401, "no token", (&client{t: t, s: c.s, host: c.host}).call("DELETE", "/secrets/s", ""))
	ask(404, "no secret", c.call("GET", "/secrets/none", ""))
	ask(404, "no path", c.call("GET", "/none", ""))
	ask(405, "no method", c.call("OPTIONS", "/secrets", ""))
	ask(405, "HEAD", c.call("HEAD", "/secrets/s", ""))
	c.call("DELETE", "/secrets/s", "")
	ask(409, "conflict", c.call("PUT", "/secrets/s", `{"value":"x"}`))
	ask(204, "purge", c.call("DELETE", "/deletedsecrets/s", ""))
	ask(413, "large", c.call("POST", "/rng", strings.Repeat(" ", 5000)))
	ask(414, "long", c.call("GET", "/secrets/"+strings.Repeat("a", 9000), ""))
	ask(503, "sealed", (&client{t: t, s: newService(t), host: c.host}).call("GET", "/secrets", ""))
	ids := map[string]bool{}
	for name, a := range answers {
		for header, want := range map[string]string{"Cache-Control": `no-cache(, no-store)?`,
			"Pragma": "no-cache", "Expires": "-1", "X-Content-Type-Options": "nosniff",
			"Strict-Transport-Security":     `max-age=\d+; includeSubDomains`,
			"X-Ms-Request-Id":               `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`,
			"X-Ms-Keyvault-Service-Version": `\S+`, "X-Ms-Keyvault-Region": `\S+`} {
			if got := a.header[header]; len(got) != 1 ||
				!regexp.MustCompile("^"+want+"$").MatchString(got[0]) {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		ids[a.header.Get("X-Ms-Request-Id")] = true
		for _, header := range []string{"Etag", "Last-Modified", "Content-Encoding", "Location", "Server",
			"X-Powered-By", "Set-Cookie"} {
			if got := a.header[header]; got != nil {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		want := []string{"application/json; charset=utf-8"}
		if a.status == 204 {
			want = nil
		}
		if got := a.header["Content-Type"]; fmt.Sprint(got) != fmt.Sprint(want) || a.status == 204 &&
			(a.body != "" || a.header["Content-Length"] != nil) {
			t.Errorf("%s: Content-Type %q of %q", name, got, a.body)
		}
	}
	if len(ids) != len(answers) {
		t.Errorf("%d request ids of %d answers", len(ids), len(answers))
	}
	r := httptest.NewRequest(http.MethodGet, "/secrets/none"+apiQuery, nil)
	r.Host = c.host
	r.Header.Set("X-Ms-Client-Request-Id", "of-the-client")
	if a := s.serve(r); a.header.Get("X-Ms-Client-Request-Id") != "of-the-client" {
		t.Errorf("echoed %q", a.header["X-Ms-Client-Request-Id"])
	}
}
