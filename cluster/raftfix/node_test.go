package raftfix

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// A node is one of two voters, a and b, on a network of pipes. Where the other is not there, what
// it would hold of each connection is in ends.
type node struct {
	*Transport
	id, other string
	peer      *node // nil: the other is not there
	raft      *raft.Raft
	machine   counter
	stable    weakStable
	waits     time.Duration // of its disk
	begun     sync.WaitGroup
	came      chan net.Conn
	end       context.CancelFunc

	mu      sync.Mutex
	dials   []net.Conn
	down    bool // the other refuses to be dialled
	refused int
}

// alone starts a, without b.
func alone(t *testing.T, n *node) *node {
	t.Helper()
	n.id, n.other = "a", "b"
	n.start(t)
	return n
}

// pair starts both.
func pair(t *testing.T) (a, b *node) {
	t.Helper()
	a, b = &node{id: "a", other: "b"}, &node{id: "b", other: "a"}
	a.peer, b.peer = b, a
	a.start(t)
	b.start(t)
	return a, b
}

// start begins a Raft that stands by itself, and brings news of commits, only after a day.
func (n *node) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	n.end = cancel
	n.came = make(chan net.Conn, 16)
	n.Transport = NewTransport(ctx, Config{
		ID: n.id, Address: &net.TCPAddr{}, Dial: n.dial, Timeout: time.Second,
		Newest:  func() (index, term uint64) { return 0, 0 },
		Waiting: func() time.Duration { return n.waits },
		Believe: func(uint64) error { return nil },
		Go:      n.begun.Go,
		Logger:  hclog.NewNullLogger(),
	})
	config := raft.DefaultConfig()
	config.LocalID, config.Logger = raft.ServerID(n.id), hclog.NewNullLogger()
	config.HeartbeatTimeout, config.ElectionTimeout = 24*time.Hour, 24*time.Hour
	config.CommitTimeout, config.LeaderLeaseTimeout = 24*time.Hour, 24*time.Hour
	logs, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	n.stable.InmemStore = raft.NewInmemStore()
	servers := []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}}
	err := raft.BootstrapCluster(config, logs, &n.stable, snapshots, n.Transport,
		raft.Configuration{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	if n.raft, err = n.Start(config, &n.machine, logs, &n.stable, snapshots); err != nil {
		t.Fatal(err)
	}
	deaf := n.serve(ctx)
	t.Cleanup(func() {
		cancel()
		_ = n.raft.Shutdown().Error()
		deaf()
		n.begun.Wait()
		for _, end := range n.ends() {
			end.Close()
		}
	})
}

// serve takes in what comes.
func (n *node) serve(ctx context.Context) (deaf func()) {
	in := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: arrivals{n.came, make(chan net.Conn)}, Timeout: time.Second,
		Logger: hclog.NewNullLogger(),
	})
	in.SetHeartbeatHandler(n.Heartbeat)
	n.begun.Go(func() {
		for {
			select {
			case rpc := <-in.Consumer():
				n.Forward(rpc)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { in.CloseStreams(); in.Close() }
}

func (n *node) dial(context.Context, string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		n.refused++
		return nil, errors.New("nobody is there")
	}
	own, other := net.Pipe()
	n.dials = append(n.dials, other)
	if n.peer != nil {
		n.peer.came <- other
	}
	return own, nil
}

// ends are what the other holds of all connections so far.
func (n *node) ends() []net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// heartbeat has a node hear of b as the leader of a term, on a goroutine of the connection.
func (n *node) heartbeat(term uint64) <-chan raft.RPCResponse {
	answer := make(chan raft.RPCResponse, 1)
	request := &raft.AppendEntriesRequest{RPCHeader: header("b"), Term: term}
	go n.Heartbeat(raft.RPC{Command: request, RespChan: answer})
	return answer
}

func header(of string) raft.RPCHeader {
	return raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(of), Addr: []byte(of),
	}
}

// arrivals are the connections that others have dialled.
type arrivals struct{ came, gone chan net.Conn }

func (a arrivals) Accept() (net.Conn, error) {
	select {
	case conn := <-a.came:
		return conn, nil
	case <-a.gone:
		return nil, net.ErrClosed
	}
}

func (a arrivals) Close() error {
	close(a.gone)
	return nil
}

func (arrivals) Addr() net.Addr { return &net.TCPAddr{} }

func (arrivals) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) { panic("not used") }

// A counter counts what it has applied.
type counter struct{ applied atomic.Int64 }

func (c *counter) Apply(*raft.Log) any { return c.applied.Add(1) }

func (c *counter) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.ErrUnsupported }

func (c *counter) Restore(in io.ReadCloser) error { return in.Close() }

// A weakStable is a stable store that fails, or waits, when told to.
type weakStable struct {
	*raft.InmemStore
	fails atomic.Bool
	gate  atomic.Pointer[chan struct{}]
}

func (s *weakStable) wait() (release func()) {
	gate := make(chan struct{})
	s.gate.Store(&gate)
	return func() { close(gate) }
}

func (s *weakStable) SetUint64(key []byte, value uint64) error {
	if gate := s.gate.Load(); gate != nil {
		<-*gate
	}
	if s.fails.Load() {
		return errors.New("the disk is full")
	}
	return s.InmemStore.SetUint64(key, value)
}

// bubble runs a test on fake time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
