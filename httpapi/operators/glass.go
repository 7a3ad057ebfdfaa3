package operators

import (
	"net/http"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// BreakGlass serves the routes of root generations without a token.
func (p *Plane) BreakGlass() http.Handler {
	routes := exchange.Metered(p.Meters, rootGenerationRoutes())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := "break-glass socket, " + r.RemoteAddr
		c := p.newCall(w, r)
		c.Nowhere, c.Req.Remote, c.Req.Via = nil, from, "" // whatever X-Forwarded-For says
		c.R.RemoteAddr = from
		c.operator, c.authorized = vault.ByShares(c.Req), true
		c.CommonHeaders()
		c.Run(func() error { return c.recordRefused(c.throughGlass(routes)) })
	})
}

// throughGlass is operate without tokens.
func (c *call) throughGlass(routes []exchange.Route) error {
	if err := c.HeadLimits(); err != nil {
		return err
	}
	var segments [exchange.MaxSegments]string
	rt, allow, _ := exchange.Find(routes, c.R.Method, c.operatorPath(&segments), exactly, &c.Params)
	c.Route = rt
	vaults, err := c.plane.n.Vaults()
	if err == nil {
		c.Vaults = vaults
	}
	c.plane.Meters.Glass.Add(1)
	c.plane.Log.Warn("the break-glass socket is used", "from", c.Req.Remote, "method", c.R.Method,
		"operation", c.operationName(), "request_id", c.Req.ID)
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
	return c.Perform()
}
