package cluster_test

import (
	"testing"
	"time"
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
