package cluster_test

import (
	"fmt"
	"testing"
	"time"
)

// The log since the last snapshot is bounded by bytes, and what lies before it goes: a member that was away gets the
// snapshot.
func TestSnapshotByWeight(t *testing.T) {
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
