package httpapi

import (
	"strings"

	"keyquorum/httpapi/wire"
)

// A plane is what a Host asks for.
type plane uint8

const (
	operatorPlane plane = iota
	applicationPlane
	loginPlane
)

// A place is a Host header taken apart.
type place struct {
	zone      *Zone
	vault     string // lower case; "" where the host is none that a vault can have
	authority string // the Host as the client wrote it: ids, nextLink and issuers are minted from it
	parent    string // authority without its first label, port kept: what the challenge calls the resource
	port      string // ":8200", or "" for none
}

// zones are those of a node, folded to lower case.
type zones []Zone

func newZones(given []Zone) (all zones) {
	for _, z := range given {
		all = append(all, Zone{Suffix: strings.ToLower(z.Suffix), Login: strings.ToLower(z.Login)})
	}
	return all
}

// placeOf tells which plane a Host belongs to. A host under a zone is the application plane
// whatever else is wrong with it: it must never reach the operator plane.
func (all zones) placeOf(host string) (plane, place) {
	written, port := splitPort(host)
	name := strings.TrimRight(written, ".")
	oneDot := len(written)-len(name) <= 1 // a name may end in one (RFC 1034 section 3.1)
	for i := range all {
		z := &all[i]
		if wire.EqualFold(name, z.Login) {
			return loginPlane, place{zone: z, authority: host, port: port}
		}
		if below, ok := cutZone(name, z.Suffix); ok {
			p := place{zone: z, authority: host, port: port}
			if validLabel(below) && validPort(port) && oneDot {
				p.vault = strings.ToLower(below)
				p.parent = host[len(below)+1:]
			}
			return applicationPlane, p
		}
	}
	return operatorPlane, place{authority: host, port: port}
}

// splitPort cuts off what stands from the first colon on. It leaves IPv6 literals whole, which are
// in no zone.
func splitPort(host string) (name, port string) {
	i := strings.IndexByte(host, ':')
	if i < 0 || host[0] == '[' {
		return host, ""
	}
	return host[:i], host[i:]
}

// cutZone says whether name is suffix or below it, and what stands before it.
func cutZone(name, suffix string) (below string, ok bool) {
	if wire.EqualFold(name, suffix) {
		return "", true
	}
	dot := len(name) - len(suffix) - 1
	if dot < 0 || name[dot] != '.' || !wire.EqualFold(name[dot+1:], suffix) {
		return "", false
	}
	return name[:dot], true
}

// validLabel: one DNS label of letters, digits and hyphens, so that it can be echoed anywhere.
// Which of them name a vault is the domain's business.
func validLabel(s string) bool {
	if len(s) == 0 || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		if !wire.Alphanumeric(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// validPort: "" or a colon and one to five digits.
func validPort(p string) bool {
	if p == "" {
		return true
	}
	return len(p) >= 2 && len(p) <= 6 && wire.AllDigits(p[1:])
}
