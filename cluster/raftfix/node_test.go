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

// A node is a Raft of two voters, a and b, of which only a is there, on a network of pipes.
type node struct {
	*Transport
	stable *weakStable
	begun  sync.WaitGroup

	waits time.Duration

	mu      sync.Mutex
	dials   []net.Conn // the ends that b holds
	down    bool       // b refuses to be dialled
	refused int
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
	return own, nil
}

// ends are what b holds of all connections so far.
func (n *node) ends() []net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

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

// start begins a Raft that stands by itself only after a day.
func start(t *testing.T, n *node) *raft.Raft {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	n.Transport = NewTransport(ctx, Config{
		ID: "a", Address: &net.TCPAddr{}, Dial: n.dial, Timeout: time.Second,
		Newest:  func() (index, term uint64) { return 0, 0 },
		Waiting: func() time.Duration { return n.waits },
		Believe: func(uint64) error { return nil },
		Go:      n.begun.Go,
		Logger:  hclog.NewNullLogger(),
	})
	config := raft.DefaultConfig()
	config.LocalID, config.Logger = "a", hclog.NewNullLogger()
	config.HeartbeatTimeout, config.ElectionTimeout = 24*time.Hour, 24*time.Hour
	logs, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	n.stable = &weakStable{InmemStore: raft.NewInmemStore()}
	servers := []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}}
	if err := raft.BootstrapCluster(config, logs, n.stable, snapshots, n.Transport,
		raft.Configuration{Servers: servers}); err != nil {
		t.Fatal(err)
	}
	r, err := n.Start(config, nothing{}, logs, n.stable, snapshots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = r.Shutdown().Error()
		n.begun.Wait()
		for _, end := range n.ends() {
			end.Close()
		}
	})
	return r
}

// nothing is a state machine without state.
type nothing struct{}

func (nothing) Apply(*raft.Log) any                 { return nil }
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("there is nothing") }
func (nothing) Restore(in io.ReadCloser) error      { return in.Close() }

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

// bubble runs a test on fake time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
