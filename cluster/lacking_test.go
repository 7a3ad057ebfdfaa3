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
