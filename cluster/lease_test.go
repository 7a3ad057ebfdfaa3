package cluster_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/internal/fakenet"
	"keyquorum/internal/heavy"
)

// Readers read a path through some members all the time, and remember when each last answered with
// a value.
type readers struct {
	mu   sync.Mutex
	last map[int]time.Time
	stop chan struct{}
	done sync.WaitGroup
}

// readers begin to read. Ended, they tell when the last read began that each member answered with
// the value.
func (g *group) readers(path, value string, members ...int) *readers {
	w := &readers{last: map[int]time.Time{}, stop: make(chan struct{})}
	for _, i := range members {
		w.done.Go(func() {
			for {
				select {
				case <-w.stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				begun := time.Now()
				if got, err := g.get(i, path, 200*time.Millisecond); err == nil && got == value {
					w.mu.Lock()
					w.last[i] = begun
					w.mu.Unlock()
				}
			}
		})
	}
	return w
}

func (w *readers) end() map[int]time.Time {
	close(w.stop)
	w.done.Wait()
	return w.last
}

// settled is a group in which everybody holds a lease and nothing is under way.
func settled(t *testing.T, n int, configure ...func(*cluster.Config)) (g *group, leader int) {
	t.Helper()
	g = newGroup(t, n, configure...)
	leader = g.leader()
	must(t, g.put(leader, "x", "old"))
	for i := range n {
		_, err := g.get(i, "x", 5*time.Second)
		must(t, err)
	}
	time.Sleep(2 * time.Second)
	return g, leader
}

func TestReadUnderALeaseTakesNoMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		follower := (leader + 1) % 3
		g.isolate(follower)
		begun := time.Now()
		if got, err := g.get(follower, "x", time.Second); err != nil || got != "old" ||
			time.Since(begun) > 0 {
			t.Errorf("under a lease %q, %v, after %s", got, err, time.Since(begun))
		}
		time.Sleep(600 * time.Millisecond)
		if got, err := g.get(follower, "x", time.Second); err == nil {
			t.Errorf("more than a lease after it was cut off it answers %q", got)
		}
	})
}

// Who is cut off goes on answering for less than a lease, and a write is acknowledged no earlier:
// no read that begins after a write was acknowledged misses it, on any node (I3, I4).
func TestWriteWaitsForLeases(t *testing.T) {
	heavy.Test(t)
	quick := cluster.Timing{Heartbeat: 100 * time.Millisecond, Election: 100 * time.Millisecond,
		LeaderLease: 100 * time.Millisecond}
	patient := cluster.Timing{Heartbeat: 2 * time.Second, Election: 2 * time.Second}
	stubborn := cluster.Timing{
		LeaderLease: 500 * time.Millisecond} // a leader believes in itself for as long as Raft lets it
	for _, row := range []struct {
		name    string
		members int
		cut     func(leader int) []int // these from all others
		timing  cluster.Timing
		far     time.Duration // each way between the leader and those that are cut off
		slow    bool          // they are not cut off, they apply nothing
		within  time.Duration
		times   int // more than once where much depends on when an election falls
	}{
		{"a follower is cut off", 3, func(l int) []int { return []int{(l + 1) % 3} }, cluster.Timing{}, 0,
			false, time.Second, 1},
		{"a follower that is far away is cut off", 3, func(l int) []int { return []int{(l + 1) % 3} },
			patient, 300 * time.Millisecond, false, 4 * time.Second, 1},
		{"a follower that is far away applies nothing", 3,
			func(l int) []int { return []int{(l + 1) % 3} }, patient, 300 * time.Millisecond, true,
			5 * time.Second, 1},
		{"the leader is cut off", 3, func(l int) []int { return []int{l} }, cluster.Timing{}, 0, false,
			2 * time.Second, 1},
		{"the leader is cut off and missed at once", 3, func(l int) []int { return []int{l} }, quick, 0,
			false, time.Second, 4},
		{"the leader is cut off with a follower", 5, func(l int) []int { return []int{l, (l + 1) % 5} },
			stubborn, 0, false, 2 * time.Second, 1},
	} {
		test := func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g, leader := settled(t, row.members, func(c *cluster.Config) { c.Timing = row.timing })
				cut := row.cut(leader)
				for _, i := range cut {
					g.network.Shape(host(leader), host(i), fakenet.Link{Delay: row.far})
					g.network.Shape(host(i), host(leader), fakenet.Link{Delay: row.far})
				}
				time.Sleep(5 * time.Second) // leases follow the round trips after a few of them
				var rest []int
				for i := range row.members {
					switch {
					case !contains(cut, i):
						rest = append(rest, i)
					case row.slow:
						g.slow[i].hold()
						defer g.slow[i].release()
					}
				}
				for _, i := range cut {
					for _, j := range rest {
						if !row.slow {
							g.network.Hold(host(i), host(j))
							g.network.Hold(host(j), host(i))
						}
					}
				}
				begun := time.Now()
				w := g.readers("x", "old", append(cut, rest...)...)
				must(t, g.put(rest[0], "x", "new"))
				acknowledged := time.Now()
				if took := acknowledged.Sub(begun); took > row.within {
					t.Errorf("the write took %s", took)
				}
				time.Sleep(2 * time.Second)
				answered := 0
				for i, last := range w.end() {
					answered++
					if last.After(acknowledged) {
						t.Errorf("member %d answered the old value %s after the new one was acknowledged", i,
							last.Sub(acknowledged))
					}
				}
				if answered == 0 {
					t.Error("nobody answered the old value: the test shows nothing")
				}
			})
		}
		for range row.times {
			t.Run(row.name, test)
		}
	}
}

// A lease of a term that is over counts for nothing, though the clock would let it. The new leader
// need not wait for it: every member has told it that it is in the new term.
func TestLeaseEndsWithItsTerm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		behind, next := (leader+1)%3, (leader+2)%3
		g.far(behind, next, 100*time.Millisecond) // so that a write comes between its first word in a term and its first lease
		time.Sleep(2 * time.Second)
		g.slow[behind].hold() // it takes part, votes and stores, and applies nothing more
		must(t, g.members[leader].Raft().LeadershipTransferToServer(raft.ServerID(g.ids[next]),
			raft.ServerAddress(g.ids[next])).Error())
		for g.leader() != next {
			time.Sleep(time.Millisecond)
		}
		must(t, g.put(next, "x", "new"))
		if got, err := g.get(behind, "x", 100*time.Millisecond); err == nil && got != "new" {
			t.Errorf("under a lease of the last term it answers %q", got)
		}
		g.slow[behind].release()
	})
}

// A member that does not keep up delays writes once. It is waited for again when it has kept up for
// a while.
func TestSlowMemberDelaysWritesOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		slow := (leader + 1) % 3
		g.slow[slow].hold()
		timed := func() time.Duration {
			begun := time.Now()
			must(t, g.put(leader, "x", "new"))
			return time.Since(begun)
		}
		if first := timed(); first < 200*time.Millisecond || first > 1500*time.Millisecond {
			t.Errorf("the first write took %s: one lease at most, and it has to be waited for", first)
		}
		for range 50 {
			if next := timed(); next > 100*time.Millisecond {
				t.Fatalf("a later write took %s", next)
			}
			time.Sleep(50 * time.Millisecond)
		}
		g.slow[slow].release()
		time.Sleep(5 * time.Second)
		g.isolate(slow)
		if got, err := g.get(slow, "x", time.Second); err != nil || got != "new" {
			t.Errorf("it has caught up, and has no lease again: %q, %v", got, err)
		}
	})
}

// A member that is removed while it is cut off does not answer any more when the removal returns.
func TestRemovedMemberHasNoLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 4)
		gone := (leader + 1) % 4
		g.isolate(gone)
		must(t, g.members[leader].Remove(t.Context(), g.ids[gone], nil))
		if got, err := g.get(gone, "x", time.Second); err == nil {
			t.Errorf("after its removal it answers %q", got)
		}
	})
}

// A sealed member serves nobody, so nobody waits for it.
func TestSealedMemberIsNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		sealed := (leader + 1) % 3
		g.members[sealed].Seal()
		time.Sleep(200 * time.Millisecond)
		g.isolate(sealed)
		begun := time.Now()
		must(t, g.put(leader, "x", "new"))
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("a write took %s", took)
		}
	})
}

// A link that brings hardly anything through must not be loaded with ever more questions, or what
// waits on it outlasts its trouble.
func TestBadLinkIsNotFlooded(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 4)
		far := (leader + 1) % 4
		lossy := fakenet.Link{Delay: 50 * time.Millisecond, Loss: 0.33}
		g.network.Shape(host(leader), host(far), lossy)
		g.network.Shape(host(far), host(leader), lossy)
		for i := range 80 {
			must(t, g.put(leader, "x", fmt.Sprint(i)))
			time.Sleep(500 * time.Millisecond)
			if i%4 == 0 {
				go g.get(far, "x", time.Second)
			}
		}
		g.network.Heal()
		if got, err := g.get(far, "x", 5*time.Second); err != nil || got != "79" {
			t.Errorf("when the link was well again: %q, %v", got, err)
		}
	})
}

// A lease that was over when it came is none, and nobody is told that there is one: whoever waits
// for the leader's word would begin anew.
func TestLateLeaseIsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		if g.members[(leader+1)%3].AcceptLate() {
			t.Error("it says that a lease came, which was over")
		}
	})
}

// A member that is closed in order gives its lease back before it goes: writers don't wait for it.
func TestWhoLeavesInOrderHoldsNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		leaves := (leader + 1) % 3
		g.members[leaves].Close(t.Context())
		must(t, g.stores[leaves].Close())
		g.members[leaves] = nil
		begun := time.Now()
		must(t, g.put(leader, "x", "new"))
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("a write took %v after a member had left", took)
		}
	})
}
