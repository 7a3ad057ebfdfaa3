package cluster_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/internal/heavy"
	"keyquorum/internal/testkey"
)

// A following signer signs under the newest key that its member's state has, as a node's keyring
// does.
type following struct {
	view func() fsm.View
	keys map[uint32]*testkey.Key
	made map[uint32]*atomic.Int64
}

func (f following) Sign(message []byte) (uint32, []byte, error) {
	term := f.view().Line().Newest().Term
	f.made[term].Add(1)
	return f.keys[term].Sign(message)
}

// behindARotation has a writer that is no leader write while the leader stores the rotation to
// another transaction key, and calls meanwhile before that is stored.
func behindARotation(
	t *testing.T, write func(g *group, writer int) error, meanwhile func(g *group, writer, leader int),
) (g *group, writer int, written error) {
	g = newGroup(t, 3)
	leader := g.leader()
	writer = (leader + 1) % 3
	next := testkey.New(2, 0)
	f := following{
		g.members[writer].View, map[uint32]*testkey.Key{1: g.key, 2: next},
		map[uint32]*atomic.Int64{1: {}, 2: {}},
	}
	g.members[writer].Unseal(f)
	must(t, g.put(writer, "x", "before"))

	stored := g.stalls[leader].close()
	rotated, wrote := make(chan error, 1), make(chan error, 1)
	go func() {
		rotated <- g.rotate(leader, next)
	}()
	<-stored
	before := f.made[1].Load()
	go func() { wrote <- write(g, writer) }()
	synctest.Wait()
	if f.made[1].Load() != before+1 {
		t.Fatal("the write was not signed before the rotation")
	}
	meanwhile(g, writer, leader)
	g.stalls[leader].release()
	must(t, <-rotated)
	written = <-wrote
	if f.made[2].Load() == 0 {
		t.Error("the write was not signed again")
	}
	return g, writer, written
}

// A write that waits in the leader's log behind a rotation was signed under a key that is not the
// newest any more when it is applied. It changes nothing, and is signed again.
func TestWriteUnderWayAtARotationIsSignedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		put := func(g *group, writer int) error { return g.put(writer, "x", "under way") }
		g, writer, err := behindARotation(t, put, func(*group, int, int) {})
		must(t, err)
		if value, err := g.get(writer, "x", 5*time.Second); err != nil || value != "under way" {
			t.Errorf("%q, %v", value, err)
		}
	})
}

// ofAnotherGeneration writes what is decided on a state that was never restored.
func ofAnotherGeneration(g *group, writer int) error {
	txn := write(g.members[writer].View(), "x", "of another generation")
	txn.Generation++
	outcome, err := g.members[writer].Commit(g.t.Context(), txn)
	if err == nil && outcome.Kind != fsm.WrongGeneration {
		g.t.Errorf("its outcome is %+v", outcome)
	}
	return err
}

// Whether an earlier copy was applied, and forgotten since, a later signature does not change.
func TestOutcomeOfAWriteThatIsSignedAgainMayBeUnknown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, err := behindARotation(t, ofAnotherGeneration, func(g *group, writer, leader int) {
			g.network.Reset(host(leader), host(writer)) // nobody knows what became of the first copy
			time.Sleep(time.Second)
		})
		if !errors.Is(err, cluster.ErrUnknown) {
			t.Errorf("the write that was sent before is reported as %v", err)
		}
	})
	bubble(t, func(t *testing.T) {
		_, _, err := behindARotation(t, ofAnotherGeneration, func(*group, int, int) {})
		must(t, err)
	})
}

// A new member takes no snapshot of before the newest transaction key was used. So every member has
// one of later soon, also where nobody writes.
func TestNewKeyIsUsedWhereNobodyWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		next := testkey.New(2, 0)
		for i := range 3 {
			g.stop(i)
			g.configs[i].Compact = cluster.Compact{Weight: 64 << 10, Entries: 1}
			g.open(i)
			g.members[i].Unseal(following{g.members[i].View,
				map[uint32]*testkey.Key{1: g.key, 2: next},
				map[uint32]*atomic.Int64{1: {}, 2: {}}})
		}
		leader := g.leader()
		for i := range 30 {
			must(t, g.put(leader, "x", fmt.Sprint(i, string(make([]byte, 4<<10)))))
		}
		time.Sleep(3 * time.Second)
		before, _ := g.stores[leader].NewestSnapshot()
		if before == 0 {
			t.Fatal("there is no snapshot before the rotation")
		}
		must(t, g.rotate(leader, next))
		time.Sleep(checkpointed)
		for i := range 3 {
			assured := g.members[i].View().Backing().Assured
			if at, _ := g.stores[i].NewestSnapshot(); assured == 0 || at < assured {
				t.Errorf("member %d: the newest snapshot is of %d, and the key was used at %d", i, at,
					assured)
			}
		}
	})
}

// Whoever joins right after a rotation knows the new key, and the leader's newest snapshot is of
// before anybody used it. It waits for the next, and accuses nobody. A leader that has none after
// minutes is named.
func TestJoinRightAfterARotation(t *testing.T) {
	heavy.Test(t)
	join := func(t *testing.T, hold time.Duration, want int) {
		g := newGroup(t, 3, func(c *cluster.Config) {
			c.Compact = cluster.Compact{Weight: 64 << 10, Entries: 1}
		})
		leader := g.leader()
		for i := range 30 {
			must(t, g.put(leader, "x", fmt.Sprint(i, string(make([]byte, 4<<10)))))
		}
		time.Sleep(3 * time.Second)
		next := testkey.New(2, 0)
		slow := newSlowSnapshot()
		g.stores[leader].Gate(slow.gate)
		slow.armed.Store(hold > 0)
		must(t, g.rotate(leader, next))
		before, _ := g.stores[leader].NewestSnapshot()
		for i := range 3 {
			g.members[i].Unseal(next)
		}
		g.ids = append(g.ids, fmt.Sprintf("%032x", 4))
		joiner := g.prepare(3, g.authority, nil)
		joiner.Trust.Line = g.members[leader].View().Line()
		g.configs, g.stores, g.members = append(g.configs, joiner), append(g.stores, nil),
			append(g.members, nil)
		must(t, g.members[leader].Add(t.Context(), g.ids[3], address(3),
			joiner.Identity.Certificate.Leaf))
		g.open(3)
		time.Sleep(hold)
		if after, _ := g.stores[leader].NewestSnapshot(); hold > 0 && after != before {
			t.Fatal("the leader has another snapshot: the schedule tests nothing")
		}
		close(slow.release)
		time.Sleep(15 * time.Second) // the leader pauses between attempts for ten at most
		if value, err := g.get(3, "x", 5*time.Second); err != nil || value[:2] != "29" {
			t.Errorf("the new member reads %.5q, %v", value, err)
		}
		if accused := g.members[3].Accusations(); len(accused) != want {
			t.Errorf("the new member accuses %+v, want %d", accused, want)
		}
	}
	bubble(t, func(t *testing.T) { join(t, 0, 0) })
	bubble(t, func(t *testing.T) { join(t, time.Minute, 0) })
	bubble(t, func(t *testing.T) { join(t, 6*time.Minute, 1) })
}

// checkpointed is longer than it takes until a checkpoint that is due is in each member's snapshot.
const checkpointed = 5 * time.Second

// rotate has member i give the transaction key a successor.
func (g *group) rotate(i int, next *testkey.Key) error {
	view := g.members[i].View()
	line, err := g.key.Extend(view.Line(), next).Encode()
	must(g.t, err)
	txn := view.Begin(fsm.Rotate)
	cluster.Put(&txn, view, fsm.PathKeys, line)
	cluster.Put(&txn, view, fsm.PathKeyring, []byte{2})
	_, err = g.members[i].Commit(g.t.Context(), txn)
	return err
}
