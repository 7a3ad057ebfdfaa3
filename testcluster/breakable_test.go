package testcluster_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"keyquorum/testcluster"
)

// TestBreakableProcesses does to real processes what the tests of the bubble do, once each.
func TestBreakableProcesses(t *testing.T) {
	c := testcluster.Breakable(t, 3)
	wrote := func(i int, name string, want int) {
		t.Helper()
		if s := create(c, i, name); s != want {
			t.Fatalf("vault %s through node %d: %d, want %d", name, i, s, want)
		}
	}
	t.Run("isolate", func(t *testing.T) {
		leader := c.Leader()
		c.Isolate(leader)
		wrote((leader+1)%3, "majority", 200)
		wrote(leader, "minority", 503)
		c.Settled()
	})
	t.Run("pause", func(t *testing.T) {
		leader := c.Leader()
		c.Pause(leader)
		wrote((leader+1)%3, "while-paused", 200)
		c.Settled()
	})
	t.Run("slow", func(t *testing.T) {
		for i := range 3 {
			c.Slow(i, (i+1)%3, 20*time.Millisecond, 0)
		}
		begun := time.Now()
		wrote(c.Leader(), "slow", 200)
		if took := time.Since(begun); took < 40*time.Millisecond {
			t.Fatalf("a write over links of 20 ms each way took %v", took)
		}
		c.Settled()
	})
	t.Run("clock", func(t *testing.T) {
		c.SkewClock(1, time.Hour)
		wrote(1, "an-hour-ahead", 200)
		if log := string(c.UsageLog(1)); !strings.Contains(log,
			time.Now().Add(time.Hour).UTC().Format("2006-01-02T15")) {
			t.Fatal("the node's records don't show its skewed clock")
		}
		c.Heal()
	})
	t.Run("full disk at an election", func(t *testing.T) {
		leader := c.Leader()
		c.FillDisk((leader + 1) % 3)
		c.Kill(leader)
		ended(t, c, (leader+1)%3)
		c.Settled()
	})
	t.Run("failed sync", func(t *testing.T) {
		leader := c.Leader()
		c.FailSync(leader)
		wrote((leader+1)%3, "elsewhere", 200)
		ended(t, c, leader)
		c.Settled()
	})
	t.Run("power cut", func(t *testing.T) {
		for i := range 3 {
			wrote(i, "before-the-cut-"+string(rune('a'+i)), 200)
			c.PowerCut(rand.New(rand.NewPCG(1, uint64(i))), 0, 1, 2)
			c.Settled()
			wrote(i, "before-the-cut-"+string(rune('a'+i)), 409)
		}
	})
	t.Run("members", func(t *testing.T) {
		c.Witness(nil)
		wrote(0, "before-the-moves", 200)
		first := addresses(c, 0)
		for _, change := range []func(){
			func() { c.LoseDisk(1, true) }, func() { c.LoseDisk(2, false) }, func() { c.Move(0) }, c.MoveAll,
		} {
			change()
			must(t, c.Recover())
			c.Settled()
		}
		wrote(2, "before-the-moves", 409)
		for id := range addresses(c, 1) {
			if first[id] != "" {
				t.Errorf("%s of %v is a member after all that", id, first)
			}
		}
		for _, name := range []string{"replace", "move", "move-all"} {
			if tally := c.Ceremonies()[name]; tally.Done == 0 || tally.Done < tally.Begun {
				t.Errorf("%s was counted as %+v", name, tally)
			}
		}
	})
}

// ended waits for a node whose disk failed: it must end by itself, and say why in a sentence.
func ended(t *testing.T, c *testcluster.Cluster, i int) {
	t.Helper()
	code := c.ExitCode(i, 20*time.Second)
	out := string(c.Output(i))
	if code == 0 || !strings.Contains(out, "the node cannot go on") ||
		strings.Contains(out, "goroutine ") {
		t.Fatalf("exit code %d, and it says: %s", code, out[max(0, len(out)-2000):])
	}
}
