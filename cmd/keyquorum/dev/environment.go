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

// variable is one NAME=value of the environment for the demo application and for operators' commands.
type variable struct{ name, value string }

// environment is what a program needs to use the cluster through one node. The vault URLs are all nodes', its own first.
func (f Folder) environment(s State, a Address) []variable {
	ca := f.Path("ca.pem")
	variables := []variable{
		{"AZURE_AUTHORITY_HOST", a.LoginURL()},
		{"AZURE_TENANT_ID", "adfs"},
		{"AZURE_CLIENT_ID", s.App.ClientID},
		{"AZURE_CLIENT_SECRET", s.App.Secret},
		{"SSL_CERT_FILE", ca},
		{"KEYQUORUM_VAULT_URLS", strings.Join(vaultURLs(s.Port, a), ",")},
	}
	for _, prefix := range []string{"KEYQUORUM_", "BAO_", "VAULT_"} {
		variables = append(variables,
			variable{prefix + "ADDR", a.API()},
			variable{prefix + "CACERT", ca},
			variable{prefix + "TOKEN", s.Init.RootToken})
	}
	return variables
}

func vaultURLs(base int, first Address) []string {
	urls := []string{first.vaultURL()}
	for _, a := range Addresses(base) {
		if a != first {
			urls = append(urls, a.vaultURL())
		}
	}
	return urls
}

func exports(variables []variable) string {
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "export %s=%s\n", v.name, console.ShellQuote(v.value))
	}
	return b.String()
}

// announce writes the environment files and says how to use the cluster.
func (d *cluster) announce(ctx context.Context) error {
	for _, p := range d.nodes {
		lines := exports(d.folder.environment(d.state, p.Address))
		names := []string{fmt.Sprintf("env-%d", p.Number)}
		if p.Number == 1 {
			names = append(names, "env")
		}
		for _, name := range names {
			if err := os.WriteFile(d.folder.Path(name), []byte(lines), 0o600); err != nil {
				return err
			}
		}
		d.say("\n# Environment for node %d, %s (also in %s)", p.Number, p.vaultURL(), d.folder.Path(names[len(names)-1]))
		fmt.Fprint(d.out, lines)
	}
	d.say("")
	for _, p := range d.nodes {
		d.say("Node %d: process %d, %s, log %s", p.Number, p.cmd.Process.Pid, p.vaultURL(), d.folder.logFile(p.Number))
	}
	d.say("\nThis is a cluster to try things out: its unseal shares, root token and client secret lie in the clear in\n%s. Keep nothing real in it.",
		d.folder.Path("dev.json"))
	sayNames(d.out, d.folder.liveNames(ctx, d.state))
	state := "Ready"
	if d.sealed {
		state = "Ready, and sealed"
	}
	d.say("\n%s. Ctrl-C stops the nodes; their data stay.", state)
	return nil
}

// namesPatience is how long a node may take to say which vaults there are.
const namesPatience = 3 * time.Second

// liveNames are the host names that a program meets when it uses any vault of the cluster. Where no node says which there are
// (all are sealed, or down) it is the demo vault's, which were made with the cluster.
func (f Folder) liveNames(ctx context.Context, s State) []string {
	for _, a := range Addresses(s.Port) {
		if vaults, err := f.liveVaults(ctx, s, a); err == nil {
			return hostNames(vaults)
		}
	}
	return hostNames([]string{defaultVault})
}

func hostNames(vaults []string) (names []string) {
	for _, vault := range vaults {
		names = append(names, vault+"."+Suffix)
	}
	return append(names, Login)
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

// unresolved are those that this machine's resolver does not know. Go and glibc do not answer for *.localhost.
func unresolved(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		addresses, err := net.LookupHost(name)
		return err == nil && slices.Contains(addresses, "127.0.0.1")
	})
}

func hostsLine(names []string) string { return "127.0.0.1 " + strings.Join(names, " ") }

func sayNames(out io.Writer, names []string) {
	missing := unresolved(names)
	if len(missing) == 0 {
		return
	}
	fmt.Fprintf(out, "\nThis machine does not resolve %s. Either run programs with\n    keyquorum dev exec -- COMMAND\n"+
		"which needs no privilege, or add this line to /etc/hosts:\n    %s\n", strings.Join(missing, " and "), hostsLine(names))
}
