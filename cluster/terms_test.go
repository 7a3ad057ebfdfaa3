package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// A candidate that hears a heartbeat of the next term's leader follows it. A vote for the old term
// that comes in after that does not make it the leader of a term that has one.
func TestLateVoteElectsNobodyInTheNextTerm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		stands, votes := (leader+1)%3, (leader+2)%3
		g.far(stands, votes, 400*time.Millisecond)
		must(t, g.members[leader].Raft().Shutdown().Error())
		r := g.members[stands].Raft()
		term := r.CurrentTerm() + 1
		g.members[stands].Stand()
		synctest.Wait() // the vote is on its way
		if r.State() != raft.Candidate || r.CurrentTerm() != term {
			t.Fatalf("it does not stand in term %d but is a %s in term %d", term, r.State(), r.CurrentTerm())
		}
		must(t, g.members[leader].Heartbeat(g.ids[stands], term+1))
		for range 500 { // the vote comes in
			if r.State() == raft.Leader && r.CurrentTerm() == term+1 {
				t.Fatal("it leads in the term of which it heard from another leader")
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// A heartbeat is answered while Raft's main loop waits for the disk: else a slow disk would look
// like a dead leader.
func TestHeartbeatsDoNotWaitForTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		slow := (leader + 1) % 3
		entered := g.stalls[slow].close()
		must(t, g.put(leader, "x", "1"))
		<-entered
		heard := make(chan error, 1)
		go func() {
			heard <- g.members[leader].Heartbeat(g.ids[slow],
				g.members[leader].Raft().CurrentTerm())
		}()
		select {
		case err := <-heard:
			must(t, err)
		case <-time.After(time.Second):
			t.Error("no answer while a disk writes")
		}
		g.stalls[slow].release()
	})
}
