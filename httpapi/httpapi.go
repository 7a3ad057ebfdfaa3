// Package httpapi turns HTTP into calls of node and vault, and errors into answers. Nothing else.
//
// One handler serves two planes, told apart by the Host of a request. A host under a configured
// zone is a vault of the application plane (Azure Key Vault's wire), a zone's login host is the
// token endpoint, and every other host is the operator plane (/v1/sys, as Vault and OpenBao have
// it) with the administration API under /v1/keyquorum. It never redirects, never forwards, and
// holds no state between requests but the attempts to join a cluster.
package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"keyquorum/httpapi/forwarded"
	"keyquorum/httpapi/seeds"
	"keyquorum/node"
)

// A Zone is a domain under which each vault has a host, and the host that issues its tokens.
type Zone struct {
	Suffix string // "vault.localhost": vault demo is demo.vault.localhost
	Login  string // "login.localhost"
}

// ParseZone reads a zone as it is written in settings: SUFFIX=LOGIN.
func ParseZone(text string) (Zone, error) {
	suffix, login, ok := strings.Cut(text, "=")
	if !ok || suffix == "" || login == "" {
		return Zone{}, fmt.Errorf(
			"%q: a zone is SUFFIX=LOGIN, as in vault.example.org=login.example.org", text)
	}
	return Zone{Suffix: strings.ToLower(suffix), Login: strings.ToLower(login)}, nil
}

// Config of the two planes.
type Config struct {
	Zones  []Zone
	Logger hclog.Logger // nil: nothing is logged
	// Dial reaches the member that is asked to let this node join; nil: the system's TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Seeds are where a node without data looks for a member that lets it join, without a vote if
	// NonVoter. Resolver looks their names up; nil: the system's.
	Seeds    []seeds.Seed
	NonVoter bool
	Resolver seeds.Resolver
	// Throttle is for each application in front of each vault; the zero value bounds nobody.
	Throttle Throttle
	// Trust says whose word on a caller's address counts; nil: nobody's.
	Trust *forwarded.Trust
	// OpenMetrics serves /v1/sys/metrics without a token.
	OpenMetrics bool
	// LinesHeld is how many lines the log has left out; nil: none.
	LinesHeld func() uint64
	// Connections is how many the API has at once; 0: 8192.
	Connections int
	// CertificateEnd is when the listener's certificate ends, for the metrics; nil: not known.
	CertificateEnd func() time.Time
}

// A Handler serves a node's API listener. Close ends what it does in the background.
type Handler struct {
	n         *node.Node
	zones     []Zone // folded to lower case
	log       hclog.Logger
	dial      dialer
	version   []string      // value of the header x-ms-keyvault-service-version
	region    []string      // and of x-ms-keyvault-region
	strangers *rate.Limiter // bounds usage records and log lines that people without a token can cause
	askers    *rate.Limiter // bounds what they can make us ask of other nodes
	large     chan struct{} // holds one for each large body in memory
	huge      chan struct{} // and for each that is over maxBody
	saving    chan struct{} // and for each snapshot on its way to an operator
	restoring chan struct{} // and for the one that an operator sends
	hugeOf    sync.Map      // object id of the application → the *call that has one of these
	backups   chan struct{} // and for each backup
	meters    *meters
	conns     *connections
	metrics   *metrics
	router    *mux.Router
	glass     http.Handler // of the break-glass socket
	joins     *joins
	openapi   func() ([]byte, error) // the document, made when it is first asked for
	profiling sync.Mutex             // held while somebody is told of all goroutines

	// Settings that change while it serves (Server.Change).
	logLevel atomic.Int32                    // the hclog.Level to come back to
	throttle atomic.Pointer[throttle]        // nil: nobody is throttled
	trust    atomic.Pointer[forwarded.Trust] // nil: nobody is believed

	wrongShares *throttle
}

// New returns the handler for a node's API listener.
func New(n *node.Node, c Config) *Handler {
	h := &Handler{
		n:         n,
		log:       c.Logger,
		dial:      c.Dial,
		version:   []string{n.SealStatus().Version},
		region:    []string{cmp.Or(n.Region(), "keyquorum")},
		strangers: rate.NewLimiter(10, 100),
		askers:    rate.NewLimiter(10, 20),
		large:     make(chan struct{}, maxLarge),
		huge:      make(chan struct{}, maxHuge),
		saving:    make(chan struct{}, maxSaving),
		restoring: make(chan struct{}, 1),
		backups:   make(chan struct{}, maxBackups),
		meters:    newMeters(),
		conns:     newConnections(c.Connections),

		wrongShares: newThrottle(wrongShares),
	}
	h.metrics = newMetrics(n, h.meters, h.conns, c.LinesHeld, c.CertificateEnd)
	if h.dial == nil {
		h.dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	if h.log == nil {
		h.log = hclog.NewNullLogger()
	}
	h.throttle.Store(newThrottle(c.Throttle))
	h.trust.Store(c.Trust)
	h.logLevel.Store(int32(h.log.GetLevel()))
	for _, z := range c.Zones {
		h.zones = append(h.zones,
			Zone{Suffix: strings.ToLower(z.Suffix), Login: strings.ToLower(z.Login)})
	}
	h.openapi = sync.OnceValues(func() ([]byte, error) { return OpenAPI(h.version[0]) })
	h.joins = newJoins(n, h.log, newSearch(n, c, h.dial, h.log))
	h.router = h.planes(c.OpenMetrics)
	h.glass = h.breakGlass()
	return h
}

// Close stops trying to join and returns when the attempt under way has ended.
func (h *Handler) Close() { h.joins.close() }

// ServeHTTP lets mux pick plane and collection; the tables do the rest. Something always matches:
// the root has a handler for what it doesn't find. The router's own ServeHTTP would copy the
// request twice, for variables that nothing here asks for.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m mux.RouteMatch
	h.router.Match(r, &m)
	m.Handler.ServeHTTP(w, r)
}
