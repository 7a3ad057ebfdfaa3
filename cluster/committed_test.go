package cluster_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
)

// accuses says whether member i has caught another at a deed.
func (g *group) accuses(i, whom int, deed string) bool {
	return slices.ContainsFunc(g.members[i].Accusations(), func(a cluster.Accusation) bool {
		return a.Node == g.ids[whom] && a.Deed == deed
	})
}

// replaces has a thief with the key of a node replace the last entry of member i, in the next term.
func (g *group) replaces(thief, i int, last raft.Log) {
	term := g.members[i].Raft().CurrentTerm() + 1
	entry := &raft.Log{Index: last.Index, Term: term, Type: raft.LogNoop}
	g.members[thief].SendEntries(g.ids[i], term, last.Index-1, g.entry(i, last.Index-1).Term, entry)
}

func (g *group) entry(i int, index uint64) (l raft.Log) {
	g.t.Helper()
	must(g.t, g.stores[i].Logs().GetLog(index, &l))
	return l
}

// While a request of a thief waits for Raft's main loop, the entry that it replaces is committed:
// by the leader's request, which is being stored.
func TestEntryCommittedMeanwhileStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		victim, thief := (leader+1)%3, (leader+2)%3
		must(t, g.put(leader, "x", "before"))
		time.Sleep(time.Second)
		g.network.Hold(host(leader), host(victim))
		must(t, g.put(leader, "x", "acknowledged"))
		last := g.members[leader].Raft().LastIndex()
		entered := g.stalls[victim].close()
		g.network.Reset(host(leader), host(victim)) // what is sent again says that it is committed
		g.network.Release(host(leader), host(victim))
		<-entered
		if g.members[victim].Raft().CommitIndex() >= last {
			t.Fatal("it is committed already: the schedule tests nothing")
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			g.replaces(thief, victim, g.entry(leader, last))
		}()
		synctest.Wait() // it is vetted, and waits
		g.stalls[victim].release()
		<-sent
		if was, is := g.entry(leader, last).Term, g.entry(victim, last).Term; was != is {
			t.Errorf("entry %d of term %d is committed, and one of term %d in its place", last, was, is)
		}
		if !g.accuses(victim, thief, "rewrite") {
			t.Errorf("the thief is not named: %+v", g.members[victim].Accusations())
		}
	})
}
