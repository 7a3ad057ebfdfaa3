package cluster_test

import (
	"sync"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/internal/heavy"
)

// A rateClock is a lease clock whose rate can be changed.
type rateClock struct {
	mu         sync.Mutex
	rate       float64
	base, real time.Duration
	born       time.Time
}

func newRateClock() *rateClock { return &rateClock{rate: 1, base: time.Hour, born: time.Now()} }

func (c *rateClock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base + time.Duration(float64(time.Since(c.born)-c.real)*c.rate)
}

func (c *rateClock) setRate(rate float64) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.real, c.rate = now, time.Since(c.born), rate
}

// Clocks may differ in rate within the margin, and leases hold. One that is further off is found
// out by its own node, or, where it is the leader's, by all others: there are no leases then, and
// reads are right all the same.
func TestClocksOfDifferentRates(t *testing.T) {
	heavy.Test(t)
	for _, row := range []struct {
		name    string
		rates   [3]float64 // of the leader and the others
		local   [3]bool    // who answers while it is cut off
		roundTo time.Duration
	}{
		{"within the margin", [3]float64{1.03, 0.995, 1}, [3]bool{true, true, true}, 0},
		{"within the margin, far away", [3]float64{1, 0.97, 1.03}, [3]bool{true, true, true},
			150 * time.Millisecond},
		{"a follower's is slow", [3]float64{1, 0.5, 1}, [3]bool{true, false, true}, 0},
		{"a follower's is fast", [3]float64{1, 1, 2}, [3]bool{true, true, false}, 0},
		{"a follower's is a little slow, and it is far away", [3]float64{1, 0.93, 1},
			[3]bool{true, false, true}, 100 * time.Millisecond},
		{"the leader's is slow", [3]float64{0.5, 1, 1}, [3]bool{false, false, false}, 0},
		{"the leader's is fast", [3]float64{1.5, 1, 1}, [3]bool{false, false, false}, 0},
	} {
		for who := range 3 {
			t.Run(row.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					clocks := map[string]*rateClock{}
					g, leader := settled(t, 3, func(c *cluster.Config) {
						clocks[c.Address] = newRateClock()
						c.Leases.Clock = clocks[c.Address].now
					})
					for k := range 3 {
						clocks[address((leader+k)%3)].setRate(row.rates[k])
						g.far(k, (k+1)%3, row.roundTo)
					}
					time.Sleep(20 * time.Second)
					cut := (leader + who) % 3
					g.isolate(cut)
					_, err := g.get(cut, "x", 50*time.Millisecond)
					if local := err == nil; local != row.local[who] {
						t.Errorf("member %d after the leader: it answers without a message: %v (%v)", who, local, err)
					}
					w := g.readers("x", "old", cut)
					other := (cut + 1) % 3
					must(t, g.put(other, "x", "new"))
					acknowledged := time.Now()
					time.Sleep(3 * time.Second)
					if last := w.end()[cut]; last.After(acknowledged) {
						t.Errorf("member %d after the leader answered the old value %s after the new one was acknowledged",
							who, last.Sub(acknowledged))
					}
				})
			})
		}
	}
}

// When a clock is mended, leases come back.
func TestClockThatIsRightAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		clocks := map[string]*rateClock{}
		g, leader := settled(t, 3, func(c *cluster.Config) {
			clocks[c.Address] = newRateClock()
			c.Leases.Clock = clocks[c.Address].now
		})
		slow := (leader + 1) % 3
		clocks[address(slow)].setRate(0.8)
		time.Sleep(5 * time.Second)
		m := g.surveyed(g.members[slow].Survey(t.Context()), slow)
		if !m.Status.ClockAstray || m.Account.Lease {
			t.Errorf("a slow clock: %+v", m)
		}
		clocks[address(slow)].setRate(1)
		time.Sleep(20 * time.Second)
		m = g.surveyed(g.members[slow].Survey(t.Context()), slow)
		if m.Status.ClockAstray || !m.Account.Lease {
			t.Errorf("a clock that is right again: %+v", m)
		}
	})
}
