package testcluster_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"

	"keyquorum/node"
	"keyquorum/testcluster"
)

// bao makes an OpenBao client for node i with a token.
func bao(t *testing.T, c *testcluster.Cluster, i int, token string) *api.Client {
	t.Helper()
	config := api.DefaultConfig()
	must(t, config.Error)
	config.Address, config.HttpClient, config.MaxRetries = c.URL(i), c.Client(i), 0
	b, err := api.NewClient(config)
	must(t, err)
	b.SetToken(token)
	return b
}

// TestOperatorPlane drives leader and followers with OpenBao's client.
func TestOperatorPlane(t *testing.T) {
	t.Setenv("BAO_ADDR", "")
	c := testcluster.Loopback(t, 3, nil)
	for i := range c.Size() {
		b := bao(t, c, i, c.Token)
		status, err := b.Sys().SealStatus()
		must(t, err)
		if !status.Initialized || status.Sealed || status.T != 2 || status.N != 3 ||
			status.Type != "shamir" || status.StorageType != "raft" {
			t.Fatalf("node %d: %+v", i, status)
		}
		if ok, err := b.Sys().InitStatus(); err != nil || !ok {
			t.Fatalf("node %d init status %v, %v", i, ok, err)
		}
		leader, err := b.Sys().Leader()
		must(t, err)
		if leader.LeaderAddress != c.URL(c.Leader()) || leader.IsSelf != (i == c.Leader()) {
			t.Fatalf("node %d: %+v", i, leader)
		}
		health, err := b.Sys().Health()
		must(t, err)
		if health.Sealed || health.Standby == leader.IsSelf {
			t.Fatalf("node %d: %+v", i, health)
		}
		self, err := b.Auth().Token().LookupSelf()
		must(t, err)
		if policies, _ := self.TokenPolicies(); len(policies) != 1 || policies[0] != "root" {
			t.Fatalf("node %d: policies %v", i, policies)
		}
		ha, err := b.Sys().HAStatus()
		must(t, err)
		active := 0
		for _, n := range ha.Nodes {
			if n.ActiveNode {
				active++
			}
			if n.Hostname == "" || n.ActiveNode != (n.APIAddress == leader.LeaderAddress) ||
				n.Version != "test" || n.ActiveNode != (n.LastEcho == nil) {
				t.Fatalf("node %d: %+v", i, n)
			}
		}
		if len(ha.Nodes) != 3 || active != 1 {
			t.Fatalf("node %d: %+v", i, ha)
		}
		peers, err := b.Logical().Read("sys/storage/raft/configuration")
		must(t, err)
		servers := peers.Data["config"].(map[string]any)["servers"].([]any)
		if len(servers) != 3 {
			t.Fatalf("node %d: %d servers", i, len(servers))
		}
		var file bytes.Buffer
		must(t, b.Sys().RaftSnapshot(&file)) // it refuses what has no sealed sums
		saved, err := node.ReadSnapshot(bytes.NewReader(file.Bytes()), 1<<30)
		if err != nil || saved.Members != 3 {
			t.Fatalf("node %d: a snapshot of %+v: %v", i, saved, err)
		}
		must(t, b.Sys().RaftSnapshotRestore(&file, false))
		_, err = bao(t, c, i, "wrong").Auth().Token().LookupSelf()
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Fatalf("a wrong token at node %d: %v", i, err)
		}
		joined, err := b.Sys().RaftJoin(&api.RaftJoinRequest{LeaderAPIAddr: c.URL(0)})
		if err == nil && !joined.Joined {
			t.Fatalf("joining a member again at node %d: %+v", i, joined)
		}
	}
	b := bao(t, c, 1, c.Token)
	if policies, err := b.Sys().ListPolicies(); err == nil ||
		!strings.Contains(err.Error(), "is not served") {
		t.Fatalf("a call that is not there: %v, %v", policies, err)
	}
	must(t, b.Sys().Rotate())
	keyring, err := b.Sys().KeyStatus()
	must(t, err)
	if keyring.Term != 2 || time.Since(keyring.InstallTime) > time.Minute {
		t.Fatalf("the keyring after a rotation: %+v", keyring)
	}
	before := c.Leader()
	must(t, bao(t, c, (before+1)%3, c.Token).Sys().StepDown())
	if c.Leader() == before {
		t.Fatal("the leader did not step down")
	}
	follower := (c.Leader() + 1) % 3
	b = bao(t, c, follower, c.Token)
	must(t, b.Sys().Seal())
	if status, err := b.Sys().SealStatus(); err != nil || !status.Sealed {
		t.Fatalf("after sealing: %+v, %v", status, err)
	}
	if _, err := b.Sys().Leader(); err == nil || !strings.Contains(err.Error(), "Vault is sealed") {
		t.Fatalf("sys/leader of a sealed node: %v", err)
	}
	wrong := strings.Repeat("ab", 33)
	if _, err := b.Sys().Unseal(wrong); err == nil || !strings.Contains(err.Error(), "invalid key") {
		t.Fatalf("a wrong share: %v", err)
	}
	status, err := b.Sys().Unseal(c.Shares[2])
	must(t, err)
	if status.Progress != 1 {
		t.Fatalf("progress %d after a wrong share and a good one", status.Progress)
	}
	status, err = b.Sys().Unseal(c.Shares[0])
	must(t, err)
	if status.Sealed {
		t.Fatal("sealed after two good shares")
	}
}

// TestSealedClusterHasALeader restarts every node: sealed they have a leader and answer 503, and
// one unsealed node serves.
func TestSealedClusterHasALeader(t *testing.T) {
	c := testcluster.Loopback(t, 3, nil)
	c.NewVault("demo")
	for i := range 3 {
		c.Kill(i)
	}
	for i := range 3 {
		c.Start(i)
	}
	for i := range 3 {
		if status := c.Status(i, "GET", "/v1/keyquorum/vaults",
			nil); status != http.StatusServiceUnavailable {
			t.Fatalf("a sealed node answers %d", status)
		}
	}
	c.Unseal(1)
	var list struct {
		Data struct {
			Vaults []struct {
				Name string `json:"name"`
			} `json:"vaults"`
		} `json:"data"`
	}
	c.Call(1, "GET", "/v1/keyquorum/vaults", nil, &list)
	if len(list.Data.Vaults) != 1 || list.Data.Vaults[0].Name != "demo" {
		t.Fatalf("vaults with two of three sealed: %+v", list)
	}
	c.Call(1, "POST", "/v1/keyquorum/vaults", map[string]string{"name": "more"}, nil)
	c.Unseal(0)
	c.Unseal(2)
	c.Call(2, "GET", "/v1/keyquorum/vaults/more", nil, nil)
}
