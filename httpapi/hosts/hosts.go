// Package hosts tells by the Host of a request which plane it is for, and which vault. A host under
// a zone never reaches the operator plane.
package hosts

import (
	"fmt"
	"strings"

	"keyquorum/httpapi/wire"
)

// A Plane is what a Host asks for.
type Plane uint8

// The planes. Whatever is no other's host is the operator plane's.
const (
	OperatorPlane Plane = iota
	ApplicationPlane
	LoginPlane
)

// A Place is a Host header taken apart.
type Place struct {
	Zone      *Zone
	Vault     string // lower case; "" where the host is none that a vault can have
	Authority string // the Host as the client wrote it: ids, nextLink and issuers are minted from it
	Parent    string // authority without its first label, port kept: what the challenge calls the resource
	Port      string // ":8200", or "" for none
}

// Zones are those of a node, folded to lower case.
type Zones []Zone

// Fold returns zones as Place compares them.
func Fold(given []Zone) (all Zones) {
	for _, z := range given {
		all = append(all, Zone{Suffix: strings.ToLower(z.Suffix), Login: strings.ToLower(z.Login)})
	}
	return all
}

// Place tells which plane a Host belongs to. A host under a zone is the application plane
// whatever else is wrong with it: it must never reach the operator plane.
func (all Zones) Place(host string) (Plane, Place) {
	written, port := splitPort(host)
	name := strings.TrimRight(written, ".")
	oneDot := len(written)-len(name) <= 1 // a name may end in one (RFC 1034 section 3.1)
	for i := range all {
		z := &all[i]
		if wire.EqualFold(name, z.Login) {
			return LoginPlane, Place{Zone: z, Authority: host, Port: port}
		}
		if below, ok := cutZone(name, z.Suffix); ok {
			p := Place{Zone: z, Authority: host, Port: port}
			if validLabel(below) && ValidPort(port) && oneDot {
				p.Vault = strings.ToLower(below)
				p.Parent = host[len(below)+1:]
			}
			return ApplicationPlane, p
		}
	}
	return OperatorPlane, Place{Authority: host, Port: port}
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

// ValidPort: "" or a colon and one to five digits.
func ValidPort(p string) bool {
	if p == "" {
		return true
	}
	return len(p) >= 2 && len(p) <= 6 && wire.AllDigits(p[1:])
}

// A Zone is a domain under which each vault has a host, and the host that issues its tokens.
type Zone struct {
	Suffix string // "vault.localhost": vault demo is demo.vault.localhost
	Login  string // "login.localhost"
}

// ParseZone reads a zone as it is written in settings: SUFFIX=LOGIN.
func ParseZone(text string) (Zone, error) {
	suffix, login, ok := strings.Cut(text, "=")
	if !ok || suffix == "" || login == "" {
		return Zone{}, fmt.Errorf(
			"%q: a zone is SUFFIX=LOGIN, as in vault.example.org=login.example.org", text)
	}
	return Zone{Suffix: strings.ToLower(suffix), Login: strings.ToLower(login)}, nil
}
