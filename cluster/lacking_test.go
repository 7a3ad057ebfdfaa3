package cluster_test

import (
	"testing"
	"time"
)

// Who speaks with a member's key as a leader that lacks what is committed stops nobody once that
// member leads, though it leads in that very term, by the votes that were asked for in its name.
func TestLeaderThatHasTheEntryIsFollowedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		must(t, g.put(leader, "x", "1"))
		member := g.members[(leader+1)%3]
		applied := member.View().Index()
		member.NoteLack(g.ids[leader], member.Raft().CurrentTerm(), applied)
		if member.Unfit() == nil {
			t.Fatal("the test shows nothing: the member serves under a leader that lacks an entry")
		}
		time.Sleep(3 * time.Second) // heartbeats show nothing of a log
		must(t, g.put(leader, "x", "2"))
		time.Sleep(time.Second)
		if err := member.Unfit(); err != nil {
			t.Errorf("the leader went on behind entry %d, and still: %v", applied, err)
		}
		if got, err := g.get((leader+1)%3, "x", time.Second); got != "2" {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

// Nor does who spoke as a leader of a term that another leads, or comes to lead.
func TestTermIsItsLeadersAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		must(t, g.put(leader, "x", "1"))
		next, thief := (leader+1)%3, (leader+2)%3
		term := g.members[leader].Raft().CurrentTerm()
		for _, m := range g.members[:] {
			m.NoteLack(g.ids[thief], term, m.View().Index())
			if err := m.Unfit(); err != nil {
				t.Errorf("in the term of another leader: %v", err)
			}
			m.NoteLack(g.ids[thief], term+1, m.View().Index())
		}
		g.lead(next)
		if now := g.members[next].Raft().CurrentTerm(); now != term+1 {
			t.Fatalf("the test shows nothing: the next leader leads in term %d after %d", now, term)
		}
		must(t, g.put(next, "x", "2"))
		for i := range g.members {
			if got, err := g.get(i, "x", time.Second); got != "2" {
				t.Errorf("member %d reads %q, %v", i, got, err)
			}
		}
	})
}
