package hosts_test

import (
	"strings"
	"testing"

	"keyquorum/httpapi/hosts"
)

// place takes a Host apart under one zone. Plane is "operator", "application" or "login".
func place(host string, z hosts.Zone) (plane, vault, parent string) {
	p, found := hosts.Zones{z}.Place(host)
	return [...]string{"operator", "application", "login"}[p], found.Vault, found.Parent
}

func TestHosts(t *testing.T) {
	z := hosts.Zone{Suffix: "vault.localhost", Login: "login.vault.localhost"}
	for host, want := range map[string][3]string{
		"demo.vault.localhost:8200":      {"application", "demo", "vault.localhost:8200"},
		"Demo.VAULT.localhost":           {"application", "demo", "VAULT.localhost"},
		"demo.vault.localhost.:1":        {"application", "demo", "vault.localhost.:1"},
		"vault.localhost":                {"application", "", ""},
		"a.b.vault.localhost":            {"application", "", ""},
		".vault.localhost":               {"application", "", ""},
		"de\"mo.vault.localhost":         {"application", "", ""},
		"demo.vault.localhost:80:80":     {"application", "", ""},
		"demo.vault.localhost..:8200":    {"application", "", ""},
		"demo.vault.localhost:":          {"application", "", ""},
		"login.vault.localhost.:1":       {"login", "", ""},
		"::1":                            {"operator", "", ""},
		"demo.vault.localhost:x":         {"application", "", ""},
		"demo.vault.localhost:123456":    {"application", "", ""},
		"LOGIN.vault.localhost:8200":     {"login", "", ""},
		"xlogin.vault.localhost":         {"application", "xlogin", "vault.localhost"},
		"evilvault.localhost":            {"operator", "", ""},
		"127.0.0.1:8200":                 {"operator", "", ""},
		"[::1]:8200":                     {"operator", "", ""},
		"localhost":                      {"operator", "", ""},
		"":                               {"operator", "", ""},
		"demo.vault.localhost.evil.org":  {"operator", "", ""},
		"demo.vault.loca\u212Ahost:8200": {"operator", "", ""},
	} {
		plane, vault, parent := place(host, z)
		if got := [3]string{plane, vault, parent}; got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}

// Whatever a Host holds, what is minted from it can be quoted in a header and in JSON, and a host
// under the zone never reaches the operator plane.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"demo.vault.localhost:8200", "vault.localhost", "login.localhost:1",
		"[::1]:8200", "a.b.vault.localhost", "x\"y.vault.localhost", "demo.vault.localhost."} {
		f.Add(seed)
	}
	zone := hosts.Zone{Suffix: "vault.localhost", Login: "login.localhost"}
	f.Fuzz(func(t *testing.T, host string) {
		plane, vault, parent := place(host, zone)
		if vault != "" {
			if plane != "application" || strings.ContainsAny(host, "\"\\ \r\n/?#,;=") ||
				!strings.HasSuffix(host, "."+parent) {
				t.Fatalf("%q: %s %q %q", host, plane, vault, parent)
			}
		}
		if strings.HasSuffix(strings.ToLower(host), ".vault.localhost") && plane != "application" {
			t.Fatalf("%q reaches the %s plane", host, plane)
		}
	})
}
