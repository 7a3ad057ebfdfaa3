package testcluster_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"keyquorum/prove"
	"keyquorum/testcluster"
)

// TestNamespaces does to the unmodified program, on a network of the kernel's, what partitions and
// bad links do.
func TestNamespaces(t *testing.T) {
	c := testcluster.Namespaces(t, 3)
	t.Run("isolated leader", func(t *testing.T) { isolatedLeader(t, c) })
	t.Run("deaf leader", func(t *testing.T) { deafLeader(t, c) })
	t.Run("bad links", func(t *testing.T) { badLinks(t, c) })
	t.Run("schedule", func(t *testing.T) { scheduleOfKernel(t, c) })
}

// isolatedLeader must not list what there was before the majority went on, as if that were all.
func isolatedLeader(t *testing.T, c *testcluster.Cluster) {
	leader := c.Leader()
	c.Isolate(leader)
	if s := create(c, (leader+1)%3, "majority"); s != http.StatusOK {
		t.Fatalf("the majority answered %d", s)
	}
	if s := c.Status(leader, "LIST", "/v1/keyquorum/vaults", nil); s != http.StatusServiceUnavailable {
		t.Errorf("the node that was cut off answered %d", s)
	}
	c.Settled()
	if s := create(c, leader, "healed"); s != http.StatusOK {
		t.Errorf("after healing it answered %d", s)
	}
}

// deafLeader is heard and hears nobody: it must make room for another.
func deafLeader(t *testing.T, c *testcluster.Cluster) {
	leader := c.Leader()
	for _, other := range []int{(leader + 1) % 3, (leader + 2) % 3} {
		c.PartitionOneWay(other, leader)
	}
	if s := create(c, (leader+1)%3, "while-deaf"); s != http.StatusOK {
		t.Errorf("the others answered %d", s)
	}
	if next := c.Leader(); next == leader {
		t.Error("a leader that hears nobody still leads")
	}
	c.Settled()
}

func badLinks(t *testing.T, c *testcluster.Cluster) {
	if !slices.Contains(c.Faults(), "slow") {
		t.Skip("this machine has no TUN device, through which links are made slow and lossy")
	}
	leader := c.Leader()
	for i := range 3 {
		c.Slow(i, (i+1)%3, 40*time.Millisecond, 1<<20)
	}
	begun := time.Now()
	create(c, leader, "slow")
	if took := time.Since(begun); took < 80*time.Millisecond {
		t.Errorf("a write over links of 40 ms each way took %v", took)
	}
	c.Heal()
	for i := range 3 {
		c.Drop(i, (i+1)%3, 0.2)
	}
	for _, name := range []string{"lossy-a", "lossy-b", "lossy-c"} {
		if s := create(c, leader, name); s != http.StatusOK {
			t.Errorf("over lossy links: %d", s)
		}
	}
	c.Settled()
}

// scheduleOfKernel is a history under the faults that only this kind of cluster has in full.
func scheduleOfKernel(t *testing.T, c *testcluster.Cluster) {
	faults := slices.DeleteFunc(c.Faults(), func(name string) bool {
		return !slices.Contains([]string{"isolate", "split", "one-way", "deaf", "bridge", "drop", "kill",
			"pause"}, name)
	})
	schedule := testcluster.NewSchedule(seed(t), 2, c.Size(), faults)
	l := lived{}
	l.live(t, c, schedule, prove.Options{Seed: schedule.Seed, Clients: 8, Operations: 10000,
		Think: 40 * time.Millisecond})
	l.judge(t, "", "^TestNamespaces$", schedule)
	r := &report{}
	r.add(l)
	t.Logf("\n%s", r)
}
