package cluster_test

import (
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/cluster/lease"
)

// hardOfHearing is a lease node that refuses what members ask of it as leader, while it is told to.
type hardOfHearing struct {
	lease.Steps
	deaf *atomic.Bool
}

func (h hardOfHearing) Hear(r lease.Reading, from string, c lease.CheckIn) bool {
	return !h.deaf.Load() && h.Steps.Hear(r, from, c)
}

// A member that hears of its leader, and is answered nothing, can't serve: whoever looks at its
// health must be told.
func TestOutOfTouch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		deaf := new(atomic.Bool)
		g, leader := settled(t, 3, func(c *cluster.Config) {
			c.Leases.Watch = func(n *lease.Node) lease.Steps { return hardOfHearing{n, deaf} }
		})
		a, b := (leader+1)%3, (leader+2)%3
		expect := func(when string, want bool, members ...int) {
			t.Helper()
			for _, i := range members {
				if got := g.members[i].OutOfTouch(); got != want {
					t.Errorf("%s: member %d, where %d leads: out of touch is %v", when, i, leader, got)
				}
			}
		}
		expect("all is well", false, leader, a, b)
		deaf.Store(true)
		time.Sleep(10 * time.Second)
		if g.members[a].Standing().Leader == "" {
			t.Fatal("it knows no leader, which says enough")
		}
		expect("the leader answers nobody", true, a, b)
		expect("the leader answers nobody", false, leader)
		deaf.Store(false)
		time.Sleep(time.Second)
		expect("the leader answers again", false, leader, a, b)

		g.stop(a)
		g.stop(b)
		time.Sleep(10 * time.Second)
		expect("one of three is left", true, leader)
	})
}
