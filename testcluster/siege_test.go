package testcluster_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// A siege is a cluster of the real program with callers of every kind, and strangers around it.
type siege struct {
	t       *testing.T
	c       *testcluster.Cluster
	strange int           // strangers' connections
	come    time.Duration // in which the first of each comes
	lasts   time.Duration // each of the two measurements
	callers []*caller
}

// A caller asks again and again, and notes how long it takes.
type caller struct {
	name string
	ask  func(ctx context.Context) error

	mu     sync.Mutex
	took   []time.Duration
	failed []error
}

// TestSiege measures what operators, probes and applications wait for, in peace and among strangers
// who hold all the connections that they get, send what they can to every port, and read nothing.
// KEYQUORUM_SIEGE is how many connections they hold.
func TestSiege(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the real program and takes seconds")
	}
	s := &siege{t: t, strange: 400, come: 6 * time.Second, lasts: 4 * time.Second}
	places := "256"
	if n, err := strconv.Atoi(os.Getenv("KEYQUORUM_SIEGE")); err == nil {
		s.strange, s.come, s.lasts, places = n, 12*time.Second, 30*time.Second, "8192"
	}
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if need := s.strange + 1000; limit.Cur < uint64(need) {
		t.Skipf("%d connections need %d descriptors, and this process may have %d", s.strange, need,
			limit.Cur)
	}
	s.c = testcluster.Processes(t, 3, func(int) []string {
		return []string{"--connections", places, "--metrics-unauthenticated"}
	})
	s.prepare()

	peace := s.measure()
	lift := s.lay()
	time.Sleep(s.come)
	war := s.measure()
	var sealed []time.Duration
	for range 5 {
		sealed = append(sealed, s.seal())
		s.c.Unseal(0)
	}
	text := s.report(peace, war, sealed)
	lift()
	t.Log(text)
	s.judge(war)
}

// prepare makes what the callers ask for.
func (s *siege) prepare() {
	c := s.c
	c.NewVault("demo")
	app := c.NewApp("siege")
	c.Grant(0, "demo", "siege", nil, []string{"all"})
	asApp(s.t, c, app)
	n := at(s.t, c, 0, "demo")
	_, err := n.secrets.SetSecret(s.t.Context(), "wall",
		azsecrets.SetSecretParameters{Value: to.Ptr("stone")}, nil)
	must(s.t, err)
	kept := s.client()
	s.callers = []*caller{
		{name: "operator, kept connection", ask: s.asks(kept, "/v1/sys/ha-status", 200)},
		{name: "operator, new connection", ask: s.asks(nil, "/v1/auth/token/lookup-self", 200)},
		{name: "probe, new connection", ask: s.asks(nil, "/v1/sys/health?standbyok=true", 200)},
		{name: "application", ask: func(ctx context.Context) error {
			_, err := n.secrets.GetSecret(ctx, "wall", "", nil)
			return err
		}},
	}
}

func (s *siege) client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// asks is a caller of node 0. Without a client each request comes over a connection of its own.
func (s *siege) asks(kept *http.Client, path string, want int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		client := kept
		if client == nil {
			client = s.client()
			defer client.CloseIdleConnections()
		}
		r, err := http.NewRequestWithContext(ctx, "GET", s.c.URL(0)+path, nil)
		if err != nil {
			return err
		}
		r.Header.Set("X-Vault-Token", s.c.Token)
		a, err := client.Do(r)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		if _, err := io.Copy(io.Discard, a.Body); err != nil {
			return err
		}
		if a.StatusCode != want {
			return fmt.Errorf("%s: %s", path, a.Status)
		}
		return nil
	}
}

// seal seals node 0 over a connection of its own, and returns how long that took.
func (s *siege) seal() time.Duration {
	s.t.Helper()
	client := s.client()
	defer client.CloseIdleConnections()
	began := time.Now()
	var connected, shaken time.Duration
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{
		ConnectDone:      func(_, _ string, _ error) { connected = time.Since(began) },
		TLSHandshakeDone: func(tls.ConnectionState, error) { shaken = time.Since(began) },
	})
	r, err := http.NewRequestWithContext(ctx, "PUT", s.c.URL(0)+"/v1/sys/seal", nil)
	must(s.t, err)
	r.Header.Set("X-Vault-Token", s.c.Token)
	a, err := client.Do(r)
	took := time.Since(began)
	if err != nil {
		s.t.Errorf("operator seal among strangers: %v", err)
		return took
	}
	a.Body.Close()
	if a.StatusCode != http.StatusNoContent || took > time.Second {
		s.t.Errorf("operator seal among strangers: %s after %v (connected %v, TLS %v), want 204 within a second",
			a.Status, took, connected, shaken)
	}
	return took
}

// A figure is what one kind of caller got in one measurement.
type figure struct {
	asked, failed  int
	p50, p99, most time.Duration
	why            error
}

func (s *siege) measure() (all []figure) {
	ctx, end := context.WithTimeout(s.t.Context(), s.lasts)
	defer end()
	var asking sync.WaitGroup
	for _, c := range s.callers {
		asking.Go(func() { c.askOften(ctx) })
	}
	asking.Wait()
	for _, c := range s.callers {
		all = append(all, c.take())
	}
	return all
}

func (c *caller) askOften(ctx context.Context) {
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		began := time.Now()
		err := c.ask(context.WithoutCancel(ctx))
		c.mu.Lock()
		c.took = append(c.took, time.Since(began))
		if err != nil {
			c.failed = append(c.failed, err)
		}
		c.mu.Unlock()
	}
}

func (c *caller) take() (f figure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.took)
	f = figure{asked: len(c.took), failed: len(c.failed)}
	if f.asked > 0 {
		f.p50, f.p99, f.most = c.took[f.asked/2], c.took[f.asked*99/100], c.took[f.asked-1]
	}
	if f.failed > 0 {
		f.why = c.failed[0]
	}
	c.took, c.failed = nil, nil
	return f
}

// lay has strangers come to node 0, from addresses of their own, until it is lifted.
func (s *siege) lay() (lift func()) {
	ctx, end := context.WithCancel(s.t.Context())
	var strangers sync.WaitGroup
	host := strings.TrimSuffix(strings.TrimPrefix(s.c.URL(0), "https://"), ":8200")
	for i := range s.strange {
		strangers.Go(func() { s.hold(ctx, i, host) })
	}
	for i := range 130 { // A9
		strangers.Go(func() { s.again(ctx, i, host+":8201", func(net.Conn) error { return nil }) })
		strangers.Go(func() { s.again(ctx, i, host+":8202", func(net.Conn) error { return nil }) })
	}
	for i := range 8 { // A7, A8, A12
		for _, request := range []string{
			strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\n", 100),
			"GET /v1/sys/health HTTP/1.1\r\nHost: h\r\nX-Vault-Index: 18446744073709551615\r\nX-Keyquorum-Consistency: fenced\r\n\r\n",
			"PUT /v1/sys/unseal HTTP/1.1\r\nHost: h\r\nContent-Length: 14\r\n\r\n{\"reset\":true}",
			"GET https://demo.vault.test/secrets/x HTTP/1.1\r\nHost: h\r\n\r\n",
			"PUT /v1/sys/unseal HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		} {
			strangers.Go(func() { s.again(ctx, i, host+":8200", secretly(request)) })
		}
	}
	strangers.Go(func() { s.rain(ctx, host+":8202") }) // A6
	return func() { end(); strangers.Wait() }
}

// hold has one stranger hold a connection: every fourth does no handshake, every other fourth poses
// as a probe, and the others ask a vault for something.
func (s *siege) hold(ctx context.Context, i int, host string) {
	time.Sleep(mrand.N(s.come))
	s.again(ctx, i, host+":8200", func(conn net.Conn) error {
		switch i % 4 {
		case 0:
			return nil
		case 1:
			return secretly("GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n")(conn)
		}
		return secretly("GET /secrets HTTP/1.1\r\nHost: demo.vault.localhost\r\n\r\n")(conn)
	})
}

// again connects, does something, and reads nothing until the other end hangs up; then again.
func (s *siege) again(ctx context.Context, i int, to string, do func(net.Conn) error) {
	from := net.IPv4(127, 252, byte(i/200), byte(i%200+1))
	for ctx.Err() == nil {
		d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: from}}
		conn, err := d.DialContext(ctx, "tcp", to)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			if do(conn) == nil {
				time.Sleep(time.Second)
				io.Copy(io.Discard, slowly{conn})
			}
			stop()
			conn.Close()
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
}

// slowly reads a byte a second.
type slowly struct{ net.Conn }

func (s slowly) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p[:1])
	if err == nil {
		time.Sleep(time.Second)
	}
	return n, err
}

// secretly does a handshake and sends something.
func secretly(request string) func(net.Conn) error {
	return func(raw net.Conn) error {
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		raw.SetDeadline(time.Now().Add(20 * time.Second))
		if err := conn.Handshake(); err != nil {
			return err
		}
		raw.SetDeadline(time.Time{})
		_, err := io.WriteString(conn, request)
		return err
	}
}

// rain is packets that no key opens.
func (s *siege) rain(ctx context.Context, to string) {
	conn, err := net.Dial("udp", to)
	if err != nil {
		return
	}
	defer conn.Close()
	for ctx.Err() == nil {
		junk := make([]byte, 200)
		rand.Read(junk)
		_, _ = conn.Write(junk)
		time.Sleep(time.Millisecond)
	}
}

func (s *siege) report(peace, war []figure, sealed []time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d strangers, %v each way, %d processors\n", s.strange, s.lasts, runtime.NumCPU())
	fmt.Fprintf(&b, "%-27s %28s   %28s\n", "", "in peace: p50, p99, most", "among strangers")
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e6) }
	for i, c := range s.callers {
		p, w := peace[i], war[i]
		fmt.Fprintf(&b, "%-27s %8s %8s %8s ms   %8s %8s %8s ms  %d of %d failed\n",
			c.name, ms(p.p50), ms(p.p99), ms(p.most), ms(w.p50), ms(w.p99), ms(w.most), w.failed, w.asked)
	}
	slices.Sort(sealed)
	fmt.Fprintf(&b, "operator seal, %d times: %s to %s ms\n", len(sealed), ms(sealed[0]),
		ms(sealed[len(sealed)-1]))
	client := s.client()
	if a, err := client.Get(s.c.URL(0) + "/v1/sys/metrics"); err == nil {
		text, _ := io.ReadAll(a.Body)
		a.Body.Close()
		for line := range bytes.Lines(text) {
			for _, name := range []string{
				"keyquorum_connections{", "keyquorum_connections_closed", "keyquorum_log_lines",
				"keyquorum_cluster_connections",
				"keyquorum_gossip_", "process_resident_memory_bytes", "process_open_fds",
			} {
				if bytes.HasPrefix(line, []byte(name)) {
					b.Write(line)
				}
			}
		}
	}
	log := s.logOf(0)
	fmt.Fprintf(&b, "node 0 logged %d lines, %d of them ERROR\n", bytes.Count(log, []byte("\n")),
		bytes.Count(log, []byte("[ERROR]")))
	return b.String()
}

// logOf is what a node has logged, without its usage log.
func (s *siege) logOf(i int) []byte {
	s.t.Helper()
	b, err := os.ReadFile(s.c.Data(i) + ".log")
	must(s.t, err)
	return b
}

// judge wants everybody answered, and soon: the machine may be busy with other things too.
func (s *siege) judge(war []figure) {
	for i, c := range s.callers {
		w := war[i]
		if w.asked == 0 || w.failed > 0 {
			s.t.Errorf("%s: %d of %d failed among strangers: %v", c.name, w.failed, w.asked, w.why)
		}
		if w.p99 > 2*time.Second {
			s.t.Errorf("%s: one in a hundred waited %v among strangers, and more", c.name, w.p99)
		}
	}
	if n := bytes.Count(s.logOf(0), []byte("\n")); n > 1000 {
		s.t.Errorf("strangers made node 0 log %d lines", n)
	}
}
