package cluster_test

import (
	"fmt"
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
