package testcluster_test

import (
	"maps"
	"slices"
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

// A node whose disk is gone is replaced, at its address or at another, and whoever it was counts no
// more.
func TestLostDiskIsReplaced(t *testing.T) {
	heavy.Test(t)
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		c.Witness(nil)
		for round, elsewhere := range []bool{false, true} {
			lost := c.Leader()
			before := addresses(c, lost)
			var state testcluster.State
			c.Call(lost, "GET", "/v1/keyquorum/state", nil, &state)
			create(c, lost, "before")
			c.LoseDisk(lost, elsewhere)
			if s := create(c, (lost+1)%3, "meanwhile"); s != 200 && s != 409 {
				t.Errorf("the others answered %d", s)
			}
			must(t, c.Recover())
			after := addresses(c, lost)
			at, stays := after[state.NodeID]
			if stays || len(after) != 3 {
				t.Errorf("round %d: the lost one is a member at %q of %v", round, at, after)
			}
			was := slices.Contains(slices.Collect(maps.Values(after)), before[state.NodeID])
			if was == elsewhere {
				t.Errorf("round %d: members were at %v, and are at %v", round, before, after)
			}
			if found := c.Status(lost, "GET", "/v1/keyquorum/vaults/before", nil); found != 200 {
				t.Errorf("round %d: the fresh node answers %d about what was before it", round, found)
			}
			if done := c.Ceremonies()["replace"]; done != (testcluster.Tally{Begun: round + 1,
				Done: round + 1}) {
				t.Errorf("round %d: counted %+v", round, done)
			}
		}
		c.Digests()
	})
}

// A node that moves is found where it is, also the second time.
func TestMovedNodeIsFound(t *testing.T) {
	heavy.Test(t)
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		c.Witness(nil)
		var state testcluster.State
		c.Call(1, "GET", "/v1/keyquorum/state", nil, &state)
		at := []string{addresses(c, 0)[state.NodeID]}
		for round := range 2 {
			c.Move(1)
			must(t, c.Recover())
			all := addresses(c, 0)
			if now := all[state.NodeID]; len(all) != 3 || slices.Contains(at, now) {
				t.Errorf("it was at %v, and is at %q of %v", at, now, all)
			}
			at = append(at, all[state.NodeID])
			if done := c.Ceremonies()["move"].Done; done != round+1 {
				t.Errorf("%d moves were done, and %d are counted", round+1, done)
			}
		}
		c.Digests()
	})
}

// When all addresses have changed at once a cluster goes on from its folders, without a loss, also
// of what one of them lacks.
func TestAllMoveAtOnce(t *testing.T) {
	heavy.Test(t)
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		c.Witness(nil)
		reader := c.AddNonvoter()
		behind := (c.Leader() + 1) % 3
		c.Isolate(behind)
		create(c, (behind+1)%3, "before")
		first := addresses(c, 0)
		c.MoveAll()
		must(t, c.Recover())
		for i := range 4 {
			if s := c.Status(i, "GET", "/v1/keyquorum/vaults/before", nil); s != 200 {
				t.Errorf("node %d answers %d about what was before", i, s)
			}
		}
		last := addresses(c, reader)
		for id, at := range last {
			if slices.Contains(slices.Collect(maps.Values(first)), at) || first[id] != "" {
				t.Errorf("%s at %s was a member before", id, at)
			}
		}
		if done := c.Ceremonies()["move-all"].Done; len(last) != 4 || done != 1 {
			t.Errorf("members are %v after %d moves that were done", last, done)
		}
		c.Digests()
	})
}

// A cluster that was recovered begins with a snapshot, and then the transaction key gets a
// successor. A fresh node knows that one, and needs a snapshot that was made under it.
func TestLostDiskIsReplacedAfterAMove(t *testing.T) {
	heavy.Test(t)
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		c.Witness(nil)
		c.MoveAll()
		must(t, c.Recover())
		create(c, 0, "before")
		c.Call(0, "POST", "/v1/sys/rotate", nil, nil)
		lost := c.Leader()
		c.LoseDisk(lost, false)
		must(t, c.Recover())
		if s := c.Status(lost, "GET", "/v1/keyquorum/vaults/before", nil); s != 200 {
			t.Errorf("the fresh node answers %d about what was before it", s)
		}
		c.Digests()
	})
}

// addresses are where the members are as node i knows them, by their ids.
func addresses(c *testcluster.Cluster, i int) map[string]string {
	var answer struct {
		Data struct {
			Config struct {
				Servers []struct {
					ID      string `json:"node_id"`
					Address string `json:"address"`
				} `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	c.Call(i, "GET", "/v1/sys/storage/raft/configuration", nil, &answer)
	all := map[string]string{}
	for _, s := range answer.Data.Config.Servers {
		all[s.ID] = s.Address
	}
	return all
}
