package frontdoor

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A relay stands before a node as a balancer may, and does with a request and its answer what a
// test wants.
type relay struct {
	server  *httptest.Server
	node    string // URL of the vault at the node
	client  *http.Client
	changes atomic.Int32 // requests that came with a token and are no GET
}

// A fault is what a relay does with a request that has a token. pass sends it to the node.
type fault func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte))

// relay begins one with a certificate of an authority.
func (h *house) relay(t *testing.T, a *authority, do fault) *relay {
	t.Helper()
	n := &relay{node: h.urls()[0], client: h.client(t)}
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		pass := func() (*http.Response, []byte) { return n.pass(t, r) }
		if r.Header.Get("Authorization") == "" || do == nil {
			write(w, pass)
			return
		}
		if r.Method != http.MethodGet {
			n.changes.Add(1)
		}
		do(w, r, pass)
	}))
	n.server.TLS = &tls.Config{Certificates: []tls.Certificate{a.issue(t, time.Now())}}
	n.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	n.server.StartTLS()
	t.Cleanup(n.server.Close)
	return n
}

// url is the vault's behind the relay.
func (n *relay) url() string { return atPort(n.node, n.server.Listener.Addr().String()) }

// atPort is a vault's URL with the port of an address.
func atPort(vault, address string) string {
	return vault[:strings.LastIndex(vault, ":")] + address[strings.LastIndex(address, ":"):]
}

func (n *relay) pass(t *testing.T, r *http.Request) (*http.Response, []byte) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	node, err := url.Parse(n.node)
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	on := r.Clone(r.Context())
	on.RequestURI, on.URL.Scheme, on.URL.Host = "", node.Scheme, node.Host
	on.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := n.client.Do(on)
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer, text
}

// write hands on the node's answer.
func write(w http.ResponseWriter, pass func() (*http.Response, []byte)) {
	answer, body := pass()
	if answer == nil {
		panic(http.ErrAbortHandler)
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body)
}

// behind is a caller for whom some relays are the first nodes, and the node itself the last.
func (c *caller) behind(a *authority, places ...string) *caller {
	c.t.Helper()
	ours, err := os.ReadFile(c.environment["KEYQUORUM_CACERT"])
	if err != nil {
		c.t.Fatal(err)
	}
	both := c.file("authorities.pem", append(ours, a.pem()...))
	return c.set("KEYQUORUM_CACERT", both).set("KEYQUORUM_VAULT_URLS", strings.Join(append(places,
		c.house.urls()[0]), ","))
}

// An authority signs certificates for relays.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1),
		Subject: pkix.Name{CommonName: "an authority of a test"}, NotBefore: time.Now().AddDate(-9, 0,
			0), NotAfter: time.Now().AddDate(9, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, certificate}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// issue is a certificate for the vaults that is good for a day around a time.
func (a *authority) issue(t *testing.T, around time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2),
		DNSNames: []string{"*.vault.localhost"}, NotBefore: around.Add(-12 * time.Hour),
		NotAfter: around.Add(12 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// refusal is an answer as a Keyquorum refuses.
func refusal(status int, inner, message string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ func() (*http.Response, []byte)) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		more := ""
		if inner != "" {
			more = fmt.Sprintf(`,"innererror":{"code":%q}`, inner)
		}
		fmt.Fprintf(w, `{"error":{"code":"ServiceUnavailable","message":%q%s}}`, message, more)
	}
}

// afterwards lets a request be done, and then answers something else.
func afterwards(then fault) fault {
	return func(w http.ResponseWriter, r *http.Request, pass func() (*http.Response, []byte)) {
		pass()
		then(w, r, pass)
	}
}

// cut ends the connection without an answer.
func cut(http.ResponseWriter, *http.Request, func() (*http.Response, []byte)) {
	panic(http.ErrAbortHandler)
}

// half answers half of what the node did.
func half(w http.ResponseWriter, _ *http.Request, pass func() (*http.Response, []byte)) {
	answer, body := pass()
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body[:len(body)/2])
	panic(http.ErrAbortHandler)
}
