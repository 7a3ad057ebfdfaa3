package azure

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/hosts"
	"keyquorum/httpapi/wire"
)

// Mount has root serve what is asked of vaults and of login hosts, at their hosts and at any other.
func (p *Plane) Mount(root *mux.Router) {
	app := root.MatcherFunc(p.on(hosts.ApplicationPlane)).Subrouter()
	for collection, routes := range collections() {
		app.MatcherFunc(under(collection)).Handler(p.application(exchange.Metered(p.Meters, routes)))
	}
	app.NotFoundHandler = p.application(nil)

	login := root.MatcherFunc(p.on(hosts.LoginPlane)).Subrouter()
	login.NotFoundHandler = p.tokens(exchange.Metered(p.Meters, tokenRoutes()))

	root.MatcherFunc(forVault).Handler(p.application(nil)) // at another host: see misdirected.go
	root.MatcherFunc(forLogin).Handler(p.tokens(nil))
}

// on matches requests whose Host belongs to a plane.
func (p *Plane) on(which hosts.Plane) mux.MatcherFunc {
	return func(r *http.Request, _ *mux.RouteMatch) bool {
		got, _ := p.zones.Place(r.Host)
		return got == which
	}
}

// under matches paths whose first segment is collection, in any case and however its letters are
// escaped.
func under(collection string) mux.MatcherFunc {
	return func(r *http.Request, _ *mux.RouteMatch) bool {
		first, _, _ := strings.Cut(strings.TrimLeft(r.URL.EscapedPath(), "/"), "/")
		if strings.IndexByte(first, '%') >= 0 {
			first, _ = url.PathUnescape(first)
		}
		return wire.EqualFold(first, collection)
	}
}
