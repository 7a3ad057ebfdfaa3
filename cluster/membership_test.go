package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/fsm"
)

// load writes through member i from several goroutines until the returned function is called.
func (g *group) load(i, writers int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := g.members[i].Commit(ctx,
					write(g.members[i].View(), fmt.Sprintf("load/%d", w), "x")); err != nil {
					return
				}
				time.Sleep(time.Millisecond) // fake time, which stands still while everybody is busy
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// lead makes member i the leader.
func (g *group) lead(i int) {
	g.t.Helper()
	for leader := g.leader(); leader != i; leader = g.leader() {
		g.members[leader].Raft().LeadershipTransferToServer(raft.ServerID(g.ids[i]),
			raft.ServerAddress(g.ids[i])).Error()
		time.Sleep(time.Second)
	}
}

// A member whose log stands still does not know yet that an id was removed, and signs for it. That
// this comes to nothing is about that id, not about who asks.
func TestRefusedAddIsNotAboutTheAsker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 4)
		const leader, behind, gone = 1, 0, 2
		g.lead(leader)
		entered := g.stalls[behind].close()
		must(t, g.put(leader, "x", "1"))
		<-entered
		must(t, g.members[leader].Remove(t.Context(), g.ids[gone], nil))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := g.members[behind].Add(ctx, g.ids[gone], address(gone),
			g.authority.Certificate); err == nil {
			t.Error("a removed id was added through a member that is behind")
		}
		if g.members[behind].Removed() {
			t.Fatal("a member took the refusal of another's id for its own removal")
		}
		g.stalls[behind].release()
		must(t, g.put(behind, "x", "2")) // it has caught up
		err := g.members[behind].Add(t.Context(), g.ids[gone], address(gone), g.authority.Certificate)
		if err == nil || !strings.Contains(err.Error(), "the id never comes back") {
			t.Errorf("adding a removed id through a member that has caught up: %v", err)
		}
	})
}

// The two of a pair need each other's votes: a leader that is cut off by its own removal, with a
// log longer than the other's, could never be outvoted again.
func TestLeaderOfAPairIsRemovedUnderLoad(t *testing.T) {
	for range 3 {
		bubble(t, func(t *testing.T) {
			g := newGroup(t, 2)
			leader := g.leader()
			other := 1 - leader
			stop := g.load(leader, 8)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			err := g.members[other].Remove(ctx, g.ids[leader], nil)
			stop()
			must(t, err)
			must(t, g.put(other, "x", "1"))
		})
	}
}

func TestSealedLeaderHandsOverUnderLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		unsealed := (leader + 1) % 3
		g.members[leader].Seal()
		g.members[(leader+2)%3].Seal()
		stop := g.load((leader+2)%3, 4)
		defer stop()
		for range 100 {
			if g.leader() == unsealed {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatal("a sealed leader found no successor within 10 s")
	})
}

// A leader that finds nobody to hand over to leads on, and who asked for it hears that it may ask
// again, wherever it asked.
func TestStepDownThatFindsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		for i := range 3 {
			if i != leader {
				g.stalls[i].close()
			}
		}
		written := make(chan error, 1)
		go func() { written <- g.put(leader, "x", "1") }() // nobody is caught up
		time.Sleep(50 * time.Millisecond)
		for i := range 2 {
			err := g.members[(leader+i)%3].StepDown(t.Context())
			if !errors.Is(err, cluster.ErrUnavailable) || !strings.Contains(err.Error(), "ask again") {
				t.Errorf("asked at %d of the leader: %v", i, err)
			}
		}
		for _, s := range g.stalls {
			s.release()
		}
		must(t, <-written)
	})
}

// A joiner that crashed before it was a member leaves its id in the configuration. Whoever joins
// from that address must hear which id stands in the way, at once.
func TestAddressTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		asked := (g.leader() + 1) % 3
		must(t, g.members[asked].Add(t.Context(), strings.Repeat("a", 32), "host9:8201",
			g.authority.Certificate))
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		err := g.members[asked].Add(ctx, strings.Repeat("b", 32), "host9:8201", g.authority.Certificate)
		if err == nil || !strings.Contains(err.Error(), strings.Repeat("a", 32)) ||
			errors.Is(err, cluster.ErrUnavailable) {
			t.Errorf("adding a second id at one address: %v", err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the refusal took %v", took)
		}
		must(t, g.members[asked].Remove(t.Context(), strings.Repeat("a", 32), nil))
		must(t, g.members[asked].Add(t.Context(), strings.Repeat("b", 32), "host9:8201",
			g.authority.Certificate))
	})
}

// A member that comes back at another address, without gossip, makes itself known.
func TestMovedMemberIsFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		moved := (g.leader() + 1) % 3
		g.stop(moved)
		must(t, g.put((moved+1)%3, "x", "1"))
		g.configs[moved].Address = "elsewhere:9201"
		g.openAt(moved, "elsewhere:9201")
		got, err := g.get(moved, "x", 5*time.Second)
		for range 5 {
			if err == nil {
				break
			}
			got, err = g.get(moved, "x", 5*time.Second)
		}
		if err != nil || got != "1" {
			t.Fatalf("a member at a new address read %q, %v", got, err)
		}
	})
}

// A voter whose host answers nothing must not cost the others more and more connections.
func TestDialsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		hung := (leader + 1) % 3
		g.stop(leader)
		var dialling, most atomic.Int64
		inner := g.configs[leader].Dial
		g.configs[leader].Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			if addr == address(hung) {
				now := dialling.Add(1)
				defer dialling.Add(-1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
			}
			return inner(ctx, addr)
		}
		g.open(leader)
		g.lead(leader)
		g.isolate(hung)
		for range 400 { // each fence is a round, and each asks the hung voter
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := g.members[leader].Read(ctx, true, func(fsm.View) {})
			cancel()
			must(t, err)
			time.Sleep(2 * time.Millisecond)
		}
		if most.Load() > 16 {
			t.Fatalf("%d dials to one hung voter at a time", most.Load())
		}
	})
}

// Raft forgets what stands in its queue when it shuts down; Close and whoever waits must not.
func TestCloseWithProposalsQueued(t *testing.T) {
	for range 10 {
		bubble(t, func(t *testing.T) {
			g := newGroup(t, 1)
			g.leader()
			entered := g.stalls[0].close()
			first := make(chan error, 1)
			go func() { first <- g.put(0, "x", "1") }()
			<-entered
			results := make(chan error, 20)
			for i := range 20 {
				go func() { results <- g.put(0, fmt.Sprint("y/", i), "1") }()
			}
			time.Sleep(time.Millisecond)
			gone, cancel := context.WithCancel(context.Background())
			cancel()
			closed := make(chan struct{})
			go func() { g.members[0].Close(gone); close(closed) }()
			time.Sleep(time.Millisecond)
			g.stalls[0].release()
			<-closed
			<-first
			for range 20 {
				<-results
			}
			g.stores[0].Close()
			g.members[0] = nil
		})
	}
}

// Whoever waits at a member for its leader is told when that member closes, and tries no more in
// vain.
func TestClosedMemberFailsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		waits := (leader + 1) % 3
		g.isolate(waits)
		closing := g.members[waits]
		for _, known := closing.Raft().LeaderWithID(); known != ""; _,
			known = closing.Raft().LeaderWithID() {
			time.Sleep(50 * time.Millisecond)
		}
		var closes time.Time
		var waiting sync.WaitGroup
		for _, call := range []func() error{
			func() error { return g.put(waits, "x", "1") },
			func() error { _, err := closing.Read(t.Context(), false, func(fsm.View) {}); return err },
			func() error { _, err := closing.Read(t.Context(), true, func(fsm.View) {}); return err },
		} {
			waiting.Go(func() {
				err := call()
				if took := time.Since(closes); !errors.Is(err, cluster.ErrUnavailable) ||
					took > 200*time.Millisecond {
					t.Errorf("%s after the member began to close: %v", took, err)
				}
			})
		}
		synctest.Wait()
		closes = time.Now()
		g.stop(waits)
		waiting.Wait()
	})
}

// A configuration that the state machine refuses stops every node, again at each start: it must not
// get into the log.
func TestConfigurationIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 1)
		g.leader()
		id := strings.Repeat("c", 32)
		if err := g.members[0].Add(t.Context(), id, strings.Repeat("a", 2000)+":1",
			g.authority.Certificate); err == nil {
			t.Error("an address of 2000 bytes was taken")
		}
		time.Sleep(time.Second)
		select {
		case <-g.members[0].Failed():
			t.Fatal(g.members[0].Err())
		default:
		}
		must(t, g.put(0, "x", "1"))
	})
}
