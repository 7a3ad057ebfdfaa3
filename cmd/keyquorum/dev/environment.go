package dev

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"keyquorum/cmd/keyquorum/console"
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
