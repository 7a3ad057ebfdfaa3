package seeds

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A Resolver looks DNS names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// A Place is where one member may be.
type Place struct {
	API        string // "https://host:port"
	CA         []byte // PEM; none: the system's roots
	ServerName string // that the certificate must have; "": API's host
}

// maxPlaces bounds how many records of one name are used.
const maxPlaces = 32

// places are those of a seed now. Those of a DNS name come in any order, so that nodes that start
// together don't all ask the same member.
func (s Seed) places(ctx context.Context, r Resolver) ([]Place, error) {
	ca, err := s.ca()
	if err != nil {
		return nil, err
	}
	var hosts []string
	switch {
	case s.DNS == "":
		return []Place{{s.API, ca, s.ServerName}}, nil
	case s.isService():
		hosts, err = services(ctx, r, s.DNS)
	default:
		hosts, err = s.addresses(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	name := s.ServerName
	if name == "" {
		name = s.DNS
	}
	var all []Place
	for _, host := range hosts[:min(len(hosts), maxPlaces)] {
		all = append(all, Place{"https://" + host, ca, name})
	}
	return all, nil
}

// addresses are those of A and AAAA records, with the port.
func (s Seed) addresses(ctx context.Context, r Resolver) (hosts []string, err error) {
	found, err := r.LookupNetIP(ctx, "ip", s.DNS)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	for _, ip := range found {
		hosts = append(hosts, net.JoinHostPort(ip.Unmap().String(), strconv.Itoa(s.Port)))
	}
	return hosts, nil
}

// services are those of SRV records, in the order that these ask for.
func services(ctx context.Context, r Resolver, name string) (hosts []string, err error) {
	_, found, err := r.LookupSRV(ctx, "", "", name)
	if err != nil {
		return nil, err
	}
	for _, record := range found {
		host := strings.TrimSuffix(record.Target, ".")
		if host == "" { // the service is decidedly not available at this name (RFC 2782)
			continue
		}
		hosts = append(hosts, net.JoinHostPort(host, strconv.Itoa(int(record.Port))))
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("%s has no SRV record that names a host", name)
	}
	return hosts, nil
}
