package httpapi_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
	"keyquorum/httpapi/forwarded"
)

// The networks of these tests are addresses of the loopback: a balancer is at 127.0.0.2, and
// everybody else comes from elsewhere.
const (
	balancer  = "127.0.0.2"
	elsewhere = "127.0.0.3"
)

var balancers = []netip.Prefix{netip.MustParsePrefix(balancer + "/32")}

// announced opens a connection, says something before its handshake, and does that.
func (f *front) announced(from, header string) (*tls.Conn, error) {
	raw := f.silent(from)
	if _, err := io.WriteString(raw, header); err != nil {
		return nil, err
	}
	conn := tls.Client(raw, f.tls)
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn, conn.Handshake()
}

// version2 is a PROXY header in binary: a command, family and protocol, and what follows.
func version2(command, family byte, block string) string {
	what := []byte{0x20 | command, family, 0, byte(len(block))}
	return "\r\n\r\n\x00\r\nQUIT\n" + string(what) + block
}

const (
	tcp4  = "\xcb\x00\x71\x07\x7f\x00\x00\x01\xc3\x50\x20\x08" // 203.0.113.7:50000
	tcp6  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07"
	tcp6s = tcp6 + tcp6 + "\xc3\x50\x20\x08" // [2001:db8::7]:50000
)

// placed asks as an operator, and returns where the usage record says that the caller is.
func (f *front) placed(conn *tls.Conn, headers ...string) (remote, via any) {
	f.t.Helper()
	f.s.usage.take()
	request := strings.Replace(f.operates(), "\r\n\r\n",
		"\r\n"+strings.Join(append(headers, ""), "\r\n")+"\r\n", 1)
	if status, body, err := ask(conn, request); err != nil || status != 200 {
		f.t.Fatalf("%q: %d %s %v", headers, status, body, err)
	}
	u := f.s.one(f.t, "an operator's question")
	return u["remote"], u["via"]
}

func TestProxyHeaderTellsWhoCalls(t *testing.T) {
	f := newFrontBehind(t, 256, &forwarded.Trust{Proxies: balancers}, hclog.NewNullLogger())
	for header, client := range map[string]string{
		"PROXY TCP4 203.0.113.7 127.0.0.1 50000 8200\r\n":    "203.0.113.7:50000",
		"PROXY TCP6 2001:db8::7 2001:db8::1 50000 8200\r\n":  "[2001:db8::7]:50000",
		version2(1, 0x11, tcp4):                              "203.0.113.7:50000",
		version2(1, 0x21, tcp6s):                             "[2001:db8::7]:50000",
		version2(1, 0x11, tcp4+"\x04\x00\x01\x00"):           "203.0.113.7:50000", // and an extension
		"PROXY UNKNOWN\r\n":                                  "",                  // it asks for itself
		version2(0, 0x11, tcp4):                              "",
		version2(0, 0, ""):                                   "",
		"PROXY TCP4 127.0.0.1 127.0.0.1 50000 8200\r\n":      "127.0.0.1:50000",
		"PROXY UNKNOWN 203.0.113.7 127.0.0.1 50000 8200\r\n": "",
	} {
		conn, err := f.announced(balancer, header)
		if err != nil {
			t.Errorf("%q: %v", header, err)
			continue
		}
		for range 2 { // each request of the connection
			remote, via := f.placed(conn, "X-Forwarded-For: 198.51.100.1")
			wire := conn.LocalAddr().String()
			if client == "" && (remote != wire || via != nil) ||
				client != "" && (remote != client || via != wire) {
				t.Errorf("%q: the caller is at %v via %v, want %q via %s", header, remote, via, client, wire)
			}
		}
	}
}

// A connection of a named network that has no good header gets no further, and nobody else's header
// is one: it is no TLS.
func TestOnlyBalancersAnnounce(t *testing.T) {
	log := new(logText)
	f := newFrontBehind(t, 256, &forwarded.Trust{Proxies: balancers}, log.logger())
	good := "PROXY TCP4 203.0.113.7 127.0.0.1 50000 8200\r\n"
	before := f.metric(`keyquorum_connections_closed_total{reason="unknown"}`)
	bad := []string{
		"", "PROXY ", "PROXY TCP4 203.0.113.7 127.0.0.1 50000 8200\n", "PROXY TCP4 a b 1 2\r\n",
		strings.Repeat("PROXY ", 100), version2(1, 0x11, tcp4[:8]), version2(1, 0, ""),
		version2(1, 0x12, tcp4), version2(1, 0x31, strings.Repeat("/", 216)), version2(7, 0x11, tcp4),
	}
	for _, header := range bad {
		if _, err := f.announced(balancer, header); err == nil {
			t.Errorf("a balancer's %q is taken", header)
		}
	}
	if n := f.metric(`keyquorum_connections_closed_total{reason="unknown"}`) - before; n !=
		float64(len(bad)) {
		t.Errorf("%v connections are counted, and %d were closed", n, len(bad))
	}
	if !strings.Contains(log.String(), "peer="+balancer) ||
		!strings.Contains(log.String(), "no PROXY header") {
		t.Errorf("the log does not say which balancer writes no header: %s", log)
	}
	for _, header := range []string{good, version2(1, 0x11, tcp4)} {
		if _, err := f.announced(elsewhere, header); err == nil {
			t.Errorf("anybody's %q is taken", header)
		}
	}
	conn := f.shaken(elsewhere)
	if remote, via := f.placed(conn); remote != conn.LocalAddr().String() || via != nil {
		t.Errorf("who comes directly is at %v via %v", remote, via)
	}
}

func TestOthersThanBalancersAreDenied(t *testing.T) {
	f := newFrontBehind(t, 256, &forwarded.Trust{Proxies: balancers, OnlyProxies: true},
		hclog.NewNullLogger())
	if _, err := f.announced(balancer, version2(1, 0x11, tcp4)); err != nil {
		t.Errorf("a balancer: %v", err)
	}
	if _, err := f.announced(elsewhere, ""); err == nil {
		t.Error("who comes directly is let in")
	}
}

// A silent balancer is closed in the time of a handshake, in the place of a newcomer.
func TestProxyHeaderIsNotAwaitedForEver(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a handshake's time")
	}
	f := newFrontBehind(t, 256, &forwarded.Trust{Proxies: balancers}, hclog.NewNullLogger())
	conn := f.silent(balancer)
	if n := f.metric(`keyquorum_connections{standing="arriving"}`); n < 1 {
		t.Errorf("%v connections are arriving", n)
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the silent connection ended with %v", err)
	}
}

// Behind a balancer, too, a source is one caller: a crowd of one address leaves the others alone.
func TestSourcesAreCallers(t *testing.T) {
	f := newFrontBehind(t, 256, &forwarded.Trust{Proxies: balancers}, hclog.NewNullLogger())
	from := func(client string) *tls.Conn {
		t.Helper()
		conn, err := f.announced(balancer, fmt.Sprintf("PROXY TCP4 %s 127.0.0.1 5000 8200\r\n", client))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	quiet := from("203.0.113.1")
	for range 60 { // of 32 that a source may have
		from("203.0.113.2")
	}
	if n := f.metric(`keyquorum_connections_closed_total{reason="source"}`); n != 28 {
		t.Errorf("%v connections went for their source, want 28", n)
	}
	if n := f.metric(`keyquorum_connection_sources`); n < 2 {
		t.Errorf("there are %v sources", n)
	}
	if status, _, err := ask(quiet, healthy); err != nil || status != 200 {
		t.Errorf("another caller behind the balancer: %d %v", status, err)
	}
}

func TestForwardedForTellsWhoCalls(t *testing.T) {
	f := newFrontBehind(t, 256, &forwarded.Trust{Headers: balancers, Skips: 1}, hclog.NewNullLogger())
	for _, row := range []struct{ from, header, client string }{
		{balancer, "X-Forwarded-For: 198.51.100.9, 203.0.113.7, 10.0.0.1", "203.0.113.7"},
		{balancer, "x-forwarded-for: 203.0.113.7:4711,10.0.0.1", "203.0.113.7:4711"},
		{balancer, "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.0.0.1", "203.0.113.7"},
		{balancer, "X-Forwarded-For: ", ""},
		{balancer, "X-Other: 1", ""},
		{elsewhere, "X-Forwarded-For: 203.0.113.7, 10.0.0.1", ""},
		{elsewhere, "X-Forwarded-For: what is this", ""},
	} {
		conn := f.shaken(row.from)
		wire := conn.LocalAddr().String()
		remote, via := f.placed(conn, row.header)
		if row.client == "" && (remote != wire || via != nil) ||
			row.client != "" && (remote != row.client || via != wire) {
			t.Errorf("%v: the caller is at %v via %v", row, remote, via)
		}
	}
}

// What a balancer says and can't be read is refused by every plane, in its own format, and the
// usage record has the address that the node has seen.
func TestForwardedForThatCannotBeRead(t *testing.T) {
	f := newFrontBehind(t, 256, &forwarded.Trust{Headers: balancers, Skips: 1, RejectAbsent: true,
		RejectForeign: true}, hclog.NewNullLogger())
	for _, row := range []struct{ from, header, says string }{
		{balancer, "X-Forwarded-For: 10.0.0.1", "fewer addresses"},
		{balancer, "X-Forwarded-For: unknown, 10.0.0.1", `\"unknown\"`},
		{balancer, "X-Other: 1", "is missing"},
		{elsewhere, "X-Other: 1", "is missing"},
		{elsewhere, "X-Forwarded-For: 203.0.113.7, 10.0.0.1", "from its balancers only"},
	} {
		for plane, line := range map[string]string{
			"operator":    "GET /v1/sys/health HTTP/1.1\r\nHost: " + nodeHost,
			"application": "GET /secrets HTTP/1.1\r\nHost: demo.vault.localhost:8200",
			"login":       "POST /adfs/oauth2/token HTTP/1.1\r\nHost: " + loginHost,
			"document":    "GET /openapi.json HTTP/1.1\r\nHost: " + nodeHost,
		} {
			f.s.usage.take()
			conn := f.shaken(row.from)
			status, body, err := ask(conn, line+"\r\n"+row.header+"\r\n\r\n")
			if err != nil || status != 400 || !strings.Contains(body, row.says) {
				t.Errorf("%s, %v: %d %s %v", plane, row, status, body, err)
			}
			for _, u := range f.s.usage.take() {
				if u["remote"] != conn.LocalAddr().String() || u["via"] != nil {
					t.Errorf("%s, %v is recorded as %v", plane, row, u)
				}
			}
		}
	}
}

// A header from a proxy of a proxy: the second is where the first says that it is.
func TestBothKindsOfBalancers(t *testing.T) {
	inner := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	f := newFrontBehind(t, 256, &forwarded.Trust{Proxies: balancers, Headers: inner},
		hclog.NewNullLogger())
	conn, err := f.announced(balancer, version2(1, 0x11, tcp4))
	if err != nil {
		t.Fatal(err)
	}
	remote, via := f.placed(conn, "X-Forwarded-For: 198.51.100.5")
	if remote != "198.51.100.5" || via != conn.LocalAddr().String() {
		t.Errorf("the caller is at %v via %v", remote, via)
	}
}

// Why a join failed is told to a caller on this machine. Nobody is that by a balancer's word.
func TestNobodyIsNearByWord(t *testing.T) {
	s := newService(t)
	trust := &forwarded.Trust{Proxies: balancers,
		Headers: []netip.Prefix{netip.MustParsePrefix(elsewhere + "/32")}}
	f := s.front(t, httpapi.Config{Trust: trust}, hclog.NewNullLogger())
	body := `{"leader_api_addr":"https://127.0.0.1:1"}`
	request := "POST /v1/sys/storage/raft/join HTTP/1.1\r\nHost: " + nodeHost +
		"\r\nX-Forwarded-For: 127.0.0.1:5000\r\nContent-Length: " + fmt.Sprint(len(body)) +
		"\r\n\r\n" + body
	byProxy, err := f.announced(balancer, "PROXY TCP4 127.0.0.1 127.0.0.1 5000 8200\r\n")
	if err != nil {
		t.Fatal(err)
	}
	for who, row := range map[string]struct {
		conn *tls.Conn
		told bool
	}{
		"directly":           {f.shaken("127.0.0.1"), true},
		"by a PROXY header":  {byProxy, false},
		"by X-Forwarded-For": {f.shaken(elsewhere), false},
	} {
		status, body, err := ask(row.conn, request)
		if err != nil || status != 500 ||
			strings.Contains(body, "the log of this node says why") == row.told {
			t.Errorf("%s: %d %s %v", who, status, body, err)
		}
	}
}
