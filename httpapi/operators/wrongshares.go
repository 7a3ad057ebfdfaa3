package operators

import (
	"net"
	"net/http"
	"net/netip"

	"keyquorum/httpapi/throttle"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// Whoever gives wrong shares is told to slow down, by source. Guessing is hopeless at any rate: a
// share has 252 random bits, and whoever wants to try has the lock to try them on. A good share is
// taken all the same, since its holder may come from behind the same balancer.
var wrongShares = throttle.Limit{Rate: 1, Burst: 20}

// given has a share be given. A wrong one is 429 where too many came from the same source.
func (c *call) given(give func() error) error {
	err := give()
	if !node.IsBadShare(err) || node.IsDuplicateShare(err) {
		return err
	}
	t := c.plane.wrongShares
	source := throttle.Who{OID: sourceOf(c.Req.Remote)}
	if t.Take(source, c.Req.Start, func(string) bool { return true }) {
		return err
	}
	f := wire.Refuse(http.StatusTooManyRequests, "", "invalid key: "+node.ShareFault(err)+
		". Many wrong ones came from your address: wait a moment, and look at the share with "+
		"keyquorum operator check-share")
	f.RetryAfter = t.Pause()
	return f
}

// sourceOf is an IPv4 address, or a /64 of IPv6.
func sourceOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote // a network of a test
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr.String()
	}
	prefix, _ := addr.Prefix(64)
	return prefix.String()
}
