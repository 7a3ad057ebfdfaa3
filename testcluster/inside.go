package testcluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/lease/trace"
	"keyquorum/httpapi"
	"keyquorum/node"
)

// New runs n nodes in this process on a network in memory. It belongs into a testing/synctest
// bubble: outside one it works too, in real time. configure may change a node's configuration
// before it is opened.
func New(t testing.TB, n int, configure ...func(i int, config *node.Config)) *Cluster {
	t.Helper()
	c := inBubble(t, n, configure...)
	c.begin()
	return c
}

// Blank is New with nodes that run and were never initialised: none is a member of anything.
// Whoever initialises one sets Token and Shares, before anything is asked that takes them.
func Blank(t testing.TB, n int) *Cluster {
	t.Helper()
	c := inBubble(t, n)
	c.run()
	return c
}

func inBubble(t testing.TB, n int, configure ...func(i int, config *node.Config)) *Cluster {
	t.Helper()
	c := newCluster(t, n, nodeName)
	network := NewNetwork()
	c.links = nodesNetwork{network}
	c.kind = bubbled{newInside(c, &bubble{network: network}, configure...), network}
	return c
}

// Loopback runs n nodes in this process over real sockets. configure, which may be nil, may change
// a node's configuration before it is opened.
func Loopback(t testing.TB, n int, configure func(i int, config *node.Config)) *Cluster {
	t.Helper()
	c := newCluster(t, n, onLoopback())
	c.kind = newInside(c, sockets{c}, configure)
	c.begin()
	return c
}

// inside runs nodes in this process.
type inside struct {
	c         *Cluster
	place     place
	configure []func(int, *node.Config) // nil ones are passed over
	nodes     [maxSize]*served          // nil: not started yet
	logs      [maxSize]logBuffer
	troubles  [maxSize]trouble
	moves     [maxSize]atomic.Int32 // to other addresses
}

// A place is where nodes in this process meet.
type place interface {
	name() string
	configure(i int, config *node.Config)
	moved(i, times int) (host string) // of the cluster port, after so many moves
	listen(i int, address string) (net.Listener, error)
	dial(ctx context.Context, address string) (net.Conn, error)
	joinDialer(i int) func(context.Context, string) (net.Conn, error)
	vanish(i int)
}

func newInside(c *Cluster, p place, configure ...func(int, *node.Config)) *inside {
	return &inside{c: c, place: p, configure: configure}
}

// Node is node i itself where it runs in this process, nil where it doesn't.
func (c *Cluster) Node(i int) *node.Node {
	if l, ok := c.kind.(interface{ node(i int) *node.Node }); ok && c.kind.running(i) {
		return l.node(i)
	}
	return nil
}

func (l *inside) node(i int) *node.Node { return l.nodes[i].node }

// served is a node with its API in front.
type served struct {
	node   *node.Node
	server *httpapi.Server
	once   sync.Once                 // of its end, whoever brings that about
	close  func(ctx context.Context) // in once
	ended  chan struct{}             // closed after that
}

func (l *inside) name() string { return l.place.name() }

func (l *inside) start(i int) error {
	trouble := &l.troubles[i]
	trouble.revive()
	port, err := l.place.listen(i, l.address(i))
	if err != nil {
		return err
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: nodeName(i), Level: hclog.Debug,
		Output: &l.logs[i]})
	config := node.Config{
		Dir: l.c.Data(i), Label: nodeName(i),
		APIAddr: l.c.URL(i), ClusterAddr: l.address(i), ClusterListener: port,
		Disk: trouble.atDisk, Now: trouble.now, Leases: node.Leases{Clock: trouble.leaseNow},
		Logger: logger, Version: "test",
	}
	l.place.configure(i, &config)
	for _, configure := range l.configure {
		if configure != nil {
			configure(i, &config)
		}
	}
	if config.Audit == nil {
		if config.Audit, err = openUsageLog(filepath.Join(config.Dir, "audit.log"), trouble); err != nil {
			port.Close()
			return err
		}
	}
	n, err := node.Open(config)
	if err != nil {
		port.Close()
		return err
	}
	api, err := l.place.listen(i, net.JoinHostPort(l.c.hosts[i], apiPort))
	if err != nil {
		n.Close(context.Background())
		return err
	}
	l.nodes[i] = l.serve(i, n, api, logger)
	return nil
}

// serve puts the API in front of a node. A node that fails ends, as its process would.
func (l *inside) serve(i int, n *node.Node, api net.Listener, logger hclog.Logger) *served {
	s := &served{node: n, ended: make(chan struct{})}
	s.server = httpapi.NewServer(n, httpapi.Config{
		Zones: []httpapi.Zone{{Suffix: Zone, Login: Login}}, Dial: l.place.joinDialer(i),
		CertificateEnd: func() time.Time { return l.c.authority.pair.Leaf.NotAfter },
	}, logger)
	s.close = func(ctx context.Context) {
		s.server.Close()
		s.server.Handler.(*httpapi.Handler).Close()
		n.Close(ctx)
		close(s.ended)
	}
	go s.server.ServeTLS(api, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{l.c.authority.pair},
	})
	go func() {
		select {
		case <-n.Failed():
			l.killServed(i, s)
		case <-s.ended:
		}
	}()
	return s
}

func (l *inside) running(i int) bool {
	if l.nodes[i] == nil {
		return false
	}
	select {
	case <-l.nodes[i].ended:
		return false
	default:
		return true
	}
}

func (l *inside) ended(i int) <-chan struct{} { return l.nodes[i].ended }

func (l *inside) stop(i int) {
	s := l.nodes[i]
	s.once.Do(func() { s.close(context.Background()) })
}

// kill lets nothing out any more, to the network or to the disk, before it takes the node apart.
func (l *inside) kill(i int) { l.killServed(i, l.nodes[i]) }

// killServed ends one life of node i. Where that has ended already, the next one is left alone.
func (l *inside) killServed(i int, s *served) {
	s.once.Do(func() {
		l.place.vanish(i)
		l.troubles[i].die()
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		s.close(gone)
	})
}

func (l *inside) dial(ctx context.Context, i int, port string) (net.Conn, error) {
	if port == clusterPort {
		return l.place.dial(ctx, l.address(i))
	}
	return l.place.dial(ctx, net.JoinHostPort(l.c.hosts[i], port))
}

func (l *inside) log(i int) ([]byte, error) { return l.logs[i].Bytes(), nil }

// sockets are real ones, on loopback.
type sockets struct{ c *Cluster }

func (sockets) name() string { return "nodes in this process over real sockets" }

func (s sockets) configure(i int, config *node.Config) {
	config.Gossip = node.GossipConfig{Bind: s.c.hosts[i] + ":8202"}
}

func (s sockets) moved(i, times int) string { return movedHost(s.c.hosts[i], times) }

func (s sockets) listen(_ int, address string) (net.Listener, error) {
	return net.Listen("tcp", address)
}

func (s sockets) dial(ctx context.Context, address string) (net.Conn, error) {
	return dialSocket(ctx, address)
}

func (sockets) joinDialer(int) func(context.Context, string) (net.Conn, error) { return nil }
func (sockets) vanish(int)                                                     {}

// A bubble is a network in memory. Nodes do not gossip in it: memberlist leaves goroutines behind
// that a bubble waits for.
type bubble struct {
	network *Network
	leases  trace.Log // what the nodes did with theirs
}

// tester is the host from which the test itself asks.
const tester = "test"

func nodeName(i int) string { return fmt.Sprintf("node%d", i) }

func (*bubble) name() string { return "nodes in a bubble" }

func (b *bubble) configure(i int, config *node.Config) {
	config.Dial = b.network.Dialer(nodeName(i))
	config.Leases.Watch = b.leases.Watch
}

// ReplayLeases plays what every node did with its leases through their core once more. It says how
// many steps there were, 0 where nodes run elsewhere.
func (c *Cluster) ReplayLeases() (steps int, err error) {
	if l, ok := c.kind.(*inside); ok {
		if b, ok := l.place.(*bubble); ok {
			if steps, err = b.leases.Replay(); steps == 0 && err == nil {
				err = errors.New("testcluster: nobody saw what the nodes did with their leases")
			}
			return steps, err
		}
	}
	return 0, nil
}

func (*bubble) moved(i, times int) string {
	if times == 0 {
		return nodeName(i)
	}
	return fmt.Sprintf("%s-%d", nodeName(i), times)
}

// listen makes node i reachable at an address. Links are between nodes, wherever they are.
func (b *bubble) listen(i int, address string) (net.Listener, error) {
	return b.network.Listen(nodeName(i), address), nil
}

func (b *bubble) dial(ctx context.Context, address string) (net.Conn, error) {
	return b.network.Dialer(tester)(ctx, address)
}

func (b *bubble) joinDialer(i int) func(context.Context, string) (net.Conn, error) {
	return b.network.Dialer(nodeName(i))
}

// vanish breaks the connections, as the kernel does for a process that is killed. Its listeners are
// closed with it. Who comes after it under its name is not paused, if it was.
func (b *bubble) vanish(i int) {
	b.network.Unlisten(nodeName(i))
	b.network.Reset(nodeName(i))
	b.network.Resume(nodeName(i))
}

// A logBuffer keeps what is written to it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

var errKilled = errors.New("testcluster: the node was killed")
