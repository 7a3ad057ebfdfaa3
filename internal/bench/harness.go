package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"keyquorum/testcluster"
)

// A harness lets testcluster work outside of a test: it is the few methods of testing.TB that
// testcluster calls. Any other panics, because the TB inside is nil.
type harness struct {
	testing.TB
	ctx      context.Context // ends when the user has seen enough
	cleanups []func()
	failed   bool
}

// A failure is what Fatal panics with, for inHarness to return.
type failure struct{ err error }

// inHarness calls do and undoes what was begun in it. It returns the error that ended do.
func inHarness(ctx context.Context, do func(*harness)) (err error) {
	h := &harness{ctx: ctx}
	defer func() {
		h.end()
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = f.err
		}
	}()
	do(h)
	return nil
}

// within calls do and undoes what was begun in it, not what was begun before.
func (h *harness) within(do func(*harness)) {
	inner := &harness{ctx: h.ctx}
	defer inner.end()
	do(inner)
}

func (h *harness) end() {
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
	h.cleanups = nil
}

func (h *harness) Helper()           {}
func (h *harness) Cleanup(f func())  { h.cleanups = append(h.cleanups, f) }
func (h *harness) Fatal(args ...any) { h.fail(fmt.Errorf("%s", fmt.Sprint(args...))) }

func (h *harness) Fatalf(format string, args ...any) { h.fail(fmt.Errorf(format, args...)) }

func (h *harness) fail(err error) {
	h.failed = true
	panic(failure{err})
}

// Failed says whether somebody has called Fatal: a cluster that ends shows its log then.
func (h *harness) Failed() bool { return h.failed }

func (h *harness) TempDir() string {
	dir, err := os.MkdirTemp("", "keyquorum-bench-")
	h.must(err)
	h.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (h *harness) must(err error) {
	if err != nil {
		h.Fatal(err)
	}
}

// An address is one server as a client reaches it.
type address struct {
	dial string // host:port to connect to
	host string // of the URL, and of TLS
	tls  *tls.Config
}

// A bed is a cluster with one vault, and one application that may do everything in it.
type bed struct {
	*testcluster.Cluster
	token string
}

const (
	benchVault = "bench"
	benchApp   = "bench"
)

func newBed(h *harness, c *testcluster.Cluster) *bed {
	b := &bed{Cluster: c}
	b.NewVault(benchVault)
	app := b.NewApp(benchApp)
	b.Grant(0, benchVault, benchApp, []string{"all"}, []string{"all"})
	var err error
	b.token, err = b.login(h.ctx, app)
	h.must(err)
	return b
}

// at is node i's application plane.
func (b *bed) at(h *harness, i int) address {
	return address{dial: hostOf(b.URL(i)), host: hostOf(b.VaultURL(benchVault)), tls: b.trust(h)}
}

func (b *bed) trust(h *harness) *tls.Config {
	ca, err := os.ReadFile(b.CAFile)
	h.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: pool}
}

func (b *bed) login(ctx context.Context, app testcluster.App) (token string, err error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.Secret},
		"scope": {"https://" + testcluster.Zone + "/.default"},
	}
	return askToken(ctx, b.Client(0), b.LoginURL()+"/adfs/oauth2/v2.0/token", form)
}

func hostOf(address string) string { return strings.TrimPrefix(address, "https://") }

// pids are the processes of all nodes, node i's first.
func (b *bed) pids(i int) []int {
	pids := []int{b.PID(i)}
	for k := range b.Size() {
		if k != i {
			pids = append(pids, b.PID(k))
		}
	}
	return pids
}
