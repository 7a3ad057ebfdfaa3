// Package forwarded tells where a caller is, when something stands between the caller and a node: a
// balancer that passes TLS through and begins each connection with a PROXY header, or one that ends
// TLS and writes X-Forwarded-For. Either is believed from named networks only. Whoever comes from
// elsewhere is where the connection comes from, whatever it says.
package forwarded

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A Trust says whose word on a caller's address counts. nil, and the zero value, believe nobody. It
// doesn't change once it is in use.
type Trust struct {
	Proxies     []netip.Prefix // connections from there begin with a PROXY header, always
	OnlyProxies bool           // connections from elsewhere are closed

	Headers []netip.Prefix // the X-Forwarded-For of requests from there counts
	// Skips is how many addresses at the end of an X-Forwarded-For are of proxies between the caller
	// and the one that sent it.
	Skips         int
	RejectAbsent  bool // where Headers are named, requests without an X-Forwarded-For are refused
	RejectForeign bool // and those that bring one from elsewhere
}

// maxNetworks bounds a list of networks: each new connection is compared with all of them.
const maxNetworks = 256

// Networks reads a list of networks: "10.0.0.0/8", or an address, which is a network of its own. It
// takes none that is everybody.
func Networks(texts []string) ([]netip.Prefix, error) {
	if len(texts) > maxNetworks {
		return nil, fmt.Errorf("%d networks: at most %d are taken", len(texts), maxNetworks)
	}
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := parseNetwork(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if addr, e := netip.ParseAddr(text); e == nil && addr.Zone() == "" {
		network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return network, fmt.Errorf("%q: a network is wanted, as in 10.1.0.0/16, or an address", text)
	case network.Addr().Is4In6():
		return network, fmt.Errorf("%q: write it as an IPv4 network", text)
	case network != network.Masked():
		return network, fmt.Errorf("%q: is %s meant, or a longer prefix?", text, network.Masked())
	case network.Bits() == 0:
		return network, fmt.Errorf("%q is everybody, who could then pretend to be anybody: "+
			"name the networks of your balancers", text)
	}
	return network, nil
}

// within says whether an address lies in one of some networks.
func within(networks []netip.Prefix, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// addressOf is an address without its port; the zero Addr, which is in no network, for what is not
// on an IP network.
func addressOf(addr net.Addr) netip.Addr {
	ap, _ := netip.ParseAddrPort(addr.String())
	return ap.Addr()
}
