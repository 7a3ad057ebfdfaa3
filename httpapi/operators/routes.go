package operators

import (
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"keyquorum/httpapi/exchange"
)

// Mount has root serve the operator plane wherever no other plane is asked for. openMetrics says
// that the metrics need no token.
func (p *Plane) Mount(root *mux.Router, openMetrics bool) {
	admin := root.PathPrefix("/v1/keyquorum/").Subrouter()
	admin.NotFoundHandler = p.handler(exchange.Metered(p.Meters, adminRoutes()))
	root.NotFoundHandler = p.handler(exchange.Metered(p.Meters, operatorRoutes(openMetrics)))
}

// operatorRoutes are those of the operator plane, but for the administration API.
func operatorRoutes(openMetrics bool) []exchange.Route {
	return slices.Concat(sysRoutes(), scheduleRoutes(), rekeyRoutes(), generateRootRoutes(),
		raftRoutes(), loggerRoutes(), profileRoutes(), metricsRoutes(openMetrics))
}

// Methods of the plane's routes. PUT and POST are one thing here, unlike on the application plane.
var (
	get    = []string{http.MethodGet}
	write  = []string{http.MethodPut, http.MethodPost}
	remove = []string{http.MethodDelete}
	list   = []string{http.MethodGet, "LIST"}
	probe  = []string{http.MethodGet, http.MethodHead}
)
