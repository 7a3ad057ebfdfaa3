package cluster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"keyquorum/cluster"
)

// A leader that is cut off has entries under way that nobody takes, and others are committed in
// their places. When its messages arrive at last, nothing is wrong with it, and nobody names it.
func TestDeposedLeaderIsNotAccused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, old := settled(t, 3)
		others := []int{(old + 1) % 3, (old + 2) % 3}
		for _, i := range others {
			g.network.Hold(host(old), host(i))
		}
		unheard := make(chan error, 1)
		go func() { unheard <- g.put(old, "y", "never") }()
		time.Sleep(10 * time.Millisecond) // its entry is on the way, in the term that ends now
		next := g.leader(old)
		for range 3 {
			must(t, g.put(next, "x", "new"))
		}
		g.network.Heal()
		must(t, <-unheard) // in the end it writes as anybody does
		time.Sleep(5 * time.Second)
		for i, m := range g.members {
			if named := m.Accusations(); len(named) > 0 {
				t.Errorf("member %d accuses %+v", i, named)
			}
		}
	})
}

// However many names a thief has, the log has a line a minute of those beyond the list.
func TestAccusationsBeyondTheListAreToldOnceAMinute(t *testing.T) {
	c := new(cluster.Cluster)
	now := time.Unix(1000, 0)
	told := 0
	for i := range 1000 {
		if c.Accuse(fmt.Sprint(i), "name", now) {
			told++
		}
	}
	if told < 256 || told > 257 {
		t.Errorf("of 1000 accusations %d were told", told)
	}
	if !c.Accuse("another", "name", now.Add(2*time.Minute)) {
		t.Error("two minutes later none is told")
	}
}

// Who sends what a leader of an old term would send has not led: when it tells somebody to stand,
// it is named.
func TestWhoOnlySpokeOfOldTermsHasNotLed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.lead(0)
		must(t, g.put(1, "a", "1"))
		_ = g.members[2].AppendOld(g.ids[1], g.members[0].Raft().CurrentTerm()-1)
		_ = g.members[2].SayStand(g.ids[1])
		if deeds := g.accused(1, 2); !slices.Contains(deeds, "stand") {
			t.Errorf("it is accused of %v", deeds)
		}
	})
}
