package forwarded

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Refusal is a sentence that says to a caller what is wrong with a request.
type Refusal string

func (r Refusal) Error() string { return string(r) }

const (
	absent  Refusal = "The header X-Forwarded-For is missing, and this node wants it."
	foreign Refusal = "This node takes the header X-Forwarded-For from its balancers only."
	short   Refusal = "The header X-Forwarded-For names fewer addresses than there are proxies."
)

// Client is where a request comes from. peer is where its connection comes from (host:port), values
// are its X-Forwarded-For headers in their order. The answer is peer, or what a named network says:
// an address, with its port where the balancer tells it. An error is a Refusal.
func (t *Trust) Client(peer string, values []string) (string, error) {
	if t == nil || len(t.Headers) == 0 {
		return peer, nil
	}
	if !present(values) {
		if t.RejectAbsent {
			return "", absent
		}
		return peer, nil
	}
	from, _ := netip.ParseAddrPort(peer)
	if !within(t.Headers, from.Addr()) {
		if t.RejectForeign {
			return "", foreign
		}
		return peer, nil
	}
	hop, ok := lastBut(t.Skips, values)
	if !ok {
		return "", short
	}
	return parseHop(hop)
}

func present(values []string) bool {
	for _, v := range values {
		if strings.Trim(v, " \t") != "" {
			return true
		}
	}
	return false
}

// lastBut is the element before the last n. Proxies append to the list, so whoever is in front of
// them may have written all that comes before it: it is never looked at.
func lastBut(n int, values []string) (string, bool) {
	for i := len(values) - 1; i >= 0; i-- {
		rest, more := values[i], true
		for more {
			var last string
			last, rest, more = cutLast(rest)
			if n == 0 {
				return strings.Trim(last, " \t"), true
			}
			n--
		}
	}
	return "", false
}

// cutLast gives a list's last element, and what comes before it if there is more.
func cutLast(list string) (last, rest string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return list, "", false
	}
	return list[i+1:], list[:i], true
}

// maxHop is longer than every address with brackets and port.
const maxHop = 64

// parseHop reads an address as balancers write it, with a port or without.
func parseHop(hop string) (string, error) {
	if len(hop) > maxHop {
		return "", Refusal("X-Forwarded-For has something that is too long for an address.")
	}
	if ap, err := netip.ParseAddrPort(hop); err == nil && ap.Addr().Zone() == "" {
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String(), nil
	}
	bare := hop
	if strings.HasPrefix(hop, "[") && strings.HasSuffix(hop, "]") {
		bare = hop[1 : len(hop)-1]
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil || addr.Zone() != "" {
		return "", Refusal(
			fmt.Sprintf("X-Forwarded-For has %q where the caller's address belongs.", hop))
	}
	return addr.Unmap().String(), nil
}
