package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
	"keyquorum/node"
)

const (
	loginHost = "login.localhost:8200"
	nodeHost  = "127.0.0.1:8200"
	apiQuery  = "?api-version=2025-07-01"
)

var zone = httpapi.Zone{Suffix: "vault.localhost", Login: "login.localhost"}

// A service is one real node and the handler in front of it.
type service struct {
	n       *node.Node
	h       *httpapi.Handler
	usage   *lines
	token   string // root token
	shares  []string
	closing func()
	ahead   *atomic.Int64 // nanoseconds that the node's wall clock is ahead
	extra   [2]string     // a header that every request carries
}

// lines is an audit sink that keeps what is written, and fails on demand.
type lines struct {
	mu   sync.Mutex
	b    bytes.Buffer
	fail bool
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail {
		return 0, fmt.Errorf("no space left on device")
	}
	return l.b.Write(p)
}
func (l *lines) Sync() error  { return nil }
func (l *lines) Close() error { return nil }

func (l *lines) breakDown(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = yes
}

// take returns the lines of requests that were written since the last take. What the node records
// of itself comes when it comes.
func (l *lines) take() []map[string]any {
	return slices.DeleteFunc(l.all(), func(m map[string]any) bool { return m["plane"] == "node" })
}

// all returns the lines written since the last take.
func (l *lines) all() []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []map[string]any
	for line := range strings.Lines(l.b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			panic(err)
		}
		out = append(out, m)
	}
	l.b.Reset()
	return out
}

// A logText is what a program's log says.
type logText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logText) logger() hclog.Logger { return hclog.New(&hclog.LoggerOptions{Output: l}) }

// open starts a node without data.
func open(changes ...func(*node.Config)) (*service, error) {
	dir, err := os.MkdirTemp("", "httpapi")
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	usage, ahead := new(lines), new(atomic.Int64)
	config := node.Config{
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		Dir: dir, Label: "one", APIAddr: "https://" + nodeHost, ClusterAddr: listener.Addr().String(),
		ClusterListener: listener,
		Audit:           usage, Logger: hclog.NewNullLogger(), Version: "0.0.0-test",
		Timing: node.Timing{Heartbeat: 100 * time.Millisecond, Election: 100 * time.Millisecond,
			LeaderLease: 50 * time.Millisecond},
	}
	for _, change := range changes {
		change(&config)
	}
	n, err := node.Open(config)
	if err != nil {
		return nil, err
	}
	s := &service{n: n, usage: usage, ahead: ahead,
		h: httpapi.New(n, httpapi.Config{Zones: []httpapi.Zone{zone}, Logger: config.Logger})}
	s.closing = func() {
		s.h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n.Close(ctx)
		os.RemoveAll(dir)
	}
	return s, nil
}

func newService(t *testing.T, changes ...func(*node.Config)) *service {
	t.Helper()
	s, err := open(changes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.closing)
	return s
}

// the is the unsealed node that tests share; each uses vaults of its own.
var the struct {
	once sync.Once
	s    *service
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if the.s != nil {
		the.s.closing()
	}
	if theJudge().report() > 0 {
		code = 1
	}
	os.Exit(code)
}

// unsealed returns the shared node.
func unsealed(t testing.TB) *service {
	t.Helper()
	the.once.Do(func() {
		if the.s, the.err = open(); the.err == nil {
			the.err = the.s.begin(1, 1)
		}
	})
	if the.err != nil {
		t.Fatal(the.err)
	}
	return the.s
}

// begin initialises and unseals over HTTP.
func (s *service) begin(shares, threshold int) error {
	a := s.operate("PUT", "/v1/sys/init", "",
		fmt.Sprintf(`{"secret_shares":%d,"secret_threshold":%d}`, shares, threshold))
	if a.status != 200 {
		return fmt.Errorf("init: %d %s", a.status, a.body)
	}
	s.token = a.text("root_token")
	for _, k := range a.json["keys"].([]any) {
		s.shares = append(s.shares, k.(string))
	}
	return s.unseal(threshold)
}

func (s *service) unseal(threshold int) error {
	for i, k := range s.shares[:threshold] {
		a := s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+k+`"}`)
		if a.status != 200 || a.json["sealed"] != (i+1 < threshold) {
			return fmt.Errorf("unseal: %d %s", a.status, a.body)
		}
	}
	return nil
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any // nil if the body is no JSON object
}

func (a answer) text(name string) string { s, _ := a.json[name].(string); return s }

// at walks down objects: at("error", "code").
func (a answer) at(path ...string) any {
	var v any = a.json
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// serve sends one request to the handler, without a network.
func (s *service) serve(r *http.Request) answer {
	w := httptest.NewRecorder()
	if s.extra[0] != "" {
		r.Header.Set(s.extra[0], s.extra[1])
	}
	s.h.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	json.Unmarshal(w.Body.Bytes(), &a.json)
	theJudge().watch(r, a)
	return a
}

// operate sends a request to the operator plane.
func (s *service) operate(method, target, token, body string) answer {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = nodeHost
	if token != "" {
		r.Header.Set("X-Vault-Token", token)
	}
	return s.serve(r)
}

// A client is an application in front of one vault.
type client struct {
	t      testing.TB
	s      *service
	host   string
	token  string
	id     string // client id
	secret string
}

// call sends a request to the vault. target has no api-version yet.
func (c *client) call(method, target, body string) answer {
	c.t.Helper()
	sep := apiQuery
	if strings.Contains(target, "?") {
		sep = "&" + apiQuery[1:]
	}
	return c.raw(method, target+sep, body)
}

func (c *client) raw(method, target, body string) answer {
	c.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = c.host
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.s.serve(r)
}

// ok is call that must succeed.
func (c *client) ok(method, target, body string) answer {
	c.t.Helper()
	a := c.call(method, target, body)
	if a.status/100 != 2 {
		c.t.Fatalf("%s %s: %d %s", method, target, a.status, a.body)
	}
	return a
}

var applications atomic.Int64 // so that tests can run many times against one node

// application makes a vault and an application that may do what grant says, and gets it a token.
func (s *service) application(t testing.TB, name, grant string) *client {
	t.Helper()
	vault := fmt.Sprintf("%s-%d", name, applications.Add(1))
	admin := func(method, path, body string) answer {
		a := s.operate(method, "/v1/keyquorum/"+path, s.token, body)
		if a.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		return a
	}
	admin("POST", "vaults", `{"name":"`+vault+`"}`)
	app := admin("POST", "apps", `{"name":"`+vault+`-app"}`).text("client_id")
	admin("PUT", "vaults/"+vault+"/grants/"+app, grant)
	secret := admin("POST", "apps/"+app+"/credentials", `{"ttl":"24h"}`).text("secret")
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app},
		"client_secret": {secret},
		"scope":         {"https://vault.localhost:8200/.default openid offline_access profile"}}
	a := s.login("POST", "/adfs/oauth2/token?client-request-id=1", form.Encode())
	if a.status != 200 {
		t.Fatalf("token: %d %s", a.status, a.body)
	}
	return &client{t: t, s: s, host: vault + ".vault.localhost:8200", token: a.text("access_token"),
		id: app, secret: secret}
}

// elsewhere makes another vault with these settings, in which the same application may do
// everything.
func (c *client) elsewhere(settings string) *client {
	c.t.Helper()
	name := fmt.Sprintf("elsewhere-%d", applications.Add(1))
	for _, q := range [][3]string{{"POST", "vaults", `{"name":"` + name + `"` + settings + `}`},
		{"PUT", "vaults/" + name + "/grants/" + c.id, everything}} {
		if a := c.s.operate(q[0], "/v1/keyquorum/"+q[1], c.s.token, q[2]); a.status/100 != 2 {
			c.t.Fatalf("%s %s: %d %s", q[0], q[1], a.status, a.body)
		}
	}
	other := *c
	other.host = name + ".vault.localhost:8200"
	return &other
}

// rows are the items of a listing's page.
func (a answer) rows() []any { v, _ := a.json["value"].([]any); return v }

// version is that of the object that was answered.
func (a answer) version() string {
	id, ok := a.json["id"].(string)
	if !ok {
		id, _ = a.at("key", "kid").(string)
	}
	return id[strings.LastIndexByte(id, '/')+1:]
}

func (s *service) login(method, target, form string) answer {
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	r.Host = loginHost
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.serve(r)
}

const everything = `{"keys":["all"],"secrets":["all"]}`

// with returns the service as seen by clients that send one more header.
func (s *service) with(header, value string) *service {
	other := *s
	other.extra = [2]string{header, value}
	return &other
}
