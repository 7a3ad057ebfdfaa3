package cluster_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/cluster/lease"
	"keyquorum/fsm"
)

// configurationLog is a log that takes its time over configurations, and knows when they came and
// when they were in it.
type configurationLog struct {
	raft.LogStore
	takes       atomic.Int64 // nanoseconds, of the next one
	came, there chan time.Time
}

func (s *configurationLog) wrap(inner raft.LogStore) raft.LogStore {
	s.LogStore, s.came, s.there = inner, make(chan time.Time, 10), make(chan time.Time, 10)
	return s
}

func (s *configurationLog) StoreLogs(l []*raft.Log) error {
	configures := slices.ContainsFunc(l,
		func(e *raft.Log) bool { return e.Type == raft.LogConfiguration })
	if !configures {
		return s.LogStore.StoreLogs(l)
	}
	s.came <- time.Now()
	time.Sleep(time.Duration(s.takes.Swap(0)))
	defer func() { s.there <- time.Now() }()
	return s.LogStore.StoreLogs(l)
}

func (s *configurationLog) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// giveVote signs that a member has a vote, at member i, when its state takes that.
func (g *group) giveVote(i int, nodeID string) {
	g.t.Helper()
	for {
		view := g.members[i].View()
		m, ok := view.Members().Find(nodeID)
		if !ok {
			g.t.Fatalf("%s is no member", nodeID)
		}
		m.Voter = true
		txn := view.Begin(fsm.Change)
		value, err := view.Members().With(m).Encode()
		must(g.t, err)
		cluster.Put(&txn, view, fsm.PathMembers, value)
		outcome, err := g.members[i].Commit(g.t.Context(), txn)
		must(g.t, err)
		if outcome.Kind == fsm.Applied {
			return
		}
		time.Sleep(time.Millisecond) // the configuration has yet to follow the change before
	}
}

// Voters are changed no sooner than a lease after the last change (L8), and that was made when it
// was in the leader's log, however long the leader's disk took and whoever has ceased to wait.
func TestDistanceOfChangesOverASlowDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const leader, took = 0, 5300 * time.Millisecond // more than anybody waits for an answer of Raft's
		logs := &configurationLog{}
		g := newGroup(t, 3)
		g.stop(leader)
		g.configs[leader].WrapLogs(logs.wrap)
		g.open(leader)
		g.lead(leader)
		joiners := []string{fmt.Sprintf("%032x", 10), fmt.Sprintf("%032x", 11)}
		for i, id := range joiners {
			g.silentHost(10 + i)
			must(t, g.members[leader].Add(t.Context(), id, address(10+i), g.authority.Certificate))
			<-logs.came
			<-logs.there
		}
		time.Sleep(2 * time.Second)
		logs.takes.Store(int64(took))
		for _, id := range joiners {
			g.giveVote(leader, id)
		}
		<-logs.came
		first, second := <-logs.there, <-logs.came
		const lease = 500 * time.Millisecond
		if between := second.Sub(first); between < lease+lease/10 {
			t.Errorf("voters were changed %v after they had been", between)
		}
		must(t, g.put(1, "x", "1"))
	})
}

// A member that is to vote and is not there yet is one more voter: it keeps its distance from
// others.
func TestWhatIsNextToChange(t *testing.T) {
	voter := fsm.Member{ID: "a", Address: "host:1", Voter: true}
	other := fsm.Member{ID: "b", Address: "host:2"}
	at := func(m fsm.Member) raft.Server {
		s := raft.Server{ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.Address),
			Suffrage: raft.Nonvoter}
		if m.Voter {
			s.Suffrage = raft.Voter
		}
		return s
	}
	moved, silent, votes := voter, voter, other
	moved.Address, silent.Voter, votes.Voter = "host:3", false, true
	for name, c := range map[string]struct {
		servers []raft.Server
		want    lease.Change
	}{
		"a voter is missing":      {[]raft.Server{at(other)}, lease.Promote},
		"a member is missing":     {[]raft.Server{at(voter)}, lease.Arrive},
		"a voter has moved":       {[]raft.Server{at(moved), at(other)}, lease.Arrive},
		"a member is to vote":     {[]raft.Server{at(silent), at(other)}, lease.Promote},
		"a vote is taken away":    {[]raft.Server{at(voter), at(votes)}, lease.Demote},
		"somebody is one no more": {[]raft.Server{at(voter), at(other), {ID: "c"}}, lease.Depart},
	} {
		if kind, _ := cluster.NextStep(fsm.Members{voter, other}, c.servers); kind != c.want {
			t.Errorf("%s: %d, want %d", name, kind, c.want)
		}
	}
}
