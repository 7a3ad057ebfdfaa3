// Package address checks addresses of nodes. Every one that comes from a flag, a file or another
// machine is checked here before anything is done with it. If a wrong one were taken, only other
// nodes would find out, later and somewhere else.
//
// Errors say what is wrong and what would be right. The caller adds which address it was.
package address

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxLength bounds an address in bytes: a host name has 253 at most.
const maxLength = 300

var errTooLong = fmt.Errorf("an address has %d bytes at most", maxLength)

// Listen checks host:port to listen at. The host may be missing, or one that stands for all of the
// machine's; the port may be 0, for any that is free.
func Listen(s string) error {
	_, _, err := split(s)
	return err
}

// Reachable checks host:port at which others reach a node.
func Reachable(s string) error {
	host, port, err := split(s)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.Unmap().IsUnspecified():
		return fmt.Errorf("%q is every address of a machine, and none that others can call; give the "+
			"name or the IP address at which they reach it, as in node1.example.org:%d", s, port)
	case err == nil && ip.IsMulticast():
		return fmt.Errorf("%q is no machine's address", s)
	case port == 0:
		return fmt.Errorf("%q has port 0, which others can't know; give the port itself", s)
	}
	return nil
}

const asURL = "it is https://host:port, as in https://node1.example.org:8200"

// URL checks https://host or https://host:port, without anything after it.
func URL(s string) error {
	if len(s) > maxLength {
		return errTooLong
	}
	if !strings.HasPrefix(s, "https://") {
		if scheme, rest, ok := strings.Cut(s, "://"); ok {
			return fmt.Errorf("%q: a node speaks https, not %s; it is https://%s", s, scheme, rest)
		}
		return fmt.Errorf("%q is no URL: %s", s, asURL)
	}
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is no URL: %w; %s", s, err, asURL)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q: it is https://host:port alone, without user, path or query: https://%s",
			s, u.Host)
	}
	host := u.Host
	if u.Port() == "" {
		host += ":443"
	}
	return Reachable(host)
}

// split takes host:port apart.
func split(s string) (host string, port uint16, err error) {
	if len(s) > maxLength {
		return "", 0, errTooLong
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		return "", 0, fmt.Errorf("%q is a URL, and host:port is wanted: leave %s:// out, as in %s",
			s, scheme, strings.Trim(rest, "/"))
	}
	host, service, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not host:port: %w", s, unsplit(s))
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q: the port is a number, 1 to 65535, and not %q", s, service)
	}
	if strings.Contains(host, ":") {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", 0, fmt.Errorf("%q: what is in brackets is no IPv6 address", s)
		}
	} else if i := strings.IndexFunc(host, notInName); i >= 0 {
		return "", 0, fmt.Errorf("%q: a host name has letters, digits, '-', '_' and '.', "+
			"and this one has %q", s, host[i:i+1])
	}
	return host, uint16(n), nil
}

// unsplit is what is wrong with what net.SplitHostPort does not take.
func unsplit(s string) error {
	switch {
	case strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "["):
		return errors.New("an IPv6 address stands in brackets, as in [2001:db8::1]:8201")
	case strings.HasPrefix(s, "[") && !strings.Contains(s, "]"):
		return errors.New("the bracket is not closed")
	}
	return fmt.Errorf("the port is missing, as in %s:8201", strings.TrimSuffix(s, ":"))
}

func notInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	case r == '-', r == '_', r == '.':
		return false
	}
	return true
}
