// Package seeds has a node without data find the cluster that it is to join: it asks the places
// that its configuration names, in turn, until a member answers. It brings the node as far as an
// operator's call would, and no farther: what makes it a member are unseal shares, which somebody
// gives it. So the configuration holds no secret for it.
package seeds

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"keyquorum/internal/address"
)

// A Seed is a place where members may be: an address, or the addresses that a DNS name has.
type Seed struct {
	API        string // "https://host:port" of a member's API; "" where DNS is given
	DNS        string // a name with A and AAAA records, or, beginning with "_", with SRV records
	Port       int    // of the API, at the addresses of A and AAAA records
	CAFile     string // PEM, to trust there; "": the system's roots
	ServerName string // that the certificate has; "": the host of API, or DNS
}

// The names of a seed's members in a configuration: Vault's where they mean the same.
const (
	nameAPI        = "leader_api_addr"
	nameCAFile     = "leader_ca_cert_file"
	nameServerName = "leader_tls_servername"
	nameDNS        = "dns_name"
	namePort       = "auto_join_port"
)

// Names are what a seed may have, in the order of the documentation.
var Names = []string{nameAPI, nameDNS, namePort, nameCAFile, nameServerName}

// usualPort is that of the API where nothing else is said.
const usualPort = 8200

// New makes a seed of what a configuration says of it, by the names above.
func New(said map[string]string) (Seed, error) {
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !slices.Contains(Names, name) {
			return Seed{}, fmt.Errorf("there is no %q: a place to join has %s", name,
				strings.Join(Names, ", "))
		}
	}
	s := Seed{API: strings.TrimRight(said[nameAPI], "/"), DNS: said[nameDNS],
		CAFile: said[nameCAFile], ServerName: said[nameServerName], Port: usualPort}
	if text, given := said[namePort]; given {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return Seed{}, fmt.Errorf("%s: %q is no port", namePort, text)
		}
		s.Port = int(port)
	}
	return s, s.check(said[namePort] != "")
}

func (s Seed) check(hasPort bool) error {
	switch {
	case (s.API == "") == (s.DNS == ""):
		return fmt.Errorf("a place to join has %s or %s, and not both", nameAPI, nameDNS)
	case s.API != "" && hasPort:
		return fmt.Errorf("%s is for %s: %s has its port", namePort, nameDNS, nameAPI)
	case s.API != "":
		if err := address.URL(s.API); err != nil {
			return fmt.Errorf("%s: %w", nameAPI, err)
		}
	case s.isService() && hasPort:
		return fmt.Errorf("%s: SRV records have their ports", namePort)
	case s.isService() && s.ServerName == "":
		// Whoever answers in the name server's place could name a host that has a certificate.
		return fmt.Errorf("%s %s has SRV records, which prove nothing: say with %s which name the "+
			"members' certificates have", nameDNS, s.DNS, nameServerName)
	case net.ParseIP(s.DNS) != nil || strings.ContainsAny(s.DNS, "/: "):
		return fmt.Errorf("%s: %q is no DNS name; an address is %s, as in %q", nameDNS, s.DNS, nameAPI,
			"https://10.0.0.1:8200")
	}
	return nil
}

// isService says whether the name has SRV records.
func (s Seed) isService() bool { return strings.HasPrefix(s.DNS, "_") }

// Parse reads a seed as it is written on a command line: a URL, or NAME=VALUE words.
func Parse(text string) (Seed, error) {
	said := map[string]string{}
	for word := range strings.FieldsSeq(text) {
		name, value, isNamed := strings.Cut(word, "=")
		if !isNamed {
			name, value = nameAPI, word
		}
		if _, twice := said[name]; twice {
			return Seed{}, fmt.Errorf("%s is said twice", name)
		}
		said[name] = value
	}
	return New(said)
}

// String is what Parse reads, where no value has a space.
func (s Seed) String() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	add(nameAPI, s.API)
	add(nameDNS, s.DNS)
	if s.DNS != "" && !s.isService() && s.Port != usualPort {
		add(namePort, strconv.Itoa(s.Port))
	}
	add(nameCAFile, s.CAFile)
	add(nameServerName, s.ServerName)
	return strings.Join(words, " ")
}

// place is what people call it.
func (s Seed) place() string {
	if s.DNS != "" {
		return s.DNS
	}
	return s.API
}

// maxCA bounds a file of authorities, in bytes.
const maxCA = 1 << 20

// ca is what the file of authorities holds now; nothing where none is named.
func (s Seed) ca() ([]byte, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	about, err := os.Stat(s.CAFile)
	if err == nil && about.Size() > maxCA {
		err = errors.New("it is too large to be a file of authorities")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameCAFile, err)
	}
	return os.ReadFile(s.CAFile)
}
