package azure

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
)

// Requests for a vault, or for a token, may come to a host that is neither a vault's nor a login
// host: by an address, or by a name that no zone has. They are told so in the format of the plane
// that was meant, with a status that nobody takes for an answer about an object (RFC 9110 section
// 15.5.20). All operations of the operator plane are below /v1.

// forVault matches paths of the application plane.
func forVault(r *http.Request, _ *mux.RouteMatch) bool {
	return slices.ContainsFunc(vaultPaths, func(first string) bool { return under(first)(r, nil) })
}

var vaultPaths = func() []string {
	all := slices.Clone(unbuiltCollections)
	for first := range collections() {
		all = append(all, first)
	}
	return all
}()

// forLogin matches paths of the login host.
func forLogin(r *http.Request, _ *mux.RouteMatch) bool {
	var segments [exchange.MaxSegments]string
	path := exchange.SplitPath(r.URL.EscapedPath(), true, &segments)
	var ignored exchange.Params
	rt, allow, _ := exchange.Find(loginPaths, r.Method, path, wire.EqualFold, &ignored)
	return (rt != nil || allow != nil) && path[0] != "v1"
}

var loginPaths = tokenRoutes()

func (p *Plane) misdirected() *wire.Failure {
	message := "This node serves no vaults: it was started without a zone."
	if len(p.zones) > 0 {
		var hosts []string
		for _, z := range p.zones {
			hosts = append(hosts, "<vault>."+z.Suffix+" and "+z.Login)
		}
		message = "This host is no vault's and no login host. Those of this server are " +
			strings.Join(hosts, ", ") + "."
	}
	return wire.Refuse(http.StatusMisdirectedRequest, "MisdirectedRequest", message)
}
