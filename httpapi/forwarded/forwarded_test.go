package forwarded_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/httpapi/forwarded"
)

func networks(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	n, err := forwarded.Networks(texts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNetworks(t *testing.T) {
	for text, says := range map[string]string{
		"10.1.0.0/16": "", "10.1.2.3": "", " 192.0.2.0/24 ": "", "2001:db8::/32": "", "::1": "",
		"0.0.0.0/0":             "everybody",
		"::/0":                  "everybody",
		"10.1.2.3/16":           "is 10.1.0.0/16 meant",
		"::ffff:10.0.0.0/104":   "as an IPv4 network",
		"::ffff:10.0.0.1":       "as an IPv4 network",
		"fe80::1%eth0":          "a network is wanted",
		"balancer.example.org":  "a network is wanted",
		"10.1.0.0-10.1.255.255": "a network is wanted",
		"":                      "a network is wanted",
	} {
		_, err := forwarded.Networks([]string{text})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	if _, err := forwarded.Networks(make([]string, 257)); err == nil {
		t.Error("there is no bound on how many networks are named")
	}
}

func TestNamedNetworkTellsTheClient(t *testing.T) {
	trust := &forwarded.Trust{Headers: networks(t, "10.1.0.0/16", "fe80::/10")}
	skips := &forwarded.Trust{Headers: trust.Headers, Skips: 2}
	for _, row := range []struct {
		trust  *forwarded.Trust
		peer   string
		values []string
		client string // "": refused
	}{
		{trust, "10.1.2.3:4", []string{"198.51.100.1, 192.0.2.7"}, "192.0.2.7"},
		{trust, "10.1.2.3:4", []string{"198.51.100.1", "192.0.2.7"}, "192.0.2.7"},
		{trust, "10.1.2.3:4", []string{"192.0.2.7:80"}, "192.0.2.7:80"},
		{trust, "10.1.2.3:4", []string{"2001:db8::7"}, "2001:db8::7"},
		{trust, "10.1.2.3:4", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{trust, "10.1.2.3:4", []string{"[2001:db8::7]:80"}, "[2001:db8::7]:80"},
		{trust, "10.1.2.3:4", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		{trust, "[::ffff:10.1.2.3]:4", []string{"192.0.2.7"}, "192.0.2.7"},
		{trust, "[fe80::1%eth0]:4", []string{"192.0.2.7"}, "192.0.2.7"},
		{trust, "10.1.2.3:4", nil, "10.1.2.3:4"},
		{trust, "10.1.2.3:4", []string{" \t"}, "10.1.2.3:4"},
		{trust, "10.2.2.3:4", []string{"192.0.2.7"}, "10.2.2.3:4"},
		{trust, "pipe", []string{"192.0.2.7"}, "pipe"},
		{nil, "10.1.2.3:4", []string{"192.0.2.7"}, "10.1.2.3:4"},
		{new(forwarded.Trust), "10.1.2.3:4", []string{"192.0.2.7"}, "10.1.2.3:4"},
		{trust, "10.1.2.3:4", []string{"192.0.2.7,"}, ""},
		{trust, "10.1.2.3:4", []string{"192.0.2.7", ""}, ""},
		{trust, "10.1.2.3:4", []string{"unknown"}, ""},
		{trust, "10.1.2.3:4", []string{"fe80::1%eth0"}, ""},
		{trust, "10.1.2.3:4", []string{"[fe80::1%eth0]:5"}, ""},
		{trust, "10.1.2.3:4", []string{strings.Repeat("1", 1000)}, ""},
		{skips, "10.1.2.3:4", []string{"junk,192.0.2.7,10.0.0.1", "junk"}, "192.0.2.7"},
		{skips, "10.1.2.3:4", []string{"192.0.2.7, 10.0.0.1"}, ""},
	} {
		client, err := row.trust.Client(row.peer, row.values)
		if client != row.client || (err != nil) != (row.client == "") {
			t.Errorf("%s %q: %q %v, want %q", row.peer, row.values, client, err, row.client)
		}
	}
}

// A fake is a connection from an address.
type fake struct {
	net.Conn
	from string
}

func (f fake) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.from))
}

// A header that does not come is awaited until the context ends, and not longer.
func TestHeaderHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		trust := &forwarded.Trust{Proxies: networks(t, "10.1.0.0/16")}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		go io.WriteString(far, "PROX")
		began := time.Now()
		_, err := trust.Open(ctx, fake{near, "10.1.2.3:4"})
		if took := time.Since(began); !errors.Is(err, forwarded.ErrNoHeader) || took != 5*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if _, err := near.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection is open: %v", err)
		}
	})
}

// FuzzClient: what somebody writes in front of the balancer's words changes nothing, and what comes
// out is an address, or who sent it.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.7", "a, 192.0.2.7:80", "[2001:db8::7]:80", ",,", "[", "1.2.3.4%",
	} {
		f.Add(seed, "10.9.9.9", uint8(0))
		f.Add("x", seed, uint8(1))
	}
	named := networks(f, "10.1.0.0/16")
	f.Fuzz(func(t *testing.T, first, second string, skips uint8) {
		trust := &forwarded.Trust{Headers: named, Skips: int(skips % 4)}
		if client, err := trust.Client("10.2.0.1:5", []string{first, second}); client != "10.2.0.1:5" ||
			err != nil {
			t.Fatalf("anybody says %q, and is believed: %q %v", first, client, err)
		}
		const peer = "10.1.0.1:5"
		client, err := trust.Client(peer, []string{first, second})
		if err != nil || client == peer {
			return
		}
		addr, err := netip.ParseAddr(client)
		if ap, e := netip.ParseAddrPort(client); e == nil {
			addr, err = ap.Addr(), nil
		}
		if err != nil || addr.Zone() != "" || addr.Is4In6() {
			t.Fatalf("%q, %q gives %q, which is no plain address", first, second, client)
		}
		more, err := trust.Client(peer, []string{"127.0.0.1, x", "127.0.0.1," + first, second})
		if err != nil || more != client {
			t.Fatalf("with more in front of %q, %q it is %q %v, not %q", first, second, more, err, client)
		}
	})
}

// FuzzOpen: whatever a balancer's connection begins with, it is closed, or its caller has an
// address.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 127.0.0.1 50000 8200\r\nrest"))
	f.Add([]byte("PROXY UNKNOWN\r\nrest"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" +
		"\xc0\x00\x02\x07\x7f\x00\x00\x01\x12\x34\x56\x78rest"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8" + strings.Repeat("/", 216)))
	f.Add([]byte("\x16\x03\x01"))
	trust := &forwarded.Trust{Proxies: networks(f, "10.1.0.0/16")}
	f.Fuzz(func(t *testing.T, begins []byte) {
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			defer far.Close()
			_, _ = far.Write(begins)
		}()
		conn, err := trust.Open(t.Context(), fake{near, "10.1.2.3:4"})
		if err != nil {
			if !errors.Is(err, forwarded.ErrNoHeader) {
				t.Fatal(err)
			}
			return
		}
		if _, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err != nil {
			t.Fatalf("%q: the caller is %v", begins, conn.RemoteAddr())
		}
		rest, err := io.ReadAll(conn)
		if err != nil || !strings.HasSuffix(string(begins), string(rest)) {
			t.Fatalf("%q: after the header comes %q, %v", begins, rest, err)
		}
	})
}
