package testcluster_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// sealStatus is what is looked at of sys/seal-status and sys/unseal.
type sealStatus struct {
	Sealed   bool   `json:"sealed"`
	Progress int    `json:"progress"`
	Waiting  bool   `json:"waiting"`
	Trouble  string `json:"trouble"`
}

// With its majority gone a node can still be sealed, and then be given its shares: whoever gives
// the last is told that they were good, and need not give them again.
func TestSealAndUnsealWithoutAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3, nil)
		c.Kill(1)
		c.Kill(2)
		time.Sleep(30 * time.Second) // nobody leads, and no lease is left
		if status := c.Status(0, "PUT", "/v1/sys/seal", nil); status != 204 {
			t.Errorf("sealing without a majority: %d", status)
		}
		var s sealStatus
		for _, share := range c.Shares[:2] {
			c.Call(0, "PUT", "/v1/sys/unseal", map[string]string{"key": share}, &s)
		}
		if !s.Sealed || !s.Waiting || s.Progress != 2 {
			t.Errorf("the last share, without a leader: %+v", s)
		}
		c.Call(0, "GET", "/v1/sys/seal-status", nil, &s)
		if !s.Sealed || !s.Waiting || s.Progress != 2 {
			t.Errorf("the status while it waits: %+v", s)
		}
		c.Start(1)
		time.Sleep(30 * time.Second)
		s = sealStatus{}
		c.Call(0, "GET", "/v1/sys/seal-status", nil, &s)
		if s.Sealed || s.Waiting || s.Trouble != "" {
			t.Errorf("with a leader: %+v", s)
		}
		c.Start(2)
		c.Unseal(1)
		c.Unseal(2)
	})
}

// A node that died keeps its name, is removed by it, and when it comes back with its old folder
// says what to do.
func TestNamesOfNodesThatAreGone(t *testing.T) {
	heavy.Test(t)
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 4, nil)
		at, down := c.Leader(), (c.Leader()+1)%4
		name := nameAt(t, c, at, down)
		c.Kill(down)
		time.Sleep(time.Minute)
		at = c.Leader()
		s := status(t, c, at)
		found := false
		for _, n := range s.Nodes {
			found = found || n.Name == name && n.State == "unreachable"
			for to := range n.RoundTrips {
				for _, gone := range s.Nodes {
					if gone.ID == to && gone.State == "unreachable" {
						t.Errorf("a round trip from %s to %s, which is down", n.Name, gone.Name)
					}
				}
			}
		}
		if !found || !strings.Contains(strings.Join(s.Outlook, " "), "Node "+name+" does not answer.") {
			t.Errorf("%s is called otherwise now: %+v", name, s)
		}
		if code := c.Status(at, "PUT", "/v1/sys/storage/raft/remove-peer",
			map[string]string{"server_id": name}); code != 204 {
			t.Fatalf("removing %s by its name: %d", name, code)
		}
		c.Start(down)
		time.Sleep(time.Minute)
		var seal sealStatus
		c.Call(down, "GET", "/v1/sys/seal-status", nil, &seal)
		if !strings.Contains(seal.Trouble, "move its data folder away") {
			t.Errorf("the status of a node that was removed: %+v", seal)
		}
		if code := c.Status(down, "PUT", "/v1/sys/storage/raft/join",
			map[string]string{"leader_api_addr": c.URL(at)}); code != 400 {
			t.Errorf("a node that was removed is told to join: %d", code)
		}
	})
}

// nameAt is what the status at a node calls another, which runs.
func nameAt(t *testing.T, c *testcluster.Cluster, at, other int) string {
	t.Helper()
	for _, n := range status(t, c, at).Nodes {
		if n.API == c.URL(other) {
			return n.Name
		}
	}
	t.Fatalf("node %d is not in the status of node %d", other, at)
	return ""
}
