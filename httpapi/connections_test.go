package httpapi_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
	"keyquorum/httpapi/forwarded"
	"keyquorum/internal/twoways"
)

// A front is the shared node behind real sockets, with few places.
type front struct {
	t    *testing.T
	s    *service
	addr string
	tls  *tls.Config
}

func newFront(t *testing.T, places int) *front {
	t.Helper()
	return newFrontBehind(t, places, nil, hclog.NewNullLogger())
}

// newFrontBehind believes balancers.
func newFrontBehind(
	t *testing.T, places int, trust *forwarded.Trust, logger hclog.Logger,
) *front {
	t.Helper()
	return unsealed(t).front(t, httpapi.Config{
		Zones: []httpapi.Zone{zone}, Connections: places, OpenMetrics: true, Trust: trust,
	}, logger)
}

// front puts a node behind real sockets.
func (s *service) front(t *testing.T, config httpapi.Config, logger hclog.Logger) *front {
	t.Helper()
	certified := httptest.NewUnstartedServer(nil) // for its certificate
	certified.StartTLS()
	t.Cleanup(certified.Close)
	server := httpapi.NewServer(s.n, config, logger)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(l, certified.TLS) }()
	t.Cleanup(func() {
		server.Close()
		server.Handler.(*httpapi.Handler).Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return &front{t, s, l.Addr().String(), &tls.Config{InsecureSkipVerify: true}}
}

// silent opens a connection from an address of this machine and says nothing.
func (f *front) silent(from string) net.Conn {
	f.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	conn, err := d.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

func (f *front) shaken(from string) *tls.Conn {
	f.t.Helper()
	conn := tls.Client(f.silent(from), f.tls)
	if err := conn.Handshake(); err != nil {
		f.t.Fatal(err)
	}
	return conn
}

// ask sends one request and reads its answer.
func ask(conn net.Conn, request string) (status int, body string, err error) {
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, "", err
	}
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, string(b), err
}

const healthy = "GET /v1/sys/health HTTP/1.1\r\nHost: " + nodeHost + "\r\n\r\n"

func (f *front) operates() string {
	return "GET /v1/sys/ha-status HTTP/1.1\r\nHost: " + nodeHost + "\r\nX-Vault-Token: " + f.s.token +
		"\r\n\r\n"
}

// metric is a sample of the front's own figures.
func (f *front) metric(name string) float64 {
	f.t.Helper()
	_, text, err := ask(f.shaken("127.0.0.1"),
		"GET /v1/sys/metrics HTTP/1.1\r\nHost: "+nodeHost+"\r\n\r\n")
	if err != nil {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		var value float64
		if _, err := fmt.Sscanf(line, name+" %g", &value); err == nil {
			return value
		}
	}
	f.t.Fatalf("there is no %s among\n%s", name, text)
	return 0
}

// However many strangers hold connections, done with their handshakes or not, an operator's and a
// probe's stay, and new ones come in at once.
func TestStrangersKeepNobodyOut(t *testing.T) {
	f := newFront(t, 256)
	operator, probe := f.shaken("127.0.0.1"), f.shaken("127.0.0.1")
	for conn, request := range map[net.Conn]string{operator: f.operates(), probe: healthy} {
		if status, body, err := ask(conn, request); err != nil || status != 200 {
			t.Fatalf("before: %d %s %v", status, body, err)
		}
	}
	for i := range 600 {
		from := fmt.Sprintf("127.1.%d.%d", i/250, i%250+1)
		if i%2 == 0 {
			f.silent(from)
		} else {
			ask(f.shaken(from), "GET / HTTP/1.1\r\nHost: any.vault.localhost\r\n\r\n")
		}
	}
	for name, with := range map[string]struct {
		conn    net.Conn
		request string
	}{
		"an operator's connection": {operator, f.operates()}, "a probe's connection": {probe, healthy},
		"an operator who comes": {f.shaken("127.0.0.1"), f.operates()},
		"a probe that comes":    {f.shaken("127.0.0.1"), healthy},
	} {
		began := time.Now()
		status, body, err := ask(with.conn, with.request)
		if took := time.Since(began); err != nil || status != 200 || took > time.Second {
			t.Errorf("%s: %d %.80s %v after %v", name, status, body, err, took)
		}
	}
	if closed := f.metric(`keyquorum_connections_closed_total{reason="crowded"}`); closed < 300 {
		t.Errorf("%v connections were closed because it was crowded", closed)
	}
}

// Probes have a share, and no more: who poses as one by the hundred keeps no operator out.
func TestManyProbesKeepNoOperatorOut(t *testing.T) {
	f := newFront(t, 256)
	operator := f.shaken("127.0.0.1")
	if status, body, err := ask(operator, f.operates()); err != nil || status != 200 {
		t.Fatalf("before: %d %s %v", status, body, err)
	}
	for i := range 400 {
		conn := f.shaken(fmt.Sprintf("127.2.%d.%d", i/250, i%250+1))
		if status, _, err := ask(conn, healthy); err != nil || status != 200 {
			t.Fatalf("probe %d: %d %v", i, status, err)
		}
	}
	for _, conn := range []net.Conn{operator, f.shaken("127.0.0.1")} {
		if status, body, err := ask(conn, f.operates()); err != nil || status != 200 {
			t.Errorf("afterwards: %d %s %v", status, body, err)
		}
	}
}

// One address has its part of the places, and whoever comes from it anew replaces its idlest.
func TestOneAddressHasItsPart(t *testing.T) {
	f := newFront(t, 256) // 32 for each
	elsewhere := f.silent("127.3.0.1")
	first := f.silent("127.3.0.2")
	for range 40 {
		f.silent("127.3.0.2")
	}
	newcomer := f.shaken("127.3.0.2")
	if status, body, err := ask(newcomer, f.operates()); err != nil || status != 200 {
		t.Errorf("an operator at the address that has too many: %d %s %v", status, body, err)
	}
	if !ended(first) || ended(elsewhere) {
		t.Error("the idlest of the address stayed, or another address had to go")
	}
	if closed := f.metric(`keyquorum_connections_closed_total{reason="source"}`); closed < 9 {
		t.Errorf("%v connections were closed for their source", closed)
	}
}

// ended says whether the other end has closed a connection, within a moment.
func ended(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func TestHandshakesHaveATime(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a handshake's time")
	}
	f := newFront(t, 256)
	conn := f.silent("127.4.0.1")
	began := time.Now()
	conn.SetReadDeadline(began.Add(20 * time.Second))
	_, err := conn.Read(make([]byte, 1))
	if took := time.Since(began); errors.Is(err, os.ErrDeadlineExceeded) || took < 3*time.Second {
		t.Errorf("who does no handshake is there for %v: %v", took, err)
	}
	if n := f.metric(`keyquorum_connections_closed_total{reason="handshake"}`); n < 1 {
		t.Errorf("%v handshakes failed", n)
	}
}

// A request that can be read in two ways is answered with 400, by nobody of ours, and is the last
// of its connection.
func TestTwoWaysAreRefusedOnTheWire(t *testing.T) {
	f := newFront(t, 256)
	for name, request := range twoways.Requests {
		conn := f.shaken("127.0.0.1")
		status, _, err := ask(conn, request)
		if name == "one after a good length" { // refused while the first is served
			continue
		}
		if err != nil || status != 400 {
			t.Errorf("%s: %d %v", name, status, err)
		}
		if !ended(conn) {
			t.Errorf("%s: the connection stays", name)
		}
	}
	if n := f.metric(`keyquorum_connections_closed_total{reason="ambiguous"}`); int(n) != len(twoways.Requests) {
		t.Errorf("%v requests of %d were refused as ambiguous", n, len(twoways.Requests))
	}
	for name, request := range twoways.OneWay {
		if name == "two in a row" || strings.HasPrefix(request, "OPTIONS") {
			continue
		}
		if status, body, err := ask(f.shaken("127.0.0.1"), request); err != nil ||
			strings.Contains(body, "Bad Request") {
			t.Errorf("%s: %d %s %v", name, status, body, err)
		}
	}
}

func TestWhoSpeaksPlainHTTPIsTold(t *testing.T) {
	f := newFront(t, 256)
	if status, body, err := ask(f.silent("127.0.0.1"), healthy); err != nil || status != 400 ||
		!strings.Contains(body, "HTTPS") {
		t.Errorf("%d %s %v", status, body, err)
	}
}

// What a header asks for is obeyed when it is known who asks: a stranger neither has others asked
// nor is waited for.
func TestHeadersOfStrangersAreNotObeyed(t *testing.T) {
	s := unsealed(t)
	fences := func() uint64 { return s.n.Figures().Cluster.Fences.Count() }
	send := func(method, target, host string, headers ...string) answer {
		r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader("{}"))
		r.Host = host
		r.Header.Set("X-Keyquorum-Consistency", "fenced")
		r.Header.Set("X-Vault-Index", "18446744073709551615")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return s.serve(r)
	}
	for range 100 { // without a lease every read takes a fence, a stranger's too
		if s.n.Figures().Cluster.Lease > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	before, began := fences(), time.Now()
	for _, path := range []string{"/v1/sys/health", "/v1/sys/seal-status", "/v1/sys/leader",
		"/v1/sys/init"} {
		if a := send("GET", path, nodeHost); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, token := range []string{"", "nonsense", "kq." + strings.Repeat("x", len(s.token)-3)} {
		if a := send("GET", "/v1/sys/ha-status", nodeHost, "X-Vault-Token", token); a.status != 403 {
			t.Errorf("with the token %q: %d %s", token, a.status, a.body)
		}
	}
	send("GET", "/secrets/x"+apiQuery, "any.vault.localhost:8200", "Authorization",
		"Bearer e30.e30.e30")
	send("POST", "/adfs/oauth2/token", loginHost)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("strangers were waited for: %v", took)
	}
	if n := fences() - before; n != 0 {
		t.Errorf("strangers had %d fences asked for", n)
	}
	r := httptest.NewRequest("GET", "/v1/sys/ha-status", nil)
	r.Host = nodeHost
	r.Header.Set("X-Keyquorum-Consistency", "fenced")
	r.Header.Set("X-Vault-Token", s.token)
	if a := s.serve(r); a.status != 200 || fences() == before {
		t.Errorf("an operator's fence: %d, %d fences", a.status, fences()-before)
	}
}
