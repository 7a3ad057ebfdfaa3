// Package testcluster starts clusters to break, breaks them in every way that matters, and has
// prove check what they promised.
//
// There are five kinds of cluster, with one vocabulary. Two run nodes in the test's own process:
// New inside a testing/synctest bubble (a network in memory, fake time, real storage; a minute of
// faults takes a second), Loopback over real sockets, for tests that need neither. Three run the
// real binary over TLS: Processes on loopback, Namespaces on networks of the kernel's that really
// lose packets, and Breakable with a network and a disk underneath that can be made to fail. What
// can be done to which:
//
//	                                     New  Loopback  Processes  Namespaces  Breakable
//	Start Kill Stop Seal StepDown         x      x          x          x           x
//	AddVoter AddNonvoter Remove           x      x          x          x           x
//	CorruptByte                           x      x          x          x           x
//	Pause                                 x                 x          x           x
//	Partition PartitionOneWay Isolate     x                            x           x
//	Spread Slow Drop                      x                      with TUN device   x
//	Reset                                 x                                        x
//	SmallDisk                                               x          x           x
//	FillDisk                              x      x      SmallDisk  SmallDisk       x
//	FailSync HangDisk                     x      x                                 x
//	SkewClock DriftClock                  x      x                                 x
//	FailUsageLog                          x      x
//	PowerCut                                                                       x
//	Steal Stranger Burgle Searcher        x      x          x          x           x
//	rekeys, rotations and restores        x      x          x          x           x
//	LoseDisk Move MoveAll                 x      x                                 x
//
// Whoever tests an application, and has nothing to break, needs Start alone (start.go).
//
//	func TestBillingOutlivesANode(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			c := testcluster.New(t, 3)
//			c.NewVault("demo")
//			app := c.NewApp("billing")
//			c.Grant(0, "demo", "billing", nil, []string{"get", "set"})
//			options := azcore.ClientOptions{
//				Transport: c.Client(1), // node 1 and no other, whatever name is asked for
//				Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: c.LoginURL()},
//			}
//			credential, err := azidentity.NewClientSecretCredential("adfs", app.ClientID, app.Secret,
//				&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
//			…
//			secrets, err := azsecrets.NewClient(c.VaultURL("demo"), credential, &azsecrets.ClientOptions{ClientOptions: options})
//			…
//			c.Kill(0) // perhaps the leader
//			… // secrets serves on
//			c.Settled() // node 0 is back, and holds what the others hold
//		})
//	}
//
// A Cluster is initialised and unsealed when it is returned, and gone when the test ends. Nodes
// have numbers from 0. One that was started again is sealed until Unseal; Whole and Settled see to
// that. Verbs fail the test when they can't be done; one that a kind of cluster can't do at all
// says so. They are called from the test's own goroutine; what they wait for is seen from outside,
// through the API. A node is assembled by node.Open and httpapi.New, as the program does it.
// Nothing here is a mock, with one exception: New and Loopback give nodes a usage log that can be
// made to fail, which opens its file without audit.Open. The tests of audit and of the program have
// that.
//
// A module of another's has this one's source in its go.mod, and nothing else to set up:
//
//	require keyquorum v0.0.0
//	replace keyquorum => ../keyquorum
//
// Processes builds the program from that source with the go command. testdata/outside is an
// application with such a module, and example_test.go holds more tests to begin with.
//
// What a bubble can't show: its goroutines are scheduled as Go likes, so a seed gives the same
// faults at the same times but not the same interleaving; a paused node's timers go on, only its
// messages, its disk and its clock stand still; a killed node's files are as the kernel has them
// (PowerCut needs processes). Its time is not free, for nodes send heartbeats: an idle hour takes
// some ten seconds.
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
	links     links    // between the nodes; nil where they can't be broken
	hosts     []string // names or loopback addresses, spare ones included
	size      int
	regions   []string        // of the nodes, where Spread named them
	distances map[[2]int]Link // that Heal leaves
	removed   []bool
	visits    []*visit // of thieves
	sealsLate []bool   // asked to seal themselves, without an answer in time
	robbed    bool     // somebody spoke who is no member in good order
	lost      int      // sectors, to power cuts
	signs     int      // of life, that were asked for
	nonvoters []bool   // added as such
	clients   []*http.Client

	ceremonies ceremonies // that operators have begun
	placement  *placement // that is under way; nil: none
}

// A kind is a way to run nodes. What only some kinds can do has interfaces of its own, see
// faults.go.
type kind interface {
	name() string // "nodes in a bubble"
	start(i int) error
	stop(i int) // in order
	kill(i int) // at once; nothing that was not answered by then is answered
	running(i int) bool
	ended(i int) <-chan struct{} // closed when node i, started before, runs no more
	dial(ctx context.Context, i int, port string) (net.Conn, error)
	log(i int) ([]byte, error)
}

// maxSize bounds how many nodes a cluster can grow to: their names stand in the certificate that is
// made first.
const maxSize = 9

// Size is the number of nodes, those that were removed included.
func (c *Cluster) Size() int { return c.size }

// Data is the data folder of node i.
func (c *Cluster) Data(i int) string { return filepath.Join(c.Dir, nodeName(i)) }

// URL is where node i's operator plane is.
func (c *Cluster) URL(i int) string { return "https://" + c.hosts[i] + ":8200" }

// VaultURL is the application plane's name of a vault. Which node answers is a matter of the
// transport: see Client.
func (c *Cluster) VaultURL(vault string) string { return "https://" + vault + "." + Zone + ":8200" }

// LoginURL is the authority host for Azure's credentials.
func (c *Cluster) LoginURL() string { return "https://" + Login + ":8200" }

// Client returns an HTTP client whose every connection goes to node i, whatever name it asks for,
// and nowhere else.
func (c *Cluster) Client(i int) *http.Client { return c.clients[i] }

// Output is what node i has written to its standard output and error, and to its usage log.
func (c *Cluster) Output(i int) []byte {
	c.t.Helper()
	b, err := c.kind.log(i)
	c.must(err)
	return append(b, c.UsageLog(i)...)
}

// UsageLog is node i's usage log, a JSON object a line.
func (c *Cluster) UsageLog(i int) []byte {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.Data(i), "audit.log"))
	c.must(err)
	return b
}

// newCluster prepares a cluster whose nodes have the names that host gives.
func newCluster(t testing.TB, nodes int, host func(i int) string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, Dir: t.TempDir(), size: nodes}
	for i := range maxSize {
		c.hosts = append(c.hosts, host(i))
	}
	c.removed = make([]bool, maxSize)
	c.sealsLate = make([]bool, maxSize)
	c.nonvoters = make([]bool, maxSize)
	var err error
	c.authority, err = newAuthority(c.hosts)
	c.must(err)
	c.CAFile = filepath.Join(c.Dir, "ca.pem")
	c.must(os.WriteFile(c.CAFile, c.authority.caPEM, 0o600))
	for i := range c.hosts {
		c.clients = append(c.clients, c.newClient(i))
	}
	return c
}

// onLoopback names hosts by addresses of a network 127.a.b.0/24 of their own, apart from other
// clusters on this machine.
func onLoopback() func(i int) string {
	a, b := 1+rand.IntN(250), rand.IntN(250)
	return func(i int) string { return fmt.Sprintf("127.%d.%d.%d", a, b, i+1) }
}

func (c *Cluster) newClient(i int) *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: c.authority.pool},
		MaxIdleConnsPerHost: 128,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.kind.dial(ctx, i, apiPort)
		},
		ForceAttemptHTTP2: true,
	}}
}

// Every node has the same ports.
const (
	apiPort     = "8200"
	clusterPort = "8201"
)

// dialSocket reaches a node that listens on real sockets.
func dialSocket(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return dialer.DialContext(ctx, "tcp", address)
}

// run has all nodes run until the test ends.
func (c *Cluster) run() {
	c.t.Helper()
	c.t.Cleanup(c.close)
	for i := range c.size {
		c.Start(i)
	}
}

// begin brings all nodes up as one unsealed cluster of voters.
func (c *Cluster) begin() {
	c.t.Helper()
	c.run()
	var shown struct {
		Keys  []string `json:"keys"`
		Token string   `json:"root_token"`
	}
	c.Call(0, "PUT", "/v1/sys/init", map[string]int{"secret_shares": 3, "secret_threshold": 2}, &shown)
	c.Shares, c.Token = shown.Keys, shown.Token
	c.Unseal(0)
	c.voteAtOnce()
	for i := 1; i < c.size; i++ {
		c.join(i, 0, true)
	}
	c.awaitVoters(0, c.size)
}

// voteAtOnce gives members their votes without a time of trial. Programs from before there was one
// (ProcessesOf) do that anyway, and have no such call.
func (c *Cluster) voteAtOnce() {
	c.t.Helper()
	status := c.Status(0, "PUT", "/v1/sys/storage/raft/autopilot/configuration",
		map[string]string{"server_stabilization_time": "0s"})
	if status >= 300 && status != http.StatusNotImplemented {
		c.t.Fatalf("testcluster: autopilot's configuration was answered %d", status)
	}
}

func (c *Cluster) close() {
	c.sendAway()
	if c.placement != nil {
		c.placement.end()
	}
	if c.t.Failed() {
		c.tellLogs()
	}
	if c.links != nil {
		if err := c.links.heal(); err != nil {
			c.t.Error(err)
		}
	}
	for i := range c.size {
		if c.kind.running(i) {
			c.kind.kill(i)
		}
		c.clients[i].CloseIdleConnections()
	}
	if c.links != nil {
		c.links.close()
	}
}

// tellLogs shows how each node's log ends, for whoever asks why a test failed.
func (c *Cluster) tellLogs() {
	const most = 16 << 10
	for i := range c.size {
		log, err := c.kind.log(i)
		if err != nil {
			c.t.Log(err)
		}
		c.t.Logf("%s wrote at last:\n%s", nodeName(i), log[max(0, len(log)-most):])
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
	if !until(30*time.Second, done) {
		c.t.Fatalf("testcluster: not within 30 s: %s", what)
	}
}

// until asks every 10 ms. Time is that of the bubble where there is one.
func until(limit time.Duration, done func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return done()
}
