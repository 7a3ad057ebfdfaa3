package main

import (
	"net/netip"
	"slices"

	"github.com/spf13/pflag"

	"keyquorum/httpapi/forwarded"
)

// balancers are the settings that say who may tell a node where its callers are. Their names are
// those of Vault's.
type balancers struct {
	Behavior      string // "" is allow_authorized
	Proxies       []string
	Headers       []string
	HopSkips      int
	RejectAbsent  bool
	RejectForeign bool

	trust *forwarded.Trust // what they come to (serverConfig.trust); nil: nobody may
}

// Values of --proxy-protocol-behavior.
const (
	allowAuthorized  = "allow_authorized"
	denyUnauthorized = "deny_unauthorized"
)

// balancerFlags are the flags of all of them.
var balancerFlags = []string{
	"proxy-protocol-authorized-addrs", "proxy-protocol-behavior", "x-forwarded-for-authorized-addrs",
	"x-forwarded-for-hop-skips", "x-forwarded-for-reject-not-present",
	"x-forwarded-for-reject-not-authorized",
}

func (b *balancers) bind(f *pflag.FlagSet) {
	f.StringSliceVar(&b.Proxies, "proxy-protocol-authorized-addrs", nil,
		"`network` of balancers that begin each connection with a PROXY header, which tells the "+
			"caller's address (repeatable)")
	f.StringVar(&b.Behavior, "proxy-protocol-behavior", allowAuthorized,
		"connections from elsewhere are what they seem (allow_authorized), or closed "+
			"(deny_unauthorized)")
	f.StringSliceVar(&b.Headers, "x-forwarded-for-authorized-addrs", nil,
		"`network` of balancers whose X-Forwarded-For tells the caller's address (repeatable)")
	f.IntVar(&b.HopSkips, "x-forwarded-for-hop-skips", 0,
		"how many addresses at the end of X-Forwarded-For are of proxies between caller and balancer")
	f.BoolVar(&b.RejectAbsent, "x-forwarded-for-reject-not-present", false,
		"refuse requests without X-Forwarded-For, the balancer's own health checks too")
	f.BoolVar(&b.RejectForeign, "x-forwarded-for-reject-not-authorized", false,
		"refuse requests that bring X-Forwarded-For from elsewhere, where it is ignored otherwise")
}

// trust makes one of the settings, and says what cannot work.
func (s *serverConfig) trust() (wrong problems) {
	b := &s.Balancers
	networks := func(flag string, texts []string) []netip.Prefix {
		read, err := forwarded.Networks(texts)
		if err != nil {
			wrong = append(wrong, s.about(flag, err.Error()))
		}
		return read
	}
	b.trust = &forwarded.Trust{
		Proxies:       networks("proxy-protocol-authorized-addrs", b.Proxies),
		OnlyProxies:   b.Behavior == denyUnauthorized,
		Headers:       networks("x-forwarded-for-authorized-addrs", b.Headers),
		Skips:         b.HopSkips,
		RejectAbsent:  b.RejectAbsent,
		RejectForeign: b.RejectForeign,
	}
	return append(wrong, s.contradictions()...)
}

// contradictions are settings that would believe everybody, or do nothing.
func (s *serverConfig) contradictions() (wrong problems) {
	b := &s.Balancers
	add := func(flag, what, next string) {
		p := s.about(flag, what)
		p.Next = next
		wrong = append(wrong, p)
	}
	switch {
	case b.Behavior == "use_always":
		add("proxy-protocol-behavior", "use_always would let everybody pretend to be anybody",
			"name the networks of your balancers with proxy_protocol_authorized_addrs")
	case !slices.Contains([]string{"", allowAuthorized, denyUnauthorized}, b.Behavior):
		add("proxy-protocol-behavior", "it is allow_authorized or deny_unauthorized", "")
	case b.Behavior == denyUnauthorized && len(b.Proxies) == 0:
		add("proxy-protocol-behavior", "deny_unauthorized would close every connection",
			"name the networks of your balancers with proxy_protocol_authorized_addrs")
	}
	if b.HopSkips < 0 {
		add("x-forwarded-for-hop-skips", "it is not negative", "")
	}
	if len(b.Headers) > 0 {
		return wrong
	}
	for _, of := range []struct {
		flag string
		set  bool
	}{
		{"x-forwarded-for-hop-skips", b.HopSkips > 0},
		{"x-forwarded-for-reject-not-present", b.RejectAbsent},
		{"x-forwarded-for-reject-not-authorized", b.RejectForeign},
	} {
		if of.set {
			add(of.flag, "it says nothing where no X-Forwarded-For counts",
				"name the networks of your balancers with x_forwarded_for_authorized_addrs, or leave it out")
		}
	}
	return wrong
}
