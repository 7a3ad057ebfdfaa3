package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// next is the term after that of member i.
func (g *group) next(i int) uint64 { return g.members[i].Raft().CurrentTerm() + 1 }

// A thief leads at one member in a term before it has a leader. Who is elected in that term is not
// named for coming second, and is followed, for it has the votes.
func TestElectedLeaderIsFollowedAfterAThief(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 5)
		old := g.leader()
		must(t, g.put(old, "x", "1"))
		time.Sleep(2 * time.Second)
		victim, thief, elected := (old+1)%5, (old+2)%5, (old+3)%5
		term := g.next(victim)
		must(t, g.members[thief].Heartbeat(g.ids[victim], term))
		g.members[elected].Stand()
		time.Sleep(5 * time.Second)
		if next := g.leader(); next != elected || g.members[next].Raft().CurrentTerm() != term {
			t.Fatalf("member %d leads in term %d: the schedule tests nothing",
				next, g.members[next].Raft().CurrentTerm())
		}
		if _, leader := g.members[victim].Raft().LeaderWithID(); string(leader) != g.ids[elected] {
			t.Errorf("after five seconds the member follows %q, not who was elected", leader)
		}
		for i := range g.members {
			if g.accuses(i, elected, "second-leader") {
				t.Errorf("member %d names who was elected", i)
			}
		}
		if !g.accuses(victim, thief, "second-leader") {
			t.Errorf("the thief is not named: %+v", g.members[victim].Accusations())
		}
		must(t, g.put(victim, "x", "2"))
	})
}

// A thief leads at one member in a term, and has it take entries; then others elect somebody in
// that term, of whom this member hears only when it stands for election itself, in vain. It leaves
// the term, in which there is nobody whom it may follow; also if the thief says that he did not vote,
// and his vote was needed.
func TestTakenEntriesLockNobodyOut(t *testing.T) {
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint(size, " members"), func(t *testing.T) {
			bubble(t, func(t *testing.T) { takenEntriesLockNobodyOut(t, newGroup(t, size)) })
		})
	}
}

func takenEntriesLockNobodyOut(t *testing.T, g *group) {
	size := len(g.members)
	old := g.leader()
	must(t, g.put(old, "x", "1"))
	time.Sleep(2 * time.Second)
	victim, thief, elected := (old+1)%size, (old+2)%size, (old+3)%size
	term, last := g.next(victim), g.members[victim].Raft().LastIndex()
	before := g.entry(victim, last)
	g.network.Isolate(host(victim), host(elected))
	must(t, g.members[thief].SendEntries(g.ids[victim], term, last, before.Term,
		&raft.Log{Index: last + 1, Term: term, Type: raft.LogNoop}))
	g.members[elected].Stand()
	time.Sleep(5 * time.Second)
	g.members[thief].HideVote()
	if next := g.leader(); next != elected || g.members[next].Raft().CurrentTerm() != term {
		t.Fatalf("member %d leads in term %d: the schedule tests nothing",
			next, g.members[next].Raft().CurrentTerm())
	}
	if state := g.members[victim].Raft().State(); state != raft.Candidate {
		t.Fatalf("the member is a %s: the schedule tests nothing", state)
	}
	g.network.Heal()
	time.Sleep(5 * time.Second)
	if _, leader := g.members[victim].Raft().LeaderWithID(); leader == "" {
		t.Error("after five seconds the member follows nobody")
	}
	must(t, g.put(victim, "x", "2"))
}

// Of two that begin to lead in a term at once, one is followed.
func TestOfTwoFirstMessagesOnePasses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		must(t, g.put(leader, "x", "1"))
		time.Sleep(2 * time.Second)
		victim := (leader + 1) % 3
		first, second := leader, (leader+2)%3
		last := g.members[victim].Raft().LastIndex()
		before, term := g.entry(victim, last), g.next(victim)
		entered := g.stalls[victim].close()
		written := make(chan error, 1)
		go func() { written <- g.put(leader, "x", "2") }() // it occupies Raft's main loop
		<-entered
		sent := make(chan error, 2)
		for _, i := range []int{first, second} {
			go func() {
				entry := &raft.Log{Index: last + 1, Term: term, Type: raft.LogNoop}
				sent <- g.members[i].SendEntries(g.ids[victim], term, last, before.Term, entry)
			}()
			synctest.Wait()
		}
		g.stalls[victim].release()
		refused := 0
		for range 2 {
			if <-sent != nil {
				refused++
			}
		}
		if refused == 0 {
			t.Error("a member has taken entries of one term from two leaders")
		}
		<-written
	})
}
