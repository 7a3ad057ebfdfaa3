package dev

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
)

// namesPatience is how long a node may take to say which vaults there are.
const namesPatience = 3 * time.Second

// liveNames are the host names that a program meets when it uses any vault of the cluster. Where no
// node says which there are (all are sealed, or down) it is the demo vault's, which were made with
// the cluster.
func (f Folder) liveNames(ctx context.Context, s State) []string {
	for _, a := range s.addresses() {
		if vaults, err := f.liveVaults(ctx, s, a); err == nil {
			return s.hostNames(vaults)
		}
	}
	return s.hostNames(s.vaults())
}

func (l Layout) hostNames(vaults []string) (names []string) {
	for _, vault := range vaults {
		names = append(names, vault+"."+l.suffix())
	}
	return append(names, l.login())
}

func (f Folder) liveVaults(ctx context.Context, s State, a Address) (names []string, err error) {
	ca, err := os.ReadFile(f.Path("ca.pem"))
	if err != nil {
		return nil, err
	}
	api, err := operator.NewClient(a.API(), s.Init.RootToken, ca)
	if err != nil {
		return nil, err
	}
	defer api.HTTP.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, namesPatience)
	defer cancel()
	vaults, err := operator.ListVaults(ctx, api, false)
	for _, v := range vaults {
		names = append(names, v.Name)
	}
	return names, err
}

// unresolved are those that this machine's resolver does not know. Go and glibc do not answer for
// *.localhost.
func (l Layout) unresolved(names []string) []string {
	place := l.addresses()[0].host()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		addresses, err := net.LookupHost(name)
		return err == nil && slices.Contains(addresses, place)
	})
}

func (l Layout) hostsLine(names []string) string {
	return l.addresses()[0].host() + " " + strings.Join(names, " ")
}

func sayNames(out io.Writer, l Layout, names []string) {
	missing := l.unresolved(names)
	if len(missing) == 0 {
		return
	}
	fmt.Fprintf(out, "\nThis machine does not resolve %s.\nEither run programs with\n"+
		"    %s dev exec -- COMMAND\nwhich needs no privilege, or add this line to /etc/hosts:\n    %s\n",
		strings.Join(missing, " and "), console.CalledAs(), l.hostsLine(names))
}
