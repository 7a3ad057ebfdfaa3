package httpapi

import (
	"net/http"

	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// breakGlass serves the routes of root generations without a token.
func (p *operators) breakGlass() http.Handler {
	routes := metered(p.meters, rootGenerationRoutes())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := "break-glass socket, " + r.RemoteAddr
		c := p.newCall(w, r)
		c.nowhere, c.req.Remote, c.req.Via = nil, from, "" // whatever X-Forwarded-For says
		c.r.RemoteAddr = from
		c.operator, c.authorized = vault.ByShares(c.req), true
		c.commonHeaders()
		c.run(func() error { return c.recordRefused(c.throughGlass(routes)) })
	})
}

// throughGlass is operate without tokens.
func (c *opCall) throughGlass(routes []route) error {
	if err := c.headLimits(); err != nil {
		return err
	}
	var segments [maxSegments]string
	rt, allow, _ := find(routes, c.r.Method, c.operatorPath(&segments), exactly, &c.params)
	c.route = rt
	vaults, err := c.ops.n.Vaults()
	if err == nil {
		c.vaults = vaults
	}
	c.ops.meters.glass.Add(1)
	c.ops.log.Warn("the break-glass socket is used", "from", c.req.Remote, "method", c.r.Method,
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
