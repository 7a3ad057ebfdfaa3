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
// answers for every vault, and issues tokens. TLS holds each to the name that was asked for.
type nodes struct {
	ways   []*http.Transport // the first goes where the URL says, each other to one node
	good   atomic.Int32      // the way that answered last, which is tried first
	failed atomic.Pointer[Unreached]
	vault  string // host[:port] of the vault; other hosts are the authority's
	words  words
}

func newNodes(places reference.Places, roots *x509.CertPool, w words) *nodes {
	n := &nodes{
		ways:  []*http.Transport{newWay(roots, dialNamed)},
		vault: strings.TrimPrefix(places[0], "https://"),
		words: w,
	}
	n.ways[0].Proxy = proxy
	for _, place := range places[1:] {
		other := strings.TrimPrefix(place, "https://")
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

// RoundTrip tries the ways, beginning with the one that was good last. A request that a node did
// not answer may have been done: it is sent again as the SDK sends it again, with the same id.
func (n *nodes) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	begin, tried, first := int(n.good.Load()), 0, error(nil)
	for once := isOnce(r); tried < len(n.ways); {
		at := (begin + tried) % len(n.ways)
		answer, err := n.ways[at].RoundTrip(again(r, body))
		tried++
		cannotServe := err == nil && answer.StatusCode == http.StatusServiceUnavailable
		switch {
		case err == nil && (!cannotServe || once || tried == len(n.ways)):
			if cannotServe {
				at = (at + 1) % len(n.ways) // the next request tries another
			}
			n.good.Store(int32(at))
			n.failed.Store(nil)
			return answer, nil
		case err == nil:
			answer.Body.Close()
		case r.Context().Err() != nil:
			return nil, err
		case first == nil:
			first = err
		}
		if once && err != nil && !neverSent(err) {
			break
		}
	}
	return nil, n.unreached(r, first, tried)
}

// unreached is the error of a request that nobody has answered.
func (n *nodes) unreached(r *http.Request, first error, tried int) error {
	if first == nil {
		first = errors.New("no node answered")
	}
	u := &Unreached{host: r.URL.Host, err: first, others: tried - 1, setting: n.words.vault,
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
		copied.Body = io.NopCloser(bytes.NewReader(body))
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
