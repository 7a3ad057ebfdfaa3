package session

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"keyquorum/cmd/keyquorum/reference"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	maxRequest       = 1 << 20 // bytes of a request that can be sent again; larger ones no node takes
)

// nodes carries requests to the host that their URL names and, where that cannot be reached or says
// that it cannot serve (503), to the other nodes of the cluster under the same name: every node
// answers for every vault, and issues tokens. TLS holds each to the name that was asked for. What
// must not be done twice doubt.go says.
type nodes struct {
	ways   []*http.Transport // the first goes where the URL says, each other to one node
	hosts  []string          // host[:port] of the vault by each way
	good   atomic.Int32      // the way that answered last, which is tried first
	failed atomic.Pointer[Unreached]
	unsure atomic.Pointer[InDoubt] // nothing is done after it
	vault  string                  // host[:port] of the vault; other hosts are the authority's
	words  words
}

func newNodes(places reference.Places, roots *x509.CertPool, w words) *nodes {
	n := &nodes{
		ways:  []*http.Transport{newWay(roots, dialNamed)},
		vault: strings.TrimPrefix(places[0], "https://"),
		words: w,
	}
	n.hosts = []string{n.vault}
	n.ways[0].Proxy = proxy
	for _, place := range places[1:] {
		other := strings.TrimPrefix(place, "https://")
		n.hosts = append(n.hosts, other)
		n.ways = append(
			n.ways,
			newWay(roots, func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialNamed(ctx, network, withPort(other))
			}),
		)
	}
	return n
}

func newWay(
	roots *x509.CertPool, dial func(ctx context.Context, network, address string) (net.Conn, error),
) *http.Transport {
	return &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout: handshakeTimeout,
		ForceAttemptHTTP2:   true,
	}
}

// below says whether a host is localhost or below it, which is this machine (RFC 6761, section
// 6.3). The resolvers of many systems know only the first.
func below(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

func dialNamed(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if below(host) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
}

func withPort(host string) string {
	if u, err := url.Parse("https://" + host); err == nil && u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return host
}

func proxy(r *http.Request) (*url.URL, error) {
	if below(r.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// RoundTrip tries the ways, beginning with the one that was good last. A change goes on to the next
// only when it is certain that it was not done.
func (n *nodes) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	var refusal *http.Response // a 503, which says more than that others cannot be reached
	var first error
	begin, change := int(n.good.Load()), changes(r)
	for i := range n.ways {
		at := (begin + i) % len(n.ways)
		answer, sent, err := send(n.ways[at], r, body)
		if change {
			if unsure := doubt(r, n.hosts[at], answer, sent, err); unsure != nil {
				if isOnce(r) { // whoever asks looks, and had better do so at another
					n.good.Store(int32((at + 1) % len(n.ways)))
				} else {
					n.unsure.Store(unsure)
				}
				return nil, unsure
			}
		}
		switch {
		case err == nil && answer.StatusCode != http.StatusServiceUnavailable:
			n.good.Store(int32(at))
			n.failed.Store(nil)
			return answer, nil
		case err == nil:
			refusal = answer
		case r.Context().Err() != nil:
			return nil, err
		case first == nil:
			first = err
		}
	}
	if refusal != nil {
		n.failed.Store(nil)
		return refusal, nil
	}
	return nil, n.unreached(r, first)
}

// send sends a request one way. A 503, and every answer to a change, is read whole; sent says
// whether a node may have got the request.
func send(
	way *http.Transport, r *http.Request, body []byte,
) (answer *http.Response, sent bool, err error) {
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	answer, err = way.RoundTrip(again(r.WithContext(traced), body))
	if err == nil && (changes(r) || answer.StatusCode == http.StatusServiceUnavailable) {
		err = keep(answer)
	}
	return answer, connected.Load(), err
}

// unreached is the error of a request that nobody has answered.
func (n *nodes) unreached(r *http.Request, err error) error {
	u := &Unreached{host: r.URL.Host, err: err, others: len(n.ways) - 1, setting: n.words.vault,
		caCert: n.words.caCert}
	if u.host != n.vault {
		u.setting = n.words.authority
	}
	n.failed.Store(u)
	return u
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err == nil && len(body) > maxRequest {
		err = fmt.Errorf("a request of more than %d bytes is taken by no vault", maxRequest)
	}
	return body, err
}

// again is the request with its body from the beginning.
func again(r *http.Request, body []byte) *http.Request {
	copied := r.Clone(r.Context())
	if body != nil {
		copied.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(body)), nil
		}
		copied.Body, _ = copied.GetBody()
		copied.ContentLength = int64(len(body))
	}
	return copied
}

// Unreached is the error of a request that no node has answered.
type Unreached struct {
	host    string
	err     error
	others  int    // how many nodes were tried besides
	setting string // where the host comes from
	caCert  string // where the authority of certificates comes from
}

// NonRetriable tells the SDK that all was tried that there is.
func (u *Unreached) NonRetriable() {}

func (u *Unreached) Unwrap() error { return u.err }

// Error says what to look at.
func (u *Unreached) Error() string {
	tried := ""
	if u.others > 0 {
		tried = fmt.Sprintf(" (nor can %d more nodes)", u.others)
	}
	return fmt.Sprintf(
		"%s cannot be reached%s: %v; %s",
		u.host,
		tried,
		plainCause(u.err),
		u.advice(),
	)
}

// plainCause leaves out what wraps the cause, and says it again.
func plainCause(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		return operation
	}
	return err
}

func (u *Unreached) advice() string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var lookup *net.DNSError
	switch {
	case errors.As(u.err, &authority):
		return "say with " + u.caCert + " which authority signed the nodes' certificates"
	case errors.As(u.err, &name):
		return "the node's certificate does not cover this name: look at the URL (" + u.setting + ")"
	case errors.As(u.err, &invalid):
		return "look at the clock of this machine, which says " + time.Now().
			UTC().
			Format(time.RFC3339) +
			", and at the certificate of the node"
	case errors.As(u.err, &lookup):
		return "this machine does not know the name: look at the URL (" + u.setting + ")"
	case errors.Is(u.err, syscall.ECONNREFUSED), errors.Is(u.err, syscall.EHOSTUNREACH),
		errors.Is(u.err, syscall.ENETUNREACH), os.IsTimeout(u.err):
		return "is a node running there? Look at the URL (" + u.setting + ")"
	}
	return "look at the URL (" + u.setting + "), and whether a node runs there"
}
