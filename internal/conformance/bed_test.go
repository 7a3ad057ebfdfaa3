package conformance_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/testcluster"
)

// A bed is a cluster with an application that may do everything, and what is run against it.
type bed struct {
	*testcluster.Cluster
	roots     string // PEM file: whom to trust for the cluster's names, and for the attestation's
	authority *authority
	app       testcluster.App
	nodes     []node // the leader first
	suites    []suite
}

// A node is one of the cluster. It has vaults that are used through it alone, and a hosts file in
// which every name is its own.
type node struct {
	number     int
	kind       string
	vault, hsm string
	hosts      string
}

// kinds are the nodes as the page calls them. That they are two followers shows that neither is
// special.
var kinds = []string{"leader", "follower", "other follower"}

func newBed(t *testing.T) *bed {
	mustBeAlone(t)
	b := &bed{authority: newAuthority(t)}
	t.Setenv("SSL_CERT_FILE", b.authority.roots) // of the nodes, which ask the authority for its keys
	b.Cluster = testcluster.Processes(t, len(kinds), func(int) []string {
		// The patience is for machines that have other things to do: a leader that changes ends the run.
		return []string{"--attestation-authority", b.authority.url, "--raft-heartbeat", "2s",
			"--raft-election", "2s"}
	})
	b.roots = b.writeRoots(t)
	b.app = b.NewApp("suites")
	leader := b.Leader()
	for i, kind := range kinds {
		n := node{number: (leader + i) % len(kinds), kind: kind, vault: fmt.Sprint("vault", i),
			hsm: fmt.Sprint("hsm", i)}
		for _, vault := range []string{n.vault, n.hsm} {
			b.NewVault(vault)
			b.Grant(0, vault, "suites", []string{"all"}, []string{"all"})
		}
		n.hosts = b.writeHosts(t, n)
		b.nodes = append(b.nodes, n)
	}
	for _, name := range suiteNames {
		s, err := newSuite(name)
		must(t, err)
		b.suites = append(b.suites, s)
	}
	for _, g := range guests {
		s, err := g.arrived()
		must(t, err)
		b.suites = append(b.suites, s)
	}
	return b
}

func (b *bed) writeRoots(t *testing.T) string {
	file := filepath.Join(b.Dir, "roots.pem")
	var all []byte
	for _, one := range []string{b.CAFile, b.authority.roots} {
		pem, err := os.ReadFile(one)
		must(t, err)
		all = append(all, pem...)
	}
	must(t, os.WriteFile(file, all, 0o644))
	return file
}

// writeHosts has every name lead to the node.
func (b *bed) writeHosts(t *testing.T, n node) string {
	address, err := url.Parse(b.URL(n.number))
	must(t, err)
	names := []string{testcluster.Login, n.vault + "." + testcluster.Zone,
		n.hsm + "." + testcluster.Zone}
	file := filepath.Join(b.Dir, "hosts of "+n.kind)
	must(t, os.WriteFile(file, []byte(address.Hostname()+" "+strings.Join(names, " ")+"\n"), 0o644))
	return file
}

// command is a program in the world of node n: its names, and nothing in the environment but
// what the clients document. Each language has its own variable for whom to trust.
func (b *bed) command(n node, program string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err) // Linux knows it
	}
	cmd := exec.Command(self, append([]string{program}, args...)...)
	cmd.Env = []string{
		withHosts + "=" + n.hosts,
		"AZURE_AUTHORITY_HOST=" + b.LoginURL(), "AZURE_TENANT_ID=adfs",
		"AZURE_CLIENT_ID=" + b.app.ClientID, "AZURE_CLIENT_SECRET=" + b.app.Secret,
		"AZURE_TOKEN_CREDENTIALS=EnvironmentCredential", "SSL_CERT_FILE=" + b.CAFile,
		"NODE_EXTRA_CA_CERTS=" + b.roots, "REQUESTS_CA_BUNDLE=" + b.roots,
		"AZURE_RECORD_MODE=live", "PROXY_CERT=" + b.CAFile,
		"AZURE_KEYVAULT_URL=" + b.VaultURL(n.vault), "AZURE_MANAGEDHSM_URL=" + b.VaultURL(n.hsm),
		"AZURE_KEYVAULT_ATTESTATION_URL=" + b.authority.url,
		"SOPS_PROGRAM=" + built(sopsProgram), "PYTHONDONTWRITEBYTECODE=1",
	}
	return cmd
}
