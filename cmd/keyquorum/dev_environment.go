package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"unicode"
)

// devVariable is one NAME=value of the environment for the demo application and for operators' commands.
type devVariable struct{ name, value string }

// environment is what a program needs to use the cluster through one node. The vault URLs are all nodes', its own first.
func (f devFolder) environment(s devState, a devAddress) []devVariable {
	ca := f.path("ca.pem")
	variables := []devVariable{
		{"AZURE_AUTHORITY_HOST", a.loginURL()},
		{"AZURE_TENANT_ID", "adfs"},
		{"AZURE_CLIENT_ID", s.App.ClientID},
		{"AZURE_CLIENT_SECRET", s.App.Secret},
		{"SSL_CERT_FILE", ca},
		{"KEYQUORUM_VAULT_URLS", strings.Join(vaultURLs(s.Port, a), ",")},
	}
	for _, prefix := range []string{"KEYQUORUM_", "BAO_", "VAULT_"} {
		variables = append(variables,
			devVariable{prefix + "ADDR", a.api()},
			devVariable{prefix + "CACERT", ca},
			devVariable{prefix + "TOKEN", s.Init.RootToken})
	}
	return variables
}

func vaultURLs(base int, first devAddress) []string {
	urls := []string{first.vaultURL()}
	for _, a := range devAddresses(base) {
		if a != first {
			urls = append(urls, a.vaultURL())
		}
	}
	return urls
}

func exports(variables []devVariable) string {
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "export %s=%s\n", v.name, shellQuote(v.value))
	}
	return b.String()
}

// shellQuote leaves plain words plain.
func shellQuote(s string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:,+=@%", r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// announce writes the environment files and says how to use the cluster.
func (d *devCluster) announce() error {
	for _, p := range d.nodes {
		lines := exports(d.folder.environment(d.state, p.devAddress))
		names := []string{fmt.Sprintf("env-%d", p.number)}
		if p.number == 1 {
			names = append(names, "env")
		}
		for _, name := range names {
			if err := os.WriteFile(d.folder.path(name), []byte(lines), 0o600); err != nil {
				return err
			}
		}
		d.say("\n# Environment for node %d, %s (also in %s)", p.number, p.vaultURL(), d.folder.path(names[len(names)-1]))
		fmt.Fprint(d.out, lines)
	}
	d.say("")
	for _, p := range d.nodes {
		d.say("Node %d: process %d, %s, log %s", p.number, p.cmd.Process.Pid, p.vaultURL(), d.folder.logFile(p.number))
	}
	d.say("\nThis is a cluster to try things out: its unseal shares, root token and client secret lie in the clear in\n%s. Keep nothing real in it.",
		d.folder.path("dev.json"))
	sayNames(d.out)
	state := "Ready"
	if d.sealed {
		state = "Ready, and sealed"
	}
	d.say("\n%s. Ctrl-C stops the nodes; their data stay.", state)
	return nil
}

// devNames are the host names that a program meets when it uses the demo vault.
func devNames() []string { return []string{devVault + "." + devSuffix, devLogin} }

// unresolved are those that this machine's resolver does not know. Go and glibc do not answer for *.localhost.
func unresolved(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		addresses, err := net.LookupHost(name)
		return err == nil && slices.Contains(addresses, "127.0.0.1")
	})
}

func hostsLine(names []string) string { return "127.0.0.1 " + strings.Join(names, " ") }

func sayNames(out io.Writer) {
	missing := unresolved(devNames())
	if len(missing) == 0 {
		return
	}
	fmt.Fprintf(out, "\nThis machine does not resolve %s. Either run programs with\n    keyquorum dev exec -- COMMAND\n"+
		"which needs no privilege, or add this line to /etc/hosts:\n    %s\n", strings.Join(missing, " and "), hostsLine(devNames()))
}
