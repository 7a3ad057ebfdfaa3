package dev

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Suffix and Login are the zone in which a dev cluster's vaults have their names, where none is
// asked for.
const (
	Suffix = "vault.localhost"
	Login  = "login.localhost"
)

const (
	// Nodes is how many a dev cluster has, where nothing is asked for.
	Nodes        = 3
	defaultPort  = 8200
	defaultVault = "demo"
	defaultApp   = "demo-app"
	loopback     = "127.0.0.1"
)

// A Layout is what a dev cluster was made as. A zero member is the default. It stays as long as the
// cluster's data do: members know each other by their ports.
type Layout struct {
	Port   int      `json:"port"` // of the first API; the next nodes have +10 and +20
	Nodes  int      `json:"nodes,omitempty"`
	Listen string   `json:"listen,omitempty"` // IP address at which APIs listen
	Suffix string   `json:"suffix,omitempty"`
	Login  string   `json:"login,omitempty"`
	Vaults []string `json:"vaults,omitempty"` // the first is the one whose URLs are shown
	App    string   `json:"application,omitempty"`
}

func (l Layout) nodes() int      { return cmp.Or(l.Nodes, Nodes) }
func (l Layout) suffix() string  { return cmp.Or(l.Suffix, Suffix) }
func (l Layout) login() string   { return cmp.Or(l.Login, Login) }
func (l Layout) appName() string { return cmp.Or(l.App, defaultApp) }
func (l Layout) vaults() []string {
	if len(l.Vaults) == 0 {
		return []string{defaultVault}
	}
	return l.Vaults
}

// An Address is where one node of a dev cluster is.
type Address struct {
	Number int // from 1
	Port   int // of the API

	listen               string // IP address
	vault, suffix, login string // of vaultURL, and the zone
}

// Addresses are those of a dev cluster of which nothing was asked but its ports.
func Addresses(base int) []Address { return Layout{Port: base}.addresses() }

func (l Layout) addresses() (all []Address) {
	for i := range l.nodes() {
		all = append(all, Address{
			Number: i + 1, Port: l.Port + 10*i, listen: cmp.Or(l.Listen, loopback),
			vault: l.vaults()[0], suffix: l.suffix(), login: l.login(),
		})
	}
	return all
}

// host is where this machine reaches the API.
func (a Address) host() string {
	if ip, err := netip.ParseAddr(a.listen); err != nil || ip.IsUnspecified() {
		return loopback
	}
	return a.listen
}

func (a Address) API() string {
	return "https://" + net.JoinHostPort(a.host(), strconv.Itoa(a.Port))
}

func (a Address) Cluster() string { return a.Local(1) }
func (a Address) Gossip() string  { return a.Local(2) }
func (a Address) Local(offset int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(a.Port+offset))
}

// vaultURL is what an application is given.
func (a Address) vaultURL() string {
	return fmt.Sprintf("https://%s.%s:%d", a.vault, a.suffix, a.Port)
}

func (a Address) LoginURL() string { return fmt.Sprintf("https://%s:%d", a.login, a.Port) }

// numbers says which nodes there are.
func (l Layout) numbers() string {
	if l.nodes() == 1 {
		return "there is node 1 alone"
	}
	return fmt.Sprintf("the nodes are 1 to %d", l.nodes())
}
