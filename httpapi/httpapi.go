// Package httpapi turns HTTP into calls of node and vault, and errors into answers. Nothing else.
//
// One handler serves two planes, told apart by the Host of a request. A host under a configured
// zone is a vault of the application plane (Azure Key Vault's wire), a zone's login host is the
// token endpoint, and every other host is the operator plane (/v1/sys, as Vault and OpenBao have
// it) with the administration API under /v1/keyquorum. It never redirects, never forwards, and
// holds no state between requests but the attempts to join a cluster.
package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/azure"
	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/figures"
	"keyquorum/httpapi/forwarded"
	"keyquorum/httpapi/hosts"
	"keyquorum/httpapi/joining"
	"keyquorum/httpapi/operators"
	"keyquorum/httpapi/seeds"
	"keyquorum/httpapi/throttle"
	"keyquorum/node"
	"keyquorum/vault"
)

// A Zone is a domain under which each vault has a host, and the host that issues its tokens.
type Zone = hosts.Zone

// ParseZone reads a zone as it is written in settings: SUFFIX=LOGIN.
func ParseZone(text string) (Zone, error) { return hosts.ParseZone(text) }

// A Throttle bounds how many requests this node takes from one application to one vault.
type Throttle = throttle.Limit

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
	desk    *exchange.Desk
	conns   *connections.Connections
	apps    *azure.Plane
	ops     *operators.Plane
	joins   *joining.Joins
	router  *mux.Router
	glass   http.Handler           // of the break-glass socket
	openapi func() ([]byte, error) // the document, made when it is first asked for
}

// New returns the handler for a node's API listener.
func New(n *node.Node, c Config) *Handler {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	m := figures.NewMeters()
	h := &Handler{desk: exchange.NewDesk(c.Logger, m), conns: connections.New(c.Connections)}
	h.desk.Trust.Store(c.Trust)
	h.apps = azure.New(n, h.desk, hosts.Fold(c.Zones))
	h.apps.SetThrottle(c.Throttle)
	h.joins = joining.New(n, c.Logger, joining.NewSearch(seeds.Config{
		Node: n, Seeds: c.Seeds, NonVoter: c.NonVoter, Resolver: c.Resolver, Logger: c.Logger,
	}, c.Dial))
	h.ops = operators.New(n, h.desk, c.Dial, h.joins,
		figures.New(n, m, h.conns, c.LinesHeld, c.CertificateEnd))
	version := n.SealStatus().Version
	h.openapi = sync.OnceValues(func() ([]byte, error) { return OpenAPI(version) })
	h.router = h.planes(c.OpenMetrics)
	h.glass = h.ops.BreakGlass()
	return h
}

// Close stops trying to join and returns when the attempt under way has ended.
func (h *Handler) Close() { h.joins.Close() }

// SetThrottle sets another bound for applications, from the next request on.
func (h *Handler) SetThrottle(t Throttle) { h.apps.SetThrottle(t) }

// SetLogLevel sets another level for the whole node, which is also the one to come back to.
func (h *Handler) SetLogLevel(level hclog.Level) { h.ops.SetLogLevel(level) }

// ServeHTTP lets mux pick plane and collection; the tables do the rest. Something always matches:
// the root has a handler for what it doesn't find. The router's own ServeHTTP would copy the
// request twice, for variables that nothing here asks for.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m mux.RouteMatch
	h.router.Match(r, &m)
	m.Handler.ServeHTTP(w, r)
}

// PermissionNames are what an application can be allowed, on keys and on secrets.
func PermissionNames() (keys, secrets []string) { return vault.PermissionNames() }
