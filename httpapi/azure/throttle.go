package azure

import (
	"net/http"

	"keyquorum/httpapi/throttle"
	"keyquorum/httpapi/wire"
)

// SetThrottle sets another bound, from the next request on. If it is another one, everybody begins
// with a full bucket.
func (p *Plane) SetThrottle(t throttle.Limit) {
	was, is := p.throttle.Load(), throttle.New(t)
	if was != nil && is != nil && was.Same(is) {
		return
	}
	p.throttle.Store(is)
}

// unthrottled lets a call go on, or refuses it before it costs more than its authentication: no
// lease, no fence, no key, no body.
func (c *call) unthrottled() error {
	t := c.plane.throttle.Load()
	if t == nil || t.Take(throttle.Who{OID: c.caller.Identity.OID, Vault: c.caller.Vault}, c.Req.Start,
		c.Vaults.HasVault) {
		return nil
	}
	c.plane.Meters.Throttled.Add(1)
	f := wire.Refuse(http.StatusTooManyRequests, "Throttled",
		"Request was not processed because too many requests were received. Reason: this application sends more to this vault than a node takes.")
	f.RetryAfter = t.Pause()
	return f
}
