package cluster_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/internal/heavy"
)

// Over long ways, reads on the members that are left are interrupted for less than one lease when
// the leader dies, also when members were started again before, so that connections which were kept
// for the next election have lost their other end.
func TestReadsGoOnWhileALeaderIsReplaced(t *testing.T) {
	heavy.Test(t)
	const lease = 1250 * time.Millisecond // half a second and five of the longest round trips
	regions := []int{0, 0, 1, 1, 2}
	trips := map[[2]int]time.Duration{{0, 1}: 80 * time.Millisecond, {0, 2}: 150 * time.Millisecond,
		{1, 2}: 150 * time.Millisecond}
	bubble(t, func(t *testing.T) {
		g := newGroup(t, len(regions))
		must(t, g.put(g.leader(), "x", "1"))
		for i := range regions {
			for j := range i {
				g.far(i, j, trips[[2]int{regions[j], regions[i]}]+time.Millisecond)
			}
		}
		time.Sleep(10 * time.Second) // leases and time-outs follow the ways
		for round := range 3 {
			dead := g.leader()
			gaps := g.gapsWithout(dead, 2*time.Second+time.Duration(round)*177*time.Millisecond)
			for i, gap := range gaps {
				if gap >= lease {
					t.Errorf("round %d, member %d led: no read at member %d for %s", round, dead, i, gap)
				}
			}
			g.open(dead)
			time.Sleep(8 * time.Second)
		}
	})
}

// Raft keeps connections for their next use. When their other end was started again since, a vote
// must not be lost with them; nor with those that are kept in reserve.
func TestVotesOutliveConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		asks, voter := (leader+1)%3, (leader+2)%3
		for range 3 {
			var votes sync.WaitGroup
			for range 5 {
				votes.Go(func() { _ = g.members[asks].AskVote(g.ids[voter]) }) // at once, so that each has a connection
			}
			votes.Wait()
			time.Sleep(3 * time.Second)
			g.stop(voter)
			g.open(voter)
			if err := g.members[asks].AskVote(g.ids[voter]); err != nil {
				t.Errorf("just after a start: %v", err)
			}
			time.Sleep(5 * time.Second)
		}
	})
}

// A slowStable takes its time for each number: a term, or the term of a vote.
type slowStable struct {
	raft.StableStore
	takes time.Duration
}

func (s slowStable) SetUint64(key []byte, value uint64) error {
	time.Sleep(s.takes) // fake time
	return s.StableStore.SetUint64(key, value)
}

// Storing a term takes a disk some time, in which two followers that miss their leader at once must
// not both stand: neither gets the other's vote, and the next try is a second away.
func TestOneStandsWhileItsTermIsStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3, func(c *cluster.Config) {
			c.WrapStable(func(inner raft.StableStore) raft.StableStore {
				return slowStable{inner,
					20 * time.Millisecond}
			})
		})
		for range 10 {
			term := g.members[leader].Raft().CurrentTerm()
			g.stop(leader)
			next := g.leader(leader)
			if now := g.members[next].Raft().CurrentTerm(); now != term+1 {
				t.Errorf("after term %d the next leader was found in term %d", term, now)
			}
			g.open(leader)
			time.Sleep(3 * time.Second)
			leader = next
		}
	})
}

// Nor when there are others enough to give each of them a vote: at a first start nobody is gone.
func TestOneStandsAtTheFirstStart(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T) {
			g := newGroup(t, 3)
			if term := g.members[g.leader()].Raft().CurrentTerm(); term != 2 { // the configuration is of term 1
				t.Errorf("the first leader was found in term %d", term)
			}
			for i, m := range g.members {
				if m.Raft().State() == raft.Candidate {
					t.Errorf("member %d stands against the leader", i)
				}
			}
		})
	}
}

// The word to a successor is repeated when its answer is lost. Whoever has won the election
// meanwhile leads on.
func TestLeaderIsNotToldToStand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		term := g.members[leader].Raft().CurrentTerm()
		must(t, g.members[(leader+1)%3].SayStand(g.ids[leader]))
		synctest.Wait() // it would have stood, and been elected, without any time passing
		if r := g.members[leader].Raft(); r.CurrentTerm() != term {
			t.Errorf("it led in term %d, now it is %d", term, r.CurrentTerm())
		}
	})
}

// A voter that has just started can't say that the leader is gone.
func TestNobodyIsMissedBeforeTheStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		starts := (leader + 1) % 3
		g.stop(starts)
		g.isolate(starts)
		g.open(starts)
		if missed := g.members[starts].Silent(); missed > 0 {
			t.Errorf("it started just now and missed its leader for %s", missed)
		}
	})
}

// A machine that hangs while the leader is dead is not waited for by the others.
func TestHangingVoterDelaysNoElection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 5)
		hangs := (leader + 1) % 5
		for i := range g.ids {
			g.network.Hold(host(hangs), host(i))
			g.network.Hold(host(i), host(hangs))
		}
		begun := time.Now()
		g.stop(leader)
		g.leader(leader)
		if took := time.Since(begun); took > 700*time.Millisecond {
			t.Errorf("it took %s to replace the leader", took)
		}
	})
}

// gapsWithout ends a member after some time under load, and returns the longest time without a read
// at each of the others.
func (g *group) gapsWithout(dead int, after time.Duration) map[int]time.Duration {
	end := time.Now().Add(after + 5*time.Second)
	var load sync.WaitGroup
	var mu sync.Mutex
	gaps := map[int]time.Duration{}
	for i := range g.members {
		if i == dead {
			continue
		}
		load.Go(func() {
			last, longest := time.Now(), time.Duration(0)
			for time.Now().Before(end) {
				_, err := g.get(i, "x", 10*time.Second)
				longest = max(longest, time.Since(last))
				if err == nil {
					last = time.Now()
				}
				time.Sleep(10 * time.Millisecond)
			}
			mu.Lock()
			gaps[i] = longest
			mu.Unlock()
		})
		load.Go(func() {
			for k := 0; time.Now().Before(end); k++ {
				_ = g.put(i, fmt.Sprintf("w%d", i), fmt.Sprint(k))
			}
		})
	}
	time.Sleep(after)
	g.stop(dead)
	load.Wait()
	return gaps
}
