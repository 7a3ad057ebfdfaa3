package frontdoor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A proxy stands before a destination, and does something with each request that writes a version.
type proxy struct {
	writes atomic.Int32 // how many have come
	// meet is called with the number of a write, from 1, and what has it done; it answers itself, or
	// calls that.
	meet func(n int32, w http.ResponseWriter, pass func(http.ResponseWriter))
}

// before puts the proxy in the way of e, and gives the environment that goes through it.
func (p *proxy) before(t *testing.T, e environment) environment {
	t.Helper()
	theirs, err := url.Parse(e.url())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(e["KEYQUORUM_CACERT"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: "127.0.0.1:" + theirs.Port()})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: theirs.Hostname()},
		},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		pass := func(w http.ResponseWriter) { forward.ServeHTTP(w, r) }
		if r.Method == http.MethodPut && r.Header.Get("Authorization") != "" && p.meet != nil {
			p.meet(p.writes.Add(1), w, pass)
			return
		}
		pass(w)
	}))
	own, pemOfIt := certificate(t, "*."+strings.SplitN(theirs.Hostname(), ".", 2)[1])
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, append(ca, pemOfIt...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return e.with("KEYQUORUM_VAULT_URLS", "https://"+theirs.Hostname()+":"+port,
		"KEYQUORUM_CACERT", file)
}

// certificate is one for a name that vouches for itself.
func certificate(t *testing.T, name string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text
}

// nowhere takes an answer that is not to arrive.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// lost passes a request on, and hangs up in the place of its answer.
func lost(pass func(http.ResponseWriter)) {
	pass(nowhere{http.Header{}})
	panic(http.ErrAbortHandler)
}
