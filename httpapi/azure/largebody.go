package azure

import (
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
)

// maxLarge is how many bodies over exchange.SmallBody may be in memory at once: anyone with a token
// could otherwise fill it with requests that are never completed, one for each connection. Nobody
// has to wait for such a place: it is given or refused. Of the maxHuge for bodies over
// exchange.MaxBody no application gets a second one.
const (
	maxLarge = 32
	maxHuge  = 2
)

// MakeRoom takes one of the places for bodies of so many bytes and more, until the call is over.
// Only routes of the application plane have any so large. They go to whoever may do what the body
// is for, and of the few huge ones an application has one at a time: otherwise any token could keep
// all others from theirs with bodies that never end.
func (c *call) MakeRoom(bytes int) error {
	if c.Room == nil {
		if err := c.Vaults.Admits(c.Ctx, c.caller, c.Route.Operation, c.Params[0]); err != nil {
			return err
		}
	}
	places := c.plane.large
	if bytes > exchange.MaxBody {
		places = c.plane.huge
	}
	if c.Room == places {
		return nil
	}
	if places == c.plane.huge {
		if _, another := c.plane.hugeOf.LoadOrStore(c.caller.Identity.OID, c); another {
			return tooManyLarge()
		}
	}
	select {
	case places <- struct{}{}:
	default:
		c.plane.hugeOf.CompareAndDelete(c.caller.Identity.OID, c)
		return tooManyLarge()
	}
	c.Occupy(places)
	if places == c.plane.huge {
		c.Left = func() { c.plane.hugeOf.CompareAndDelete(c.caller.Identity.OID, c) }
	}
	return nil
}

func tooManyLarge() error {
	f := wire.Unavailable("Too many large requests are being read.")
	f.Early = true
	return f
}
