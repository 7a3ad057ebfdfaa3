package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"keyquorum/httpapi/wire"
)

// planes builds the router. Its matchers are functions: gorilla's patterns are regular expressions
// tried one after the other, too dear for a secret read, and paths must match whatever their case
// and empty segments.
//
// SkipClean: a cleaned path would be answered with a redirect, which application clients do not
// survive.
func (h *Handler) planes(openMetrics bool) *mux.Router {
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()

	root.MatcherFunc(func(r *http.Request,
		_ *mux.RouteMatch) bool {
		return asksForDocument(r)
	}).HandlerFunc(h.document)

	app := root.MatcherFunc(h.on(applicationPlane)).Subrouter()
	for collection, routes := range collections() {
		app.MatcherFunc(under(collection)).Handler(h.application(h.meters.metered(routes)))
	}
	app.NotFoundHandler = h.application(nil)

	login := root.MatcherFunc(h.on(loginPlane)).Subrouter()
	login.NotFoundHandler = h.tokens(h.meters.metered(tokenRoutes()))

	root.MatcherFunc(forVault).Handler(h.application(nil)) // at another host: see misdirected.go
	root.MatcherFunc(forLogin).Handler(h.tokens(nil))

	admin := root.PathPrefix("/v1/keyquorum/").Subrouter()
	admin.NotFoundHandler = h.operators(h.meters.metered(adminRoutes()))
	root.NotFoundHandler = h.operators(h.meters.metered(operatorRoutes(openMetrics)))
	return root
}

// operatorRoutes are those of the operator plane, but for the administration API.
func operatorRoutes(openMetrics bool) []route {
	return slices.Concat(sysRoutes(), scheduleRoutes(), rekeyRoutes(), generateRootRoutes(),
		raftRoutes(), loggerRoutes(), profileRoutes(), metricsRoutes(openMetrics))
}

// on matches requests whose Host belongs to plane p.
func (h *Handler) on(p plane) mux.MatcherFunc {
	return func(r *http.Request, _ *mux.RouteMatch) bool {
		got, _ := h.placeOf(r.Host)
		return got == p
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
