package httpapi

import (
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// The break-glass socket is for the day when no operator's token is left. Whoever may use it needs
// the unseal shares, no token, and gets a root token, nothing else. Its routes are those of a root
// generation, and they are served as they are with a token: at the node that is asked, with the
// token masked or encrypted. Each request is recorded, whoever made it, and logged as a warning.

// Bounds of that socket, besides those of a request. Only root and the node's own user get as far.
const (
	glassConnections = 16
	glassReadTime    = 10 * time.Second
	glassIdleTime    = 10 * time.Second
)

// A BreakGlass serves plain HTTP, on a listener that nobody reaches over a network. The listener
// gives out no connection of somebody who may not have one, and the RemoteAddr of each says which
// local user is at the other end.
type BreakGlass struct{ *http.Server }

// BreakGlass returns a server that was not started.
func (s *Server) BreakGlass() BreakGlass {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // see forget.go
	return BreakGlass{&http.Server{
		Handler:           s.handler.glass,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       glassReadTime,
		WriteTimeout:      requestTime + answerTime,
		IdleTimeout:       glassIdleTime,
		MaxHeaderBytes:    maxHeaderRead,

		DisableGeneralOptionsHandler: true,
		ErrorLog: s.handler.log.StandardLogger(&hclog.StandardLoggerOptions{
			ForceLevel: hclog.Debug}),
	}}
}

// Serve has so many connections at once that a flood costs nothing, and others wait.
func (b BreakGlass) Serve(l net.Listener) error {
	return b.Server.Serve(netutil.LimitListener(l, glassConnections))
}

// breakGlass serves the routes of root generations without a token.
func (h *Handler) breakGlass() http.Handler {
	routes := h.meters.metered(rootGenerationRoutes())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := "break-glass socket, " + r.RemoteAddr
		c := h.newCall(w, r, sysFormat)
		c.nowhere, c.req.Remote, c.req.Via = nil, from, "" // whatever X-Forwarded-For says
		c.r.RemoteAddr = from
		c.operator, c.authorized = vault.ByShares(c.req), true
		c.commonHeaders()
		c.run(func(c *call) error { return c.recordRefused(c.throughGlass(routes)) })
	})
}

// throughGlass is operate without tokens.
func (c *call) throughGlass(routes []route) error {
	if err := c.headLimits(); err != nil {
		return err
	}
	var segments [maxSegments]string
	rt, allow, _ := find(routes, c.r.Method, c.operatorPath(&segments), exactly, &c.params)
	c.route = rt
	vaults, err := c.h.n.Vaults()
	if err == nil {
		c.vaults = vaults
	}
	c.h.meters.glass.Add(1)
	c.h.log.Warn("the break-glass socket is used", "from", c.req.Remote, "method", c.r.Method,
		"operation", c.operationName(), "request_id", c.req.ID)
	switch {
	case allow != nil:
		return wire.MethodNotAllowed(allow)
	case rt == nil:
		return wire.Refuse(http.StatusNotFound, "NotFound",
			"This is the break-glass socket, where a root "+
				"token is made of unseal shares (keyquorum operator generate-root). Everything else is "+
				"at the node's API address, with a token.")
	case err != nil:
		return c.notServing(err)
	}
	if err := c.conditions(); err != nil {
		return err
	}
	return c.perform()
}
