package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/internal/heavy"
)

// The log since the last snapshot is bounded by bytes, and what lies before it goes: a member that
// was away gets the snapshot.
func TestSnapshotByWeight(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		away := (leader + 1) % 3
		g.stop(away)
		value := string(make([]byte, 56<<10))
		for i := range 380 {
			must(t, g.put(leader, fmt.Sprint("a/", i%8), value))
		}
		time.Sleep(5 * time.Second)
		snapshots, err := g.stores[leader].Snapshots().List()
		must(t, err)
		first, err := g.stores[leader].Logs().FirstIndex()
		must(t, err)
		last, err := g.stores[leader].Logs().LastIndex()
		must(t, err)
		if len(snapshots) == 0 || first < 30 {
			t.Fatalf("%d snapshots, the log begins at %d of %d", len(snapshots), first, last)
		}
		if weight := g.stores[leader].Stats().LogBytesSinceSnapshot; weight > 17<<20 {
			t.Fatalf("%d bytes of log since the snapshot", weight)
		}
		g.stop(leader)
		g.open(leader) // from the snapshot
		g.open(away)
		for _, i := range []int{leader, away} {
			got, err := g.get(i, "a/7", 20*time.Second)
			if err != nil || got != value {
				t.Fatalf("member %d after the snapshot: %d bytes, %v", i, len(got), err)
			}
		}
	})
}

// A follower is sent a snapshot, stores the entries that follow it, and ends before it could say
// so. Back again it has the snapshot and what follows, but no longer the snapshot's own last entry,
// which the leader asks it to compare. The library refuses then, and the leader sends the snapshot
// again, for ever.
func TestFollowerThatEndedRightAfterASnapshotComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		for i := range 3 {
			g.stop(i)
			g.configs[i].Compact = cluster.Compact{Weight: 1, Entries: 1}
			g.open(i)
		}
		leader := g.leader()
		away := (leader + 1) % 3
		must(t, g.put(away, "x", "before"))
		g.stop(away)
		for i := range 100 {
			must(t, g.put(leader, "x", fmt.Sprint(i, string(make([]byte, 4<<10)))))
		}
		time.Sleep(3 * time.Second) // snapshots are looked at once a second
		for i := range 5 {
			must(t, g.put(leader, "y", fmt.Sprint(i))) // follow the snapshot
		}
		stored := g.stalls[away].loseAnswer()
		g.open(away)
		<-stored
		g.isolate(away)
		g.stalls[away].release()
		g.stop(away)
		if index, _ := g.stores[away].NewestSnapshot(); index == 0 {
			t.Fatal("the member was sent no snapshot: the schedule tests nothing")
		}
		g.network.Heal()
		g.open(away)
		if got, err := g.get(away, "y", 5*time.Second); err != nil || got != "4" {
			t.Fatalf("the member that came back reads %q, %v", got, err)
		}
	})
}

// A leader that never hears what a follower stored goes on from an entry that the follower has cut
// from its log since, with a snapshot of its own in the place. The library's follower refuses the
// entry, and has the leader's snapshot already: they would ask and refuse without a pause, for ever.
func TestFollowerIsPastWhatTheLeaderKnowsOfIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		for i := range 3 {
			g.stop(i)
			g.configs[i].Compact = cluster.Compact{Weight: 1, Entries: 1}
			g.open(i)
		}
		leader := g.leader()
		away := (leader + 1) % 3
		slow := newSlowSnapshot()
		g.stores[leader].Gate(slow.gate)
		defer close(slow.release)
		must(t, g.put(away, "x", "before"))
		g.stop(away)
		g.fill(40)
		time.Sleep(3 * time.Second) // snapshots are looked at once a second
		g.open(away)
		_, err := g.get(away, "k/a", 20*time.Second)
		must(t, err)
		g.stop(away)
		slow.armed.Store(true)
		g.fill(80)
		<-slow.entered
		time.Sleep(time.Minute) // what the leader tries by now has all entries
		storing := g.stalls[away].close()
		g.open(away)
		<-storing
		sent, _ := g.stores[away].NewestSnapshot()
		g.isolate(away) // nobody hears that it stores what follows the snapshot
		g.stalls[away].release()
		time.Sleep(5 * time.Second)
		newest, _ := g.stores[away].NewestSnapshot()
		theirs, _ := g.stores[leader].NewestSnapshot()
		first, err := g.stores[away].Logs().FirstIndex()
		must(t, err)
		if sent == 0 || newest <= sent || theirs >= newest || first <= sent+1 {
			t.Fatalf("the member was sent snapshot %d, its own is %d, the leader's %d, its log begins "+
				"at %d: the schedule tests nothing", sent, newest, theirs, first)
		}
		g.network.Heal()
		time.Sleep(15 * time.Second) // the leader pauses between attempts for ten at most
		must(t, g.put(leader, "y", "last"))
		if got, err := g.get(away, "y", 5*time.Second); err != nil || got != "last" {
			t.Fatalf("the member reads %q, %v", got, err)
		}
	})
}

// What a snapshot has taken the place of can't be compared any more. But terms never fall along a
// log: a leader that has an entry of a later term there has forgotten what is committed.
func TestForgottenEntriesBehindASnapshotAreFoundOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		for i := range 3 {
			g.stop(i)
			g.configs[i].Compact = cluster.Compact{Weight: 1, Entries: 1}
			g.open(i)
		}
		leader := g.leader()
		member := (leader + 1) % 3
		g.fill(40)
		time.Sleep(3 * time.Second) // snapshots are looked at once a second
		first, err := g.stores[member].Logs().FirstIndex()
		must(t, err)
		if first < 3 {
			t.Fatalf("the log begins at %d: nothing of it is gone", first)
		}
		err = g.members[leader].AppendAnother(g.ids[member], first-2)
		if err == nil || !strings.Contains(err.Error(), "committed, and another one") {
			t.Errorf("another entry before the log's beginning is answered with %v", err)
		}
		body := strings.NewReader("state")
		err = g.members[leader].SendSnapshotOf(g.ids[member], first-2, body.Size(), body)
		if err == nil || !strings.Contains(err.Error(), "no snapshot that anybody takes") {
			t.Errorf("a snapshot that ends with another entry there is answered with %v", err)
		}
	})
}
