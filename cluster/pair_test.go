package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
)

// The two of a pair need each other, for a majority and for the word by which leases end; and who
// is marked as removed is heard no more. However leadership moves meanwhile, who stays goes on.

// transfer has member from hand the office over to member to.
func (g *group) transfer(from, to int) error {
	id := g.ids[to]
	return g.members[from].Raft().LeadershipTransferToServer(raft.ServerID(id),
		raft.ServerAddress(id)).Error()
}

// goesOn fails the test where member i, all that is left of a pair, does not write.
func (g *group) goesOn(i int, when string) {
	g.t.Helper()
	if err := g.put(i, "after", when); err != nil {
		r := g.members[i].Raft()
		g.t.Fatalf("%s the one that is left can't write: %v; it is %s in term %d, and has %d entries, of which %d are applied",
			when, err, r.State(), r.CurrentTerm(), r.LastIndex(), g.members[i].View().Index())
	}
}

// Who is to be removed is made the leader while its removal waits for its lease to end.
func TestRemovalFromAPairWhileLeadershipMoves(t *testing.T) {
	for range 2 {
		bubble(t, func(t *testing.T) {
			g := newGroup(t, 2)
			g.lead(0)
			time.Sleep(2 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			removed := make(chan error, 1)
			go func() { removed <- g.members[0].Remove(ctx, g.ids[1], nil) }()
			time.Sleep(100 * time.Millisecond) // it waits for the lease of member 1
			must(t, g.transfer(0, 1))
			stop := g.load(1, 2)
			time.Sleep(50 * time.Millisecond)
			stop()
			must(t, <-removed)
			g.goesOn(0, "after the removal")
		})
	}
}

// Between the mark of a removal and the removal itself the one that stays begins another term: what
// the marked one promised older leaders it can't say any more.
func TestRemovalFromAPairInAnotherTerm(t *testing.T) {
	for name, disturb := range map[string]func(g *group){
		"undisturbed": func(*group) {},
		"the marked one was away": func(g *group) {
			g.stop(1)
			time.Sleep(3 * time.Second)
			g.open(1)
		},
		"the other started anew, from a snapshot that holds the mark": func(g *group) {
			g.stop(0)
			g.open(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := newGroup(t, 2, func(c *cluster.Config) {
					c.Compact = cluster.Compact{Weight: 1,
						Entries: 1}
				})
				g.lead(0)
				must(t, g.put(0, "x", "1"))
				time.Sleep(2 * time.Second)
				g.mark(0, g.ids[1])
				disturb(g)
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
				defer cancel()
				must(t, g.members[0].Remove(ctx, g.ids[1], nil))
				g.goesOn(0, "after the removal")
				g.stop(0)
				g.open(0)
				g.goesOn(0, "after a restart")
			})
		})
	}
}

// The mark is in both logs and the leader, which is to stay, starts anew: the marked one is
// elected, and commits its own mark. It has the longer log from then on.
func TestMarkedOneOfAPairIsElected(t *testing.T) {
	for range 3 {
		bubble(t, func(t *testing.T) {
			g := newGroup(t, 2)
			g.lead(0)
			time.Sleep(2 * time.Second)
			last := g.members[1].Raft().LastIndex()
			g.network.Hold(host(1), host(0))
			marked := make(chan error, 1)
			go func() { marked <- g.tryMark(0, g.ids[1]) }()
			for g.members[1].Raft().LastIndex() == last {
				time.Sleep(time.Millisecond)
			}
			g.network.Hold(host(0), host(1))
			g.stop(0)
			<-marked // nobody knows
			g.network.Heal()
			g.open(0)
			for elected := time.Now(); !g.members[1].Removed(); time.Sleep(5 * time.Millisecond) {
				g.members[1].Stand()
				if time.Since(elected) > 5*time.Second {
					t.Fatal("the marked one was not elected: the test shows nothing")
				}
			}
			g.goesOn(0, "after the marked one was elected")
			if !g.members[1].Removed() || len(g.members[0].View().Members()) != 1 {
				t.Error("the marked one was not removed")
			}
		})
	}
}

// A leader does not put the mark of its own removal into the log: the other would hear it no more,
// and its log, which is longer, would keep the other from being elected for ever.
func TestLeaderDoesNotMarkItself(t *testing.T) {
	for range 2 {
		bubble(t, func(t *testing.T) {
			g := newGroup(t, 2)
			g.lead(1)
			stop := g.load(1, 2)
			marked := make(chan error, 1)
			go func() { marked <- g.tryMark(0, g.ids[1]) }()
			time.Sleep(50 * time.Millisecond)
			stop()
			err := <-marked
			if !errors.Is(err, cluster.ErrUnavailable) {
				t.Errorf("a leader was marked as removed: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			must(t, g.members[0].Remove(ctx, g.ids[1], nil))
			g.goesOn(0, "after the removal")
		})
	}
}
