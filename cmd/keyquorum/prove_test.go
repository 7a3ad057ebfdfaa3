package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/proving"
	"keyquorum/prove"
	"keyquorum/testcluster"
)

// TestProve runs prove against a cluster of processes, as an operator does: sound, stepping down,
// interrupted, and lying.
func TestProve(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster of processes")
	}
	c := testcluster.Processes(t, 3)
	t.Run("a sound cluster is proven", func(t *testing.T) {
		o := callProve(t, c, "-operations=300", "-pause=5ms", "-format=json")
		r := proven(t, o)
		if r.Rounds != 1 || r.Operations < 300 || r.Acknowledged < 60 || r.Histories < 5 ||
			r.StepDowns > 0 {
			t.Errorf("300 operations, no faults, and yet: %s", o.stdout)
		}
		if state := c.Digests(); len(r.Nodes) != 3 || len(r.Digest) != len(state.Digest) ||
			r.Index > state.Index {
			t.Errorf("the nodes hold %+v: %s", state, o.stdout)
		}
	})
	leavesNoVault(t, c)
	c.Call(0, "POST", "/v1/keyquorum/vaults", map[string]any{"name": "prove"}, nil)
	t.Run("while leaders step down", func(t *testing.T) {
		o := callProve(t, c, "-time=5s", "-destructive")
		expectCode(t, "prove -destructive", o, 0)
		for _, row := range []string{"Proven", "Digest", "Step-downs"} {
			if !strings.Contains(o.stdout, "\n"+row+" ") {
				t.Errorf("the table has no row %q:\n%s", row, o.stdout)
			}
		}
		if strings.Contains(o.stdout, "Step-downs             0\n") ||
			!strings.Contains(o.stderr, " acknowledged writes, ") {
			t.Errorf("no leader stepped down, or nobody was told how it went:\n%s%s", o.stdout, o.stderr)
		}
	})
	leavesNothing(t, c) // in the vault that was there
	c.Call(0, "DELETE", "/v1/keyquorum/vaults/prove", nil, nil)
	c.Call(0, "DELETE", "/v1/keyquorum/deleted-vaults/prove", nil, nil)
	t.Run("an interrupt ends it early", func(t *testing.T) { interrupted(t, c) })
	leavesNoVault(t, c)
	t.Run("another leaves things, and says so", func(t *testing.T) { interruptedTwice(t, c) })
	leavesNothing(t, c)
	t.Run("an old answer is told", func(t *testing.T) { tellsAnOldAnswer(t, c) })
	t.Run("another state is told", func(t *testing.T) { tellsAnotherState(t, c) })
	leavesNothing(t, c)
	t.Run("what it cannot begin it refuses", func(t *testing.T) { refuses(t, c) })
}

// callProve is a call of the command by an operator of the cluster.
func callProve(t *testing.T, c *testcluster.Cluster, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return ended(t, provingCall(ctx, t.TempDir(), c, args...))
}

func provingCall(ctx context.Context, dir string, c *testcluster.Cluster,
	args ...string) *exec.Cmd {
	cmd := keyquorum(ctx, dir,
		append([]string{"prove", "-address=" + c.URL(0), "-ca-cert=" + c.CAFile}, args...)...)
	cmd.Env = append(cmd.Env, "KEYQUORUM_TOKEN="+c.Token)
	return cmd
}

// proven is the report of a call that proved its cluster.
func proven(t *testing.T, o outcome) (r proving.Report) {
	t.Helper()
	expectCode(t, "prove", o, 0)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || !r.Proven || len(r.Problems) > 0 {
		t.Fatalf("not proven (%v): %s%s", err, o.stdout, o.stderr)
	}
	return r
}

// leavesNoVault: what a call has made is gone and purged, the vault too.
func leavesNoVault(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	for _, list := range []string{"vaults", "deleted-vaults", "apps"} {
		var left struct{ Vaults, Apps []any }
		c.Call(0, "GET", "/v1/keyquorum/"+list, nil, &left)
		if len(left.Vaults)+len(left.Apps) > 0 {
			t.Errorf("left behind in %s: %+v", list, left)
		}
	}
}

// leavesNothing looks, as an administrator and as an application, for what a call has left behind.
func leavesNothing(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	var left struct {
		Apps   []any `json:"apps"`
		Grants []any `json:"grants"`
	}
	c.Call(0, "GET", "/v1/keyquorum/apps", nil, &left)
	c.Call(1, "GET", "/v1/keyquorum/vaults/prove/grants", nil, &left)
	if len(left.Apps)+len(left.Grants) > 0 {
		t.Errorf("left behind: %+v", left)
	}
	app := c.NewApp("auditor")
	c.Grant(0, "prove", "auditor", []string{"all"}, []string{"all"})
	bearer := token(t, c, app)
	for _, collection := range []string{"secrets", "deletedsecrets", "keys", "deletedkeys"} {
		var page struct {
			Value []any `json:"value"`
		}
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet,
			c.VaultURL("prove")+"/"+collection+"?api-version=7.5", nil)
		request.Header.Set("Authorization", "Bearer "+bearer)
		ask(t, c, request, &page)
		if len(page.Value) > 0 {
			t.Errorf("left behind in %s: %v", collection, page.Value)
		}
	}
	c.Call(0, "DELETE", "/v1/keyquorum/apps/auditor", nil, nil)
}

func token(t *testing.T, c *testcluster.Cluster, app testcluster.App) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID},
		"client_secret": {app.Secret},
		"scope":         {"https://" + testcluster.Zone + "/.default"}}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost,
		c.LoginURL()+"/adfs/oauth2/token", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
	}
	ask(t, c, request, &answer)
	return answer.Token
}

// ask asks node 0 and decodes its answer, which must be a success.
func ask(t *testing.T, c *testcluster.Cluster, request *http.Request, into any) {
	t.Helper()
	answer, err := c.Client(0).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(body, into) != nil {
		t.Fatalf("%s: %s %s (%v)", request.URL, answer.Status, body, err)
	}
}

// interrupted sends a SIGINT to a long call as soon as it has told of its work. What was done by
// then is proven.
func interrupted(t *testing.T, c *testcluster.Cluster) {
	o := signalled(t, c, "working: ")
	if r := proven(t, o); r.Failures["context canceled"] > 0 {
		t.Errorf("the interrupt cut requests off: %s", o.stdout)
	}
}

// interruptedTwice sends another when it is told that this leaves things as they are. They are
// named, and the next run removes them when it takes them for old.
func interruptedTwice(t *testing.T, c *testcluster.Cluster) {
	o := signalled(t, c, "working: ", "interrupted: ")
	expectCode(t, "prove, interrupted twice", o, 1)
	named := regexp.MustCompile(`^not proven: applications with their grants, and in vault prove secrets and keys, named (prove-\w{8}-)… are left: `)
	left := named.FindStringSubmatch(o.complaint())
	if left == nil || !strings.Contains(o.stdout, `"proven":false`) &&
		!strings.Contains(o.stdout, `"proven": false`) {
		t.Fatalf("it ends with %q, having printed %s", o.stderr, o.stdout)
	}
	var all struct {
		Apps []struct{ Name string }
	}
	c.Call(0, "GET", "/v1/keyquorum/apps", nil, &all)
	if len(all.Apps) == 0 || !strings.HasPrefix(all.Apps[0].Name, left[1]) {
		t.Errorf("it says that %s… is left, and there is %v", left[1], all.Apps)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	next, err := prove.Begin(ctx, c.Target(), prove.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := next.CleanUpOlder(ctx, time.Now().Add(time.Minute)); runs != 1 || err != nil {
		t.Errorf("%d runs were removed (%v)", runs, err)
	}
	if err := next.CleanUp(ctx); err != nil {
		t.Error(err)
	}
}

// signalled is a long call that gets a SIGINT at the first line of each beginning, one after the
// other.
func signalled(t *testing.T, c *testcluster.Cluster, at ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := provingCall(ctx, t.TempDir(), c, "--time=1h", "--format=json")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for s := bufio.NewScanner(stderr); s.Scan(); {
		if len(at) > 0 && strings.HasPrefix(s.Text(), at[0]) {
			at = at[1:]
			_ = cmd.Process.Signal(syscall.SIGINT)
		}
		said.WriteString(s.Text() + "\n")
	}
	_ = cmd.Wait() // the code is looked at
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), said.String()}
}

// tellsAnOldAnswer puts a liar before node 2: it answers for ever what it answered first when it
// was asked for a secret.
func tellsAnOldAnswer(t *testing.T, c *testcluster.Cluster) {
	front := standBefore(t, c, 2, func(honest http.Handler) http.Handler {
		return &liar{honest: honest, first: map[string][]byte{}}
	})
	o := callProve(t, c, "-node="+c.URL(0), "-node="+c.URL(1), "-node="+front, "-operations=400",
		"-pause=1ms",
		"-pictures="+filepath.Join(t.TempDir(), "made"))
	expectCode(t, "prove on a cluster that lies", o, 1)
	if !strings.Contains(o.complaint(), "is not linearizable") {
		t.Errorf("it ends with %q", o.stderr)
	}
	found := regexp.MustCompile(`(?s)\nprove-\w+-secret-\d+: no order of these operations gives these answers\n.*?\nPicture: (\S+)\n`)
	violations := found.FindAllStringSubmatch(o.stdout, -1)
	if len(violations) == 0 {
		t.Errorf("the lie is not shown: %s", o.stdout)
	}
	for _, v := range violations {
		if page, err := os.ReadFile(v[1]); err != nil || !bytes.Contains(page, []byte("<html")) ||
			strings.Count(v[0], "\n") > 40 {
			t.Errorf("its picture is none (%v), or its history is long: %s", err, v[0])
		}
	}
}

// tellsAnotherState makes node 1 answer as if it held another state at an index.
func tellsAnotherState(t *testing.T, c *testcluster.Cluster) {
	front := standBefore(t, c, 1, func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("index") == "" {
				honest.ServeHTTP(w, r)
				return
			}
			truth := httptest.NewRecorder()
			honest.ServeHTTP(truth, r)
			w.Write(bytes.ReplaceAll(truth.Body.Bytes(), []byte(`"digest":"`), []byte(`"digest":"00`)))
		})
	})
	o := callProve(t, c, "-node="+c.URL(0), "-node="+front, "-operations=50", "-format=json")
	expectCode(t, "prove on a cluster that has come apart", o, 1)
	if at := regexp.MustCompile(`not proven: at index \d+ node \w+ holds \w+, node \w+ holds 00\w+$`); !at.MatchString(o.complaint()) {
		t.Errorf("it ends with %q", o.stderr)
	}
}

// A liar answers the first answer to a question for the latest version of a secret again and again.
type liar struct {
	honest http.Handler
	mu     sync.Mutex
	first  map[string][]byte
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, isSecret := strings.CutPrefix(r.URL.Path, "/secrets/")
	if r.Method != http.MethodGet || !isSecret || strings.Contains(name, "/") {
		l.honest.ServeHTTP(w, r)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first[name] == nil {
		truth := httptest.NewRecorder()
		if l.honest.ServeHTTP(truth, r); truth.Code != http.StatusOK {
			w.WriteHeader(truth.Code)
			w.Write(truth.Body.Bytes())
			return
		}
		l.first[name] = truth.Body.Bytes()
	}
	w.Write(l.first[name])
}

// standBefore serves the API of node i, as lie has it, at an address that no node has, and returns
// the URL.
func standBefore(t *testing.T, c *testcluster.Cluster, i int,
	lie func(honest http.Handler) http.Handler) string {
	t.Helper()
	own := filepath.Dir(c.CAFile)
	pair, err := tls.LoadX509KeyPair(filepath.Join(own, "tls.pem"), filepath.Join(own, "tls-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(c.URL(c.Size()))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", at.Host, &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	honest := &httputil.ReverseProxy{Transport: c.Client(i).Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "https", p.In.Host
		}}
	server := &http.Server{Handler: lie(honest)}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return at.String()
}

// refuses tries what cannot be begun. Node 2 is sealed in the end.
func refuses(t *testing.T, c *testcluster.Cluster) {
	refused := func(code int, says string, args ...string) {
		t.Helper()
		o := callProve(t, c, args...)
		if o.code != code || !strings.Contains(o.complaint(), says) || o.stdout != "" {
			t.Errorf("prove %q: exit code %d saying %q, want %d and %q", args, o.code, o.stderr, code, says)
		}
	}
	refused(1, "--clients", "-clients=0")
	refused(1, "SUFFIX=LOGIN", "-zone=vault.localhost")
	refused(1, "--vault", "-vault=Bad_Name")
	refused(1, "--vault", "-vault=x")
	refused(1, "--node", "-node=")
	refused(1, "--pause", "-pause=2m")
	refused(2, "it is https://host:port", "-node=localhost:8200")
	refused(2, "the same node", "-node="+c.URL(1), "-node="+c.URL(1))
	refused(2, "--zone", "-zone=vault.example.org=login.example.org")
	refused(2, "tokens from localhost", "-zone=vault.localhost=localhost")
	c.Call(0, "POST", "/v1/keyquorum/vaults", map[string]any{"name": "kept", "purge_protection": true},
		nil)
	refused(2, "purge protection", "-vault=kept")
	refused(2, "connection refused", "-node="+c.URL(5))
	c.Seal(2)
	refused(2, "sealed")
	c.Kill(2)
	refused(2, "") // it depends on gossip whether its address is known still
	c.Start(2)
	c.Token = "s.nobody"
	refused(2, "permission denied")
}
