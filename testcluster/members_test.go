package testcluster_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/prove"
	"keyquorum/testcluster"
)

// TestMembersChangeUnderLoad adds and removes voters and non-voters while clients work and leaders
// fall, with a log that is cut all the time: each new node is sent a state first.
func TestMembersChangeUnderLoad(t *testing.T) {
	heavy.Test(t)
	var l lived
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3, ways(0))
		l.during(t, c, prove.Options{Operations: 3000, Think: 100 * time.Millisecond}, func() {
			time.Sleep(3 * time.Second)
			fourth := c.AddVoter()
			c.Kill(c.Leader())
			fifth := c.AddNonvoter()
			c.Whole()
			c.Isolate(fifth)
			c.Remove(fourth)
			c.StepDown()
			c.Heal()
			sixth := c.AddVoter()
			if !strings.Contains(string(c.Output(sixth)), "Installed remote snapshot") {
				t.Error("the new node was not sent a state")
			}
			c.Pause(sixth)
			time.Sleep(2 * time.Second)
			c.Resume(sixth)
			c.Remove(fifth)
			c.AddVoter()
			c.Kill(c.Leader())
			time.Sleep(2 * time.Second)
			c.Whole()
		})
	})
	l.judge(t, "", "^TestMembersChangeUnderLoad$", testcluster.Schedule{})
}

// A node that has joined counts as soon as it has caught up, and leases of the last change are
// over.
func TestJoinedNodeCountsSoon(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		for range 2 {
			begun := time.Now()
			i := c.AddVoter()
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("node %d was a voter %v after it had been started", i, took)
			}
		}
	})
}
