package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
	"keyquorum/httpapi/forwarded"
)

// A glass is the break-glass socket of the shared node.
type glass struct {
	t    *testing.T
	s    *service
	path string
	http *http.Client
}

// namedPeers says of each connection that it comes from a user, as the listener does that the
// program has.
type namedPeers struct{ net.Listener }

type namedPeer struct{ net.Conn }

func (namedPeer) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "uid 7", Net: "unix"} }

func (l namedPeers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return namedPeer{c}, err
}

func newGlass(t *testing.T) *glass {
	t.Helper()
	dir, err := os.MkdirTemp("", "glass")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	g := &glass{t: t, s: unsealed(t), path: filepath.Join(dir, "s")}
	l, err := net.Listen("unix", g.path)
	if err != nil {
		t.Fatal(err)
	}
	strict := &forwarded.Trust{Headers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		RejectAbsent: true, RejectForeign: true}
	server := httpapi.NewServer(g.s.n, httpapi.Config{Zones: []httpapi.Zone{zone}, Trust: strict},
		hclog.NewNullLogger())
	opened := server.BreakGlass()
	served := make(chan error, 1)
	go func() { served <- opened.Serve(namedPeers{l}) }()
	g.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", g.path)
		}}}
	t.Cleanup(func() {
		g.http.CloseIdleConnections()
		opened.Close()
		server.Handler.(*httpapi.Handler).Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the socket ended with %v", err)
		}
	})
	return g
}

func (g *glass) call(method, path, body string, header ...string) (a answer) {
	g.t.Helper()
	r, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	got, err := g.http.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	a = answer{status: got.StatusCode, header: got.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.json)
	return a
}

// TestBreakGlassServesNothingElse asks the socket for everything that there is, with a good token
// and without one.
func TestBreakGlassServesNothingElse(t *testing.T) {
	g := newGlass(t)
	asked := 0
	walk := func(host, below string) func(httpapi.RouteRow, string, string) {
		return func(r httpapi.RouteRow, method, path string) {
			if strings.Contains(r.Shape, "generate-root") {
				return
			}
			for _, token := range []string{"", g.s.token} {
				asked++
				a := g.call(method, below+path, "{}", "X-Vault-Token", token, "Host", host)
				if a.status != 404 || method != "HEAD" && !strings.Contains(a.body, "break-glass socket") {
					t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
				}
			}
		}
	}
	eachRoute(httpapi.OperatorRows(), walk(nodeHost, "/v1"))
	eachRoute(httpapi.ApplicationRows(), walk("demo.vault.localhost", ""))
	if asked < 200 {
		t.Errorf("%d calls were made", asked)
	}
	for _, path := range []string{"/", "/openapi.json", "/v1/", "/sys/generate-root/attempt",
		"/v1/sys/generate-root/attempt/", "/v1/sys/generate-root", "/v1/sys/generate-root/../health",
		"/v1/sys/decode-token", "/v1/sys/generate-root/%61ttempt/x"} {
		if a := g.call("GET", path, ""); a.status != 404 {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
	if a := g.call("PATCH", "/v1/sys/generate-root/attempt", "{}"); a.status != 405 {
		t.Errorf("PATCH: %d %s", a.status, a.body)
	}
}

// TestBreakGlassMakesARootToken without a token, under both names of the calls.
func TestBreakGlassMakesARootToken(t *testing.T) {
	g := newGlass(t)
	for _, at := range []string{"/v1/sys/generate-root/", "/v1/sys/generate-root-token/"} {
		g.s.usage.take()
		begun := g.call("PUT", at+"attempt", "", "X-Forwarded-For", "10.1.1.1")
		otp, nonce := begun.text("otp"), begun.text("nonce")
		if begun.status != 200 || otp == "" {
			t.Fatalf("begun: %d %s", begun.status, begun.body)
		}
		if a := g.call("GET", at+"attempt", ""); a.json["started"] != true || a.text("nonce") != nonce {
			t.Errorf("the status: %s", a.body)
		}
		last := g.call("PUT", at+"update", `{"key":"`+g.s.shares[0]+`","nonce":"`+nonce+`"}`)
		masked, err := base64.RawStdEncoding.DecodeString(last.text("encoded_token"))
		if err != nil || len(masked) != len(otp) {
			t.Fatalf("the token: %d %s", last.status, last.body)
		}
		for i := range masked {
			masked[i] ^= otp[i]
		}
		if a := g.s.operate("GET", "/v1/auth/token/lookup-self", string(masked), ""); a.status != 200 {
			t.Errorf("the new token: %d %s", a.status, a.body)
		}
		said := ""
		for _, u := range g.s.usage.take() {
			if u["remote"] == "break-glass socket, uid 7" && u["via"] == nil && u["accessor"] == nil {
				said += fmt.Sprintf("%v %v %v\n", u["operation"], u["status"], u["detail"])
			}
		}
		for _, line := range []string{"sys/generate-root/init 200", "sys/generate-root/status 200",
			"sys/generate-root/update 202 a root token is made",
			"sys/generate-root/update 200 made the root token of accessor "} {
			if !strings.Contains(said, line) {
				t.Errorf("the usage log has no %q: %s", line, said)
			}
		}
	}
}

// TestBreakGlassRefusesBadRequests, and lets none of them end what is under way.
func TestBreakGlassRefusesBadRequests(t *testing.T) {
	g := newGlass(t)
	const at = "/v1/sys/generate-root/"
	nonce := g.call("PUT", at+"attempt", "").text("nonce")
	defer g.call("DELETE", at+"attempt", "")
	for _, row := range []struct {
		method, path, body, header string
		status                     int
		says                       string
	}{
		{"PUT", "attempt", "", "", 400, "already in progress"},
		{"PUT", "attempt", `{"otp":1}`, "", 400, ""},
		{"PUT", "attempt", `{"pgp_key":"` + strings.Repeat("a", 64<<10) + `"}`, "", 413, "too large"},
		{"PUT", "update", `{"key":"` + strings.Repeat("a", 8<<10) + `"}`, "", 413, "too large"},
		{"PUT", "update", `{"key":`, "", 400, ""},
		{"PUT", "update", `{}`, "", 400, "'key' must be specified"},
		{"PUT", "update", `{"key":"` + g.s.shares[0] + `","nonce":"other"}`, "", 400,
			"incorrect nonce"},
		{"GET", "attempt", "", "X-Vault-Namespace", 400, "namespaces"},
	} {
		var header []string
		if row.header != "" {
			header = []string{row.header, "a"}
		}
		a := g.call(row.method, at+row.path, row.body, header...)
		if a.status != row.status || !strings.Contains(a.body, row.says) {
			t.Errorf("%s %s %.40s: %d %s", row.method, row.path, row.body, a.status, a.body)
		}
	}
	wrong := `{"key":"` + g.s.shares[0][:len(g.s.shares[0])-4] + `0000","nonce":"` + nonce + `"}`
	a := g.call("PUT", at+"update", wrong)
	for i := 1; i < 500 && a.status == 400; i++ {
		a = g.call("PUT", at+"update", wrong)
	}
	if a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("many wrong shares: %d %s", a.status, a.body)
	}
	if a := g.call("GET", at+"attempt", ""); a.text("nonce") != nonce || a.json["progress"] != 0.0 {
		t.Errorf("afterwards: %s", a.body)
	}
}

// TestBreakGlassOutlastsSilence: connections that say nothing have all places, until they are
// closed.
func TestBreakGlassOutlastsSilence(t *testing.T) {
	g := newGlass(t)
	for range 16 {
		c, err := net.Dial("unix", g.path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if a := g.call("GET", "/v1/sys/generate-root/attempt", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
