package dev

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
)

// variable is one NAME=value of the environment for the demo application and for operators'
// commands.
type variable struct{ name, value string }

// environment is what a program needs to use the cluster through one node. The vault URLs are all
// nodes', its own first.
func (f Folder) environment(s State, a Address) []variable {
	ca := f.Path("ca.pem")
	variables := []variable{
		{"AZURE_AUTHORITY_HOST", a.LoginURL()},
		{"AZURE_TENANT_ID", "adfs"},
		{"AZURE_CLIENT_ID", s.App.ClientID},
		{"AZURE_CLIENT_SECRET", s.App.Secret},
		{"SSL_CERT_FILE", ca},
		{"NODE_EXTRA_CA_CERTS", ca},
		{"REQUESTS_CA_BUNDLE", ca},
		{"KEYQUORUM_DEV_DIR", string(f)},
		{"KEYQUORUM_DEV_PID", strconv.Itoa(f.lockPID())},
		{"KEYQUORUM_VAULT_URLS", strings.Join(s.vaultURLs(a), ",")},
	}
	for _, prefix := range []string{"KEYQUORUM_", "BAO_", "VAULT_"} {
		variables = append(variables,
			variable{prefix + "ADDR", a.API()},
			variable{prefix + "CACERT", ca},
			variable{prefix + "TOKEN", s.Init.RootToken})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Apps)) {
		prefix := "KEYQUORUM_APP_" + console.VariableName(name)
		variables = append(variables,
			variable{prefix + "_CLIENT_ID", s.Apps[name].ClientID},
			variable{prefix + "_CLIENT_SECRET", s.Apps[name].Secret})
	}
	return variables
}

func (l Layout) vaultURLs(first Address) []string {
	urls := []string{first.vaultURL()}
	for _, a := range l.addresses() {
		if a != first {
			urls = append(urls, a.vaultURL())
		}
	}
	return urls
}

// printings are the ways to write an environment for a program.
var printings = map[string]func([]variable) string{"export": exports, "env": lines, "json": object}

func exports(variables []variable) string {
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "export %s=%s\n", v.name, console.ShellQuote(v.value))
	}
	return b.String()
}

// lines are what $GITHUB_ENV, docker's --env-file and systemd read: nothing is quoted, and no value
// of ours has an end of line in it.
func lines(variables []variable) string {
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "%s=%s\n", v.name, v.value)
	}
	return b.String()
}

func object(variables []variable) string {
	all := make(map[string]string)
	for _, v := range variables {
		all[v.name] = v.value
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		panic(err) // strings have JSON
	}
	return string(text) + "\n"
}

// announce writes the environment files and says how to use the cluster, to people and programs.
func (d *cluster) announce(ctx context.Context) error {
	d.say("")
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
		d.say("Node %d: %s, process %d", p.Number, p.API(), p.cmd.Process.Pid)
	}
	d.say("\nThis is a cluster to try things out. Its unseal shares, its root token and its\n"+
		"client secret are in dev.json, in the clear: keep nothing real in it. That file,\n"+
		"the nodes' logs and all else is in\n    %s", fromHere(string(d.folder)))
	sayNames(d.out, d.state.Layout, d.folder.liveNames(ctx, d.state))
	d.say("\nIn another terminal take its environment, and look around:\n"+
		"    . %s\n    %[2]s status\n    %[2]s secret list",
		fromHere(d.folder.Path("env")), console.CalledAs())
	d.say("\n%s", d.readiness())
	return d.handOut()
}

// fromHere is a path as it is shortest for whoever is in the same folder.
func fromHere(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}

func (d *cluster) readiness() string {
	switch {
	case d.asked.memory:
		return "Ready. Ctrl-C stops the nodes; nothing stays."
	case d.asked.sealed:
		return "Ready, and sealed. Ctrl-C stops the nodes; their data stay."
	}
	return "Ready. Ctrl-C stops the nodes; their data stay."
}

// handOut gives programs the environment, where they wait for it: the files first, then standard
// output, which a detached cluster then closes.
func (d *cluster) handOut() error {
	environment := d.folder.environment(d.state, d.nodes[0].Address)
	if file := d.asked.caFile; file != "" {
		for i, v := range environment {
			if v.value == d.folder.Path("ca.pem") {
				environment[i].value = file
			}
		}
		if err := writeWhole(file, d.ca, 0o644); err != nil {
			return fmt.Errorf("--ca-file: %w", err)
		}
	}
	text := printings[cmp.Or(d.asked.print, "export")](environment)
	if file := d.asked.envFile; file != "" {
		if err := writeWhole(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("--env-file: %w", err)
		}
	}
	if d.asked.print != "" {
		fmt.Fprint(d.print, text)
	}
	if d.log != nil {
		return letGo(d.log)
	}
	return nil
}

// takeBack removes what handOut has written: it speaks of a cluster that does not run.
func (d *cluster) takeBack() {
	for _, file := range []string{d.asked.envFile, d.asked.caFile} {
		if file != "" {
			_ = os.Remove(file)
		}
	}
}

// mayReplace refuses a file that is there and is not a dev cluster's: it would be written over, and
// removed at the end.
func mayReplace(flag, file string, ours func([]byte) bool) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--%s: %w", flag, err)
	case !ours(text):
		return fmt.Errorf("--%s: %s is there already, and no dev cluster has written it; "+
			"name another file", flag, file)
	}
	return nil
}

func isEnvironment(text []byte) bool { return bytes.Contains(text, []byte("KEYQUORUM_DEV_DIR")) }

func isAuthority(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	return err == nil && ca.Subject.CommonName == authorityName
}

// writeWhole has whoever waits for a file see all of it or nothing.
func writeWhole(file string, content []byte, mode os.FileMode) error {
	temporary := file + ".new"
	if err := os.WriteFile(temporary, content, mode); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

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
