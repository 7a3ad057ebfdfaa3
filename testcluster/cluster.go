// Package testcluster starts clusters to break.
//
// Loopback runs nodes in the test's own process, Processes runs the real binary; both speak real TLS over loopback
// addresses of their own (127.x.y.z, always ports 8200 to 8202), and both have the same verbs: Unseal, Seal, Kill,
// Restart, Leader. A Cluster is initialised and unsealed when it is returned, and gone when the test ends. Network is a
// network in memory for clusters inside a testing/synctest bubble.
//
// A node is assembled by node.Open and httpapi.New, as the program does it. Nothing here is a mock.
package testcluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Zone and Login are the names of the application plane in every test cluster.
const (
	Zone  = "vault.localhost"
	Login = "login.localhost"
)

// A Cluster is a number of nodes and what was shown when it was initialised.
type Cluster struct {
	t      testing.TB
	Dir    string   // each node's data folder is Dir/nodeN
	Shares []string // hex; any two unseal a node
	Token  string   // the root token
	CAFile string   // PEM of the CA behind the API certificates

	authority *authority
	kind      kind
	hosts     []string // loopback addresses
	running   []bool
	clients   []*http.Client
}

// A kind is a way to run nodes.
type kind interface {
	start(i int) error
	stop(i int) // in order
	kill(i int) // at once
	output(i int) ([]byte, error)
}

// Size is the number of nodes.
func (c *Cluster) Size() int { return len(c.hosts) }

// Data is the data folder of node i.
func (c *Cluster) Data(i int) string { return filepath.Join(c.Dir, fmt.Sprintf("node%d", i)) }

// URL is where node i's operator plane is.
func (c *Cluster) URL(i int) string { return "https://" + c.hosts[i] + ":8200" }

// VaultURL is the application plane's name of a vault. Which node answers is a matter of the transport: see HTTP.
func (c *Cluster) VaultURL(vault string) string { return "https://" + vault + "." + Zone + ":8200" }

// LoginURL is the authority host for Azure's credentials.
func (c *Cluster) LoginURL() string { return "https://" + Login + ":8200" }

// HTTP returns a client whose every connection goes to node i, whatever name it asks for, and nowhere else.
func (c *Cluster) HTTP(i int) *http.Client { return c.clients[i] }

// Output is what node i has written to its standard output and error, and to its usage log.
func (c *Cluster) Output(i int) []byte {
	c.t.Helper()
	b, err := c.kind.output(i)
	c.must(err)
	return b
}

func newCluster(t testing.TB, nodes int) *Cluster {
	t.Helper()
	c := &Cluster{t: t, Dir: t.TempDir()}
	a, b := 1+rand.IntN(250), rand.IntN(250) // apart from other clusters on this machine
	for i := range nodes {
		c.hosts = append(c.hosts, fmt.Sprintf("127.%d.%d.%d", a, b, i+1))
		c.running = append(c.running, false)
	}
	var err error
	c.authority, err = newAuthority(c.hosts)
	c.must(err)
	c.CAFile = filepath.Join(c.Dir, "ca.pem")
	c.must(os.WriteFile(c.CAFile, c.authority.caPEM, 0o600))
	for i := range nodes {
		c.clients = append(c.clients, c.client(i))
	}
	return c
}

func (c *Cluster) client(i int) *http.Client {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: c.authority.pool},
		MaxIdleConnsPerHost: 128,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, net.JoinHostPort(c.hosts[i], "8200"))
		},
		ForceAttemptHTTP2: true,
	}}
}

// begin brings all nodes up as one unsealed cluster of voters.
func (c *Cluster) begin() {
	c.t.Helper()
	c.t.Cleanup(c.close)
	for i := range c.hosts {
		c.Start(i)
	}
	var shown struct {
		Keys  []string `json:"keys"`
		Token string   `json:"root_token"`
	}
	c.Call(0, "PUT", "/v1/sys/init", map[string]int{"secret_shares": 3, "secret_threshold": 2}, &shown)
	c.Shares, c.Token = shown.Keys, shown.Token
	c.Unseal(0)
	for i := 1; i < len(c.hosts); i++ {
		c.Call(i, "PUT", "/v1/sys/storage/raft/join",
			map[string]string{"leader_api_addr": c.URL(0), "leader_ca_cert": string(c.authority.caPEM)}, nil)
		c.Unseal(i)
	}
	c.await("every node is a voter", func() bool { return c.voters() == len(c.hosts) })
}

func (c *Cluster) close() {
	for i := range c.hosts {
		if c.running[i] {
			c.kind.kill(i)
		}
		c.clients[i].CloseIdleConnections()
	}
}

func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// await asks until done says yes, for 30 seconds.
func (c *Cluster) await(what string, done func() bool) {
	c.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return
		}
	}
	c.t.Fatalf("testcluster: not within 30 s: %s", what)
}
