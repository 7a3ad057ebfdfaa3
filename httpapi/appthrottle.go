package httpapi

import (
	"net/http"

	"keyquorum/httpapi/wire"
)

// SetThrottle sets another bound, from the next request on. If it is another one, everybody begins
// with a full bucket.
func (p *applications) SetThrottle(t Throttle) {
	was, is := p.throttle.Load(), newThrottle(t)
	if was != nil && is != nil && was.rate == is.rate && was.burst == is.burst {
		return
	}
	p.throttle.Store(is)
}

// unthrottled lets a call go on, or refuses it before it costs more than its authentication: no
// lease, no fence, no key, no body.
func (c *appCall) unthrottled() error {
	t := c.apps.throttle.Load()
	if t == nil || t.take(who{c.caller.Identity.OID, c.caller.Vault}, c.req.Start, c.vaults.HasVault) {
		return nil
	}
	c.apps.meters.throttled.Add(1)
	f := wire.Refuse(http.StatusTooManyRequests, "Throttled",
		"Request was not processed because too many requests were received. Reason: this application sends more to this vault than a node takes.")
	f.RetryAfter = t.pause()
	return f
}
