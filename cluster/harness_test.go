package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/cluster/gossip"
	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/internal/fakenet"
	"keyquorum/internal/testkey"
	"keyquorum/storage"
)

// A group is a cluster of bare members (no domain, no seal) on a network in memory, inside a
// synctest bubble.
type group struct {
	t       *testing.T
	network *fakenet.Network
	key     *testkey.Key // that signs

	authority *identity.Authority
	ids       []string
	members   []*cluster.Cluster
	stores    []*storage.Store
	stalls    []*stall
	slow      []*slowFSM
	configs   []cluster.Config
	fenced    bool // what is read is fenced
}

const clusterID = "00112233445566778899aabbccddeeff"

func host(i int) string    { return fmt.Sprintf("host%d", i) }
func address(i int) string { return fmt.Sprintf("host%d:8201", i) }

// newGroup starts n voters, unsealed.
func newGroup(t *testing.T, n int, configure ...func(*cluster.Config)) *group {
	t.Helper()
	g := &group{t: t, network: fakenet.New(), key: testkey.New(1, 0)}
	authority, err := identity.NewAuthority(clusterID, time.Now())
	must(t, err)
	g.authority = authority
	var members fsm.Members
	for i := range n {
		g.ids = append(g.ids, fmt.Sprintf("%032x", i+1))
		members = members.With(fsm.Member{ID: g.ids[i], Address: address(i), Voter: true})
	}
	founding, err := g.key.Found(members)
	must(t, err)
	for i := range n {
		g.configs = append(g.configs, g.prepare(i, authority, founding))
		for _, c := range configure {
			c(&g.configs[i])
		}
		g.stores = append(g.stores, nil)
		g.members = append(g.members, nil)
		g.open(i)
	}
	t.Cleanup(g.close)
	return g
}

func (g *group) prepare(i int, authority *identity.Authority, founding []byte) cluster.Config {
	dir := filepath.Join(g.t.TempDir(), "member")
	store, err := storage.Create(dir,
		storage.Manifest{ClusterID: clusterID, NodeID: g.ids[i], Voter: true})
	must(g.t, err)
	if founding != nil {
		must(g.t, cluster.Found(store, founding))
	}
	must(g.t, store.Close())
	key, csr, err := identity.NewRequest()
	must(g.t, err)
	certificate, err := authority.Sign(csr, clusterID, g.ids[i], time.Now())
	must(g.t, err)
	shown, err := identity.New(clusterID, g.ids[i], key, certificate, authority.Certificate.Raw)
	must(g.t, err)
	g.stalls = append(g.stalls, &stall{})
	c := cluster.Config{
		Identity: shown, Address: address(i), Dial: g.network.Dialer(host(i)),
		Logger: hclog.NewNullLogger(),
		Gossip: gossip.Config{},
		About:  cluster.About{Label: dir},
		Leases: cluster.Leases{Clock: fakeClock()},
		Trust:  cluster.Trust{Line: g.key.Line()},
	}
	c.WrapLogs(g.stalls[i].wrap)
	g.slow = append(g.slow, &slowFSM{})
	c.WrapFSM(g.slow[i].wrap)
	return c
}

func (g *group) open(i int) {
	g.t.Helper()
	g.openAt(i, address(i))
}

func (g *group) openAt(i int, address string) {
	g.t.Helper()
	store, err := storage.Open(g.configs[i].About.Label)
	must(g.t, err)
	config := g.configs[i]
	config.Store, config.Listener = store, g.network.Listen(host(i), address)
	g.stores[i] = store
	g.members[i], err = cluster.Open(config)
	must(g.t, err)
	g.members[i].Unseal(g.key)
}

// stop closes a member without handing anything over.
func (g *group) stop(i int) {
	if g.members[i] == nil {
		return
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	g.members[i].Close(gone)
	g.stores[i].Close()
	g.members[i] = nil
}

func (g *group) close() {
	g.network.Heal()
	for i := range g.members {
		g.stalls[i].release()
		g.slow[i].release()
		g.stop(i)
	}
	g.network.Close()
}

// leader waits for a member, other than those left out, that leads an opened term.
func (g *group) leader(except ...int) int {
	g.t.Helper()
	for range 2000 {
		for i, m := range g.members {
			if m != nil && !contains(except, i) && m.Standing().Leads {
				return i
			}
		}
		time.Sleep(10 * time.Millisecond) // fake time
	}
	g.t.Fatal("no leader within 20 s")
	return -1
}

func contains(list []int, i int) bool {
	for _, x := range list {
		if x == i {
			return true
		}
	}
	return false
}

func (g *group) isolate(i int) {
	for j := range g.ids {
		if j != i {
			g.network.Isolate(host(i), host(j))
		}
	}
}

// put writes value at path through member i, whatever was there.
func (g *group) put(i int, path, value string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		outcome, err := g.members[i].Commit(ctx, write(g.members[i].View(), path, value))
		if err != nil || outcome.Kind == fsm.Applied {
			return err
		}
		if err := g.members[i].Wait(ctx, outcome.At); err != nil {
			return err
		}
	}
}

func write(view fsm.View, path, value string) fsm.Txn {
	txn := view.Begin(fsm.Ordinary)
	if r, ok := view.Get(path); ok {
		txn.Conditions = []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: r.Mod}}
		txn.Writes = []fsm.Write{{Path: path, Logical: r.Mod, Value: []byte(value)}}
		return txn
	}
	txn.Conditions = []fsm.Condition{{Kind: fsm.Absent, Path: path}}
	txn.Writes = []fsm.Write{{Path: path, Logical: view.Index(), Value: []byte(value)}}
	return txn
}

// get reads path through member i. "" means absent.
func (g *group) get(i int, path string, within time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var value string
	_, err := g.members[i].Read(ctx, g.fenced, func(v fsm.View) {
		r, _ := v.Get(path)
		value = string(r.Value)
	})
	return value, err
}

func withoutLeases(c *cluster.Config) { c.Leases.Off = true }

// fakeClock is a lease clock on a bubble's time.
func fakeClock() func() time.Duration {
	born := time.Now()
	return func() time.Duration { return time.Hour + time.Since(born) }
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bubble runs a test on fake time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// A stall holds a member's log writes back: a process that stands still, a hung disk.
type stall struct {
	raft.LogStore
	gate chan struct{} // nil: open
	in   chan struct{}
	late bool        // holds back the answer, not the write
	full atomic.Bool // refuses every write
	mu   chan struct{}
}

func (s *stall) wrap(inner raft.LogStore) raft.LogStore {
	s.LogStore = inner
	if s.mu == nil {
		s.mu = make(chan struct{}, 1)
		s.mu <- struct{}{}
	}
	return s
}

func (s *stall) close() (entered <-chan struct{}) {
	<-s.mu
	defer func() { s.mu <- struct{}{} }()
	s.gate, s.in = make(chan struct{}), make(chan struct{}, 1)
	return s.in
}

// loseAnswer lets the next write through to the disk, and holds its answer back, which will be an
// error.
func (s *stall) loseAnswer() (stored <-chan struct{}) {
	stored = s.close()
	s.late = true
	return stored
}

func (s *stall) release() {
	<-s.mu
	defer func() { s.mu <- struct{}{} }()
	if s.gate != nil {
		close(s.gate)
		s.gate, s.late = nil, false
	}
}

func (s *stall) StoreLogs(l []*raft.Log) error {
	if s.full.Load() {
		return errors.New("the disk is full")
	}
	<-s.mu
	gate, in, late := s.gate, s.in, s.late
	s.mu <- struct{}{}
	if late {
		return s.storeAndWait(l, gate, in)
	}
	if gate != nil {
		select {
		case in <- struct{}{}:
		default:
		}
		<-gate
	}
	return s.LogStore.StoreLogs(l)
}

func (s *stall) storeAndWait(l []*raft.Log, gate <-chan struct{}, in chan<- struct{}) error {
	if err := s.LogStore.StoreLogs(l); err != nil {
		return err
	}
	select {
	case in <- struct{}{}:
	default:
	}
	<-gate
	return errors.New("the process has ended")
}

func (s *stall) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// mark signs at member i that another is removed, and leaves it at that.
func (g *group) mark(i int, nodeID string) {
	g.t.Helper()
	must(g.t, g.tryMark(i, nodeID))
}

func (g *group) tryMark(i int, nodeID string) error {
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	for {
		view := g.members[i].View()
		txn := view.Begin(fsm.Change)
		value, err := view.Members().Without(nodeID).Encode()
		must(g.t, err)
		cluster.Put(&txn, view, fsm.PathMembers, value)
		cluster.Put(&txn, view, fsm.RemovedDir+nodeID, []byte{1})
		outcome, err := g.members[i].Commit(ctx, txn)
		if err != nil || outcome.Kind == fsm.Applied {
			return err
		}
		must(g.t, g.members[i].Wait(ctx, outcome.At))
	}
}
