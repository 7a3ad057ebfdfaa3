package rolling_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"keyquorum/testcluster"
)

// A plan says how heavy the load of a roll is.
type plan struct {
	rate   int // requests a second
	writes int // that are acknowledged before the roll, between two nodes, and after it
}

// planned is a short one, unless KEYQUORUM_ROLL has a rate: make upgrade sets 200.
func planned(t *testing.T) plan {
	s := os.Getenv("KEYQUORUM_ROLL")
	if s == "" {
		return plan{rate: 40, writes: 10}
	}
	rate, err := strconv.Atoi(s)
	must(t, err)
	return plan{rate, rate} // a fourth of the requests are writes
}

// A rolling restart takes nothing from applications: no request fails through the SDK's own retries,
// and no acknowledged write is lost.
func TestRollingRestart(t *testing.T) {
	program, err := testcluster.Binary()
	must(t, err)
	c := testcluster.ProcessesOf(t, 3, program)
	roll(t, c, planned(t), program, func() {})
	c.Settled()
}

// roll has all nodes run a program, one after the other, under load. between is done after each but
// the last.
func roll(t *testing.T, c *testcluster.Cluster, p plan, program string, between func()) {
	t.Helper()
	b := newBalancer(t, c)
	l := startLoad(t, c, b, p.rate)
	l.flow(p.writes)
	begun := time.Now()
	var away, gap time.Duration
	for i := range c.Size() {
		led := c.Leader() == i
		l.longestGap()
		stopped := time.Now()
		c.Replace(i, program)
		c.Stop(i)
		c.Start(i)
		c.Unseal(i)
		await(t, "the node is well", func() bool { return b.well[i].Load() })
		gone := time.Since(stopped)
		away = max(away, gone)
		l.flow(p.writes)
		without := l.longestGap()
		gap = max(gap, without)
		t.Logf("node %d, which led: %v, was away for %v; longest time without an acknowledged write %v",
			i, led, gone.Round(time.Millisecond), without.Round(time.Millisecond))
		if i < c.Size()-1 {
			between()
		}
	}
	took := time.Since(begun)
	sent, asked := l.sent.Load(), l.requests.Load()
	l.stop()
	t.Logf("a roll of %d nodes took %v, each node away for %v at most; %d requests, of which the SDK "+
		"sent %d again; longest time without an acknowledged write %v, longest request %v",
		c.Size(), took.Round(time.Millisecond), away.Round(time.Millisecond), asked, sent-asked,
		gap.Round(time.Millisecond), l.longest.Round(time.Millisecond))
}
