package testcluster_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openbao/openbao/api/v2"

	"keyquorum/internal/heavy"
	"keyquorum/prove"
	"keyquorum/testcluster"
)

const raftAt = "/v1/sys/storage/raft/"

// A health is how the members are, as a node tells.
type health struct {
	Healthy   bool                    `json:"healthy"`
	Tolerance int                     `json:"failure_tolerance"`
	Leader    string                  `json:"leader"`
	Voters    []string                `json:"voters"`
	NonVoters []string                `json:"non_voters"`
	Servers   map[string]serverHealth `json:"servers"`
}

type serverHealth struct {
	Status      string
	NodeStatus  string    `json:"node_status"`
	LastContact string    `json:"last_contact"`
	Healthy     bool      `json:"healthy"`
	StableSince time.Time `json:"stable_since"`
	Demoted     bool      `json:"demoted"`
}

func healthAt(c *testcluster.Cluster, i int) (h health) {
	c.Call(i, "GET", raftAt+"autopilot/state", nil, &struct {
		Data *health `json:"data"`
	}{&h})
	return h
}

// idOf is what the cluster calls node i, which runs.
func idOf(c *testcluster.Cluster, i int) string {
	var state testcluster.State
	c.Call(i, "GET", "/v1/keyquorum/state", nil, &struct {
		Data *testcluster.State `json:"data"`
	}{&state})
	return state.NodeID
}

func awaitYes(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func configure(c *testcluster.Cluster, at int, config map[string]any) {
	c.Call(at, "PUT", raftAt+"autopilot/configuration", config, nil)
}

// What one node is told all go by, also when the leader changed and when all were started again.
func TestAutopilotConfigurationStays(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		follower := (c.Leader() + 1) % 3
		configure(c, follower, map[string]any{
			"cleanup_dead_servers": true, "dead_server_last_contact_threshold": 90, "min_quorum": 4,
			"last_contact_threshold": "2s",
		})
		want := map[string]any{
			"cleanup_dead_servers": true, "dead_server_last_contact_threshold": "1m30s",
			"min_quorum": 4.0, "last_contact_threshold": "2s", "max_trailing_logs": 1000.0,
			"server_stabilization_time": "0s",
		}
		check := func(when string) {
			for i := range 3 {
				var got struct {
					Data map[string]any `json:"data"`
				}
				c.Call(i, "GET", raftAt+"autopilot/configuration", nil, &got)
				if !maps.Equal(got.Data, want) {
					t.Errorf("%s, node %d: %v", when, i, got.Data)
				}
			}
		}
		check("told")
		c.StepDown()
		check("led by another")
		for i := range 3 {
			c.Kill(i)
		}
		c.Whole()
		check("started again")
	})
}

// A new member has its vote when it has been healthy for the time that is set, and not before; one
// that was away in between begins anew.
func TestVoteComesAfterStabilisation(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		const settles = 8 * time.Second
		configure(c, 1, map[string]any{"server_stabilization_time": settles.String()})
		begun := time.Now()
		c.AddVoter()
		if took := time.Since(begun); took < settles || took > settles+5*time.Second {
			t.Errorf("a new member was a voter after %v", took)
		}
		h := healthAt(c, 0)
		if !h.Healthy || h.Tolerance != 1 || len(h.Voters) != 4 || len(h.NonVoters) != 0 {
			t.Errorf("with four voters: %+v", h)
		}
	})
}

// Every node says the same of all: who is silent is not healthy, then dead, then gone, where that
// is wanted, and while enough voters are left.
func TestDeadMembersAreRemoved(t *testing.T) {
	heavy.Test(t)
	bubble(t, 5, func(t *testing.T, c *testcluster.Cluster) {
		configure(c, 1, map[string]any{
			"last_contact_threshold": "2s", "dead_server_last_contact_threshold": "1m", "min_quorum": 3,
		})
		victims := slices.DeleteFunc([]int{4, 3, 2, 1}, func(i int) bool { return i == c.Leader() })[:3]
		leader := c.Leader()
		told := (leader + 1) % 5
		for slices.Contains(victims, told) {
			told = (told + 1) % 5
		}
		ids := map[int]string{}
		for _, victim := range victims {
			ids[victim] = idOf(c, victim)
		}
		of := func(victim int) serverHealth { return healthAt(c, told).Servers[ids[victim]] }
		c.Kill(victims[0])
		awaitYes(t, 10*time.Second, "the dead one is not healthy", func() bool {
			return !of(victims[0]).Healthy
		})
		if h := healthAt(c, told); h.Healthy || h.Tolerance != 1 || of(victims[0]).NodeStatus != "alive" {
			t.Errorf("with one of five away: %+v", h)
		}
		time.Sleep(2 * time.Minute)
		if s := of(victims[0]); s.NodeStatus != "failed" {
			t.Fatalf("after two minutes, without clean-up: %+v", s)
		}
		configure(c, told, map[string]any{"cleanup_dead_servers": true})
		voters := func(n int) func() bool {
			return func() bool { return len(healthAt(c, told).Servers) == n }
		}
		awaitYes(t, 20*time.Second, "the dead one is removed", voters(4))
		c.Forget(victims[0])
		c.Kill(victims[1])
		awaitYes(t, 2*time.Minute, "the second is removed", voters(3))
		c.Forget(victims[1])
		c.Kill(victims[2])
		time.Sleep(5 * time.Minute)
		if h := healthAt(c, told); len(h.Servers) != 3 || of(victims[2]).NodeStatus != "failed" {
			t.Errorf("fewer than min_quorum would be left: %+v", h)
		}
		configure(c, told, map[string]any{"cleanup_dead_servers": false})
		c.Whole()
		awaitYes(t, 20*time.Second, "the last comes back", func() bool { return healthAt(c, told).Healthy })
	})
}

// A leader that is demoted leads no more, and does not get its vote back by itself, nor after a
// restart; promoted it has it at once.
func TestDemotedLeader(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		was := c.Leader()
		id := idOf(c, was)
		name := map[string]string{"server_id": fmt.Sprint("node", was)}
		c.Call(was, "PUT", raftAt+"demote", name, nil)
		if c.Leader() == was {
			t.Error("a member without a vote leads")
		}
		c.Restart(was)
		c.Unseal(was)
		time.Sleep(30 * time.Second)
		h := healthAt(c, was)
		if s := h.Servers[id]; s.Status != "non-voter" || !s.Demoted || !s.Healthy {
			t.Fatalf("half a minute after it was demoted: %+v", s)
		}
		c.Call(was, "PUT", raftAt+"promote", map[string]string{"server_id": id}, nil)
		if s := healthAt(c, was).Servers[id]; s.Status != "voter" || s.Demoted {
			t.Errorf("promoted: %+v", s)
		}
	})
}

// What would take the majority away is refused, and who is meant is said.
func TestVotesThatStay(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		at := c.Leader()
		b := bao(t, c, at, c.Token)
		refused := func(verb, who, words string) {
			t.Helper()
			_, err := b.Logical().Write("sys/storage/raft/"+verb, map[string]any{"server_id": who})
			if err == nil || !strings.Contains(err.Error(), "Code: 400") ||
				!strings.Contains(err.Error(), words) {
				t.Errorf("%s %q: %v", verb, who, err)
			}
		}
		dead, other := (at+1)%3, (at+2)%3
		deadID, otherID := idOf(c, dead), idOf(c, other)
		for _, verb := range []string{"demote", "promote", "remove-peer"} {
			refused(verb, "", "no server id provided")
			refused(verb, "nobody", otherID)
		}
		spare := c.AddNonvoter()
		spareID := idOf(c, spare)
		c.Kill(spare)
		awaitYes(t, 20*time.Second, "the spare is silent", func() bool {
			return !healthAt(c, at).Servers[spareID].Healthy
		})
		refused("promote", spareID, "silent")
		c.Kill(dead)
		refused("demote", otherID, "without it only 1 of 2 voters answer")
		refused("remove-peer", otherID, "without it only 1 of 2 voters answer")
		c.Call(at, "PUT", raftAt+"demote", map[string]string{"server_id": deadID}, nil)
		c.Call(other, "PUT", raftAt+"demote", map[string]string{"server_id": otherID}, nil)
		refused("demote", idOf(c, at), "the last voter can't be removed, nor lose its vote")
	})
}

// TestVotesChangeUnderLoad takes votes away and gives them back while clients work and leaders
// fall: nothing that they see is wrong.
func TestVotesChangeUnderLoad(t *testing.T) {
	heavy.Test(t)
	var l lived
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 5, ways(0))
		l.during(t, c, prove.Options{Operations: 3000, Think: 100 * time.Millisecond}, func() {
			time.Sleep(2 * time.Second)
			for turn := range 4 {
				who, by := c.Leader(), (c.Leader()+1)%5
				if turn%2 == 1 {
					who, by = by, who
				}
				name := map[string]string{"server_id": fmt.Sprint("node", who)}
				c.Call(by, "PUT", raftAt+"demote", name, nil)
				c.Kill(c.Leader())
				time.Sleep(time.Second)
				c.Whole()
				c.Call(by, "PUT", raftAt+"promote", name, nil)
				time.Sleep(time.Second)
			}
		})
	})
	l.judge(t, "", "^TestVotesChangeUnderLoad$", testcluster.Schedule{})
}

// TestAutopilotWithBao drives leader and followers with OpenBao's client.
func TestAutopilotWithBao(t *testing.T) {
	t.Setenv("BAO_ADDR", "")
	c := testcluster.Loopback(t, 3, nil)
	leader := idOf(c, c.Leader())
	for i := range 3 {
		b := bao(t, c, i, c.Token)
		state, err := b.Sys().RaftAutopilotState()
		must(t, err)
		if !state.Healthy || state.FailureTolerance != 1 || state.OptimisticFailureTolerance != 1 ||
			state.Leader != leader || len(state.Voters) != 3 || len(state.Servers) != 3 {
			t.Fatalf("node %d: %+v", i, state)
		}
		for id, s := range state.Servers {
			silent, err := time.ParseDuration(s.LastContact)
			stable, err2 := time.Parse(time.RFC3339Nano, s.StableSince)
			if err != nil || err2 != nil || silent > 10*time.Second || time.Since(stable) > time.Minute ||
				s.ID != id || !strings.HasPrefix(s.Name, "node") || !s.Healthy || s.NodeStatus != "alive" || s.LastIndex == 0 ||
				s.LastTerm == 0 || s.Version != "test" || s.NodeType != "voter" || s.Address == "" ||
				(s.Status == "leader") != (id == leader) {
				t.Fatalf("node %d: %+v (%v, %v)", i, s, err, err2)
			}
		}
		wanted := &api.AutopilotConfig{
			CleanupDeadServers: true, LastContactThreshold: 5 * time.Second,
			DeadServerLastContactThreshold: time.Hour, MaxTrailingLogs: 500 + uint64(i), MinQuorum: 3,
			ServerStabilizationTime: time.Second,
		}
		must(t, b.Sys().PutRaftAutopilotConfiguration(wanted))
		got, err := bao(t, c, (i+1)%3, c.Token).Sys().RaftAutopilotConfiguration()
		must(t, err)
		if *got != *wanted {
			t.Fatalf("node %d was told %+v, the next says %+v", i, wanted, got)
		}
		wanted.MinQuorum = 2
		if err := b.Sys().PutRaftAutopilotConfiguration(wanted); err == nil ||
			!strings.Contains(err.Error(), "min_quorum") {
			t.Errorf("clean-up without a quorum: %v", err)
		}
		other := fmt.Sprint("node", (i+1)%3)
		for _, verb := range []string{"demote", "promote"} {
			_, err = b.Logical().Write("sys/storage/raft/"+verb, map[string]any{"server_id": other})
			must(t, err)
		}
		leader = ""
		for id, s := range healthAt(c, i).Servers {
			if s.Status == "leader" {
				leader = id
			}
		}
		if _, err := bao(t, c, i, "wrong").Sys().RaftAutopilotState(); err == nil ||
			!strings.Contains(err.Error(), "permission denied") {
			t.Errorf("a wrong token at node %d: %v", i, err)
		}
	}
	at := c.Leader()
	gone := (at + 1) % 3
	id := idOf(c, gone)
	_, err := bao(t, c, (at+2)%3, c.Token).Logical().Write("sys/storage/raft/remove-peer",
		map[string]any{"server_id": id})
	must(t, err)
	if h := healthAt(c, at); len(h.Servers) != 2 || h.Tolerance != 0 {
		t.Errorf("after a removal: %+v", h)
	}
	c.Forget(gone)
	if code := c.Status(at, "PUT", raftAt+"autopilot/configuration",
		map[string]any{"disable_upgrade_migration": true}); code != http.StatusBadRequest {
		t.Errorf("what is not supported: %d", code)
	}
}
