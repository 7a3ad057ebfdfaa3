package testcluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"keyquorum/testcluster"
)

// relay has node i give a share to all, and returns what became of it at nodes 0, 1, …
func relay(c *testcluster.Cluster, i int, share string) (states []string) {
	var answer struct {
		Data struct {
			Nodes []struct {
				Label, State string
				Progress     int
				Threshold    int `json:"t"`
			}
		}
	}
	c.Call(i, "PUT", "/v1/keyquorum/unseal", map[string]any{"key": share}, &answer)
	for range c.Size() {
		states = append(states, "unreachable") // nobody may have heard of such a one's label
	}
	for _, n := range answer.Data.Nodes {
		for at := range states {
			if n.Label == fmt.Sprintf("node%d", at) {
				states[at] = n.State
			}
		}
		if n.State == "sealed" && (n.Progress != 1 || n.Threshold != 2) {
			states = append(states, fmt.Sprintf("%+v", n))
		}
	}
	return states
}

func expectStates(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// restartAll leaves all nodes sealed.
func restartAll(c *testcluster.Cluster) {
	for i := range c.Size() {
		c.Kill(i)
	}
	for i := range c.Size() {
		c.Start(i)
	}
}

// One ceremony at one node opens all that run, also one that was given a share before, and one that
// has forgotten what it was given. Each has a usage record of what it took.
func TestOneCeremonyOpensTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 4)
		c.NewVault("demo")
		restartAll(c)
		c.Kill(3)
		wrong := []byte(c.Shares[0])
		wrong[20] ^= 1
		if status := c.Status(1, "PUT", "/v1/keyquorum/unseal",
			map[string]any{"key": string(wrong)}); status != 400 {
			t.Errorf("a wrong share: %d", status)
		}
		const sealed, unsealed, unreachable = "sealed", "unsealed", "unreachable"
		expectStates(t, "one share", relay(c, 1, c.Shares[0]), sealed, sealed, sealed, unreachable)
		expectStates(t, "the same again, elsewhere", relay(c, 2, c.Shares[0]),
			sealed, sealed, sealed, unreachable)
		c.Kill(0)
		c.Start(0)
		expectStates(t, "two shares", relay(c, 2, c.Shares[1]),
			sealed, unsealed, unsealed, unreachable)
		c.Start(3)
		expectStates(t, "all shares", relay(c, 1, c.Shares[2]),
			unsealed, unsealed, unsealed, sealed)
		expectStates(t, "at one that is sealed", relay(c, 3, c.Shares[0]),
			unsealed, unsealed, unsealed, unsealed)
		c.Settled()
		if !bytes.Contains(c.UsageLog(0), []byte("unsealed, relayed by node ")) {
			t.Errorf("the usage log of node 0 does not say who relayed: %s", c.UsageLog(0))
		}
	})
}

// A thief with a copy of a member's folder, beside the member itself, is given no share for the
// asking, and the ceremony goes by him.
func TestNoShareForACopyOfAFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3)
		restartAll(c)
		thief := c.Steal(2)
		relay(c, 0, c.Shares[0])
		for i := range 2 {
			err := thief.Call(i, "/v1/share", nil, make([]byte, 16), 1, make([]byte, 1216))
			var refused *testcluster.RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("node %d gives a share for the asking: %v", i, err)
			}
		}
		expectStates(t, "two shares", relay(c, 1, c.Shares[1]), "unsealed", "unsealed", "unsealed")
	})
}
