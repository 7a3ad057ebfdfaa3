package cluster_test

import (
	"context"
	"testing"
	"time"

	"keyquorum/cluster"
)

// The two of a pair need each other, for a majority and for the word by which leases end; and who
// is marked as removed is heard no more. However leadership moves meanwhile, who stays goes on.

// goesOn fails the test where member i, all that is left of a pair, does not write.
func (g *group) goesOn(i int, when string) {
	g.t.Helper()
	if err := g.put(i, "after", when); err != nil {
		r := g.members[i].Raft()
		g.t.Fatalf("%s the one that is left can't write: %v; it is %s in term %d, and has %d entries, of which %d are applied",
			when, err, r.State(), r.CurrentTerm(), r.LastIndex(), g.members[i].View().Index())
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
				g := newGroup(t, 2, func(c *cluster.Config) { c.Compact = cluster.Compact{Weight: 1, Entries: 1} })
				g.lead(0)
				must(t, g.put(0, "x", "1"))
				time.Sleep(2 * time.Second)
				g.mark(0, g.ids[1])
				disturb(g)
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
				defer cancel()
				must(t, g.members[0].Remove(ctx, g.ids[1]))
				g.goesOn(0, "after the removal")
				g.stop(0)
				g.open(0)
				g.goesOn(0, "after a restart")
			})
		})
	}
}
