package testcluster_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/node"
	"keyquorum/testcluster"
)

const week = 7 * 24 * time.Hour

// A dutyLine is what a node has recorded of something that it did of itself.
type dutyLine struct {
	Plane, Node, Operation, Vault, Object string
	ID                                    string `json:"request_id"`
	Status                                int
}

// dutyLines are those of all nodes.
func dutyLines(t *testing.T, c *testcluster.Cluster) (lines []dutyLine) {
	t.Helper()
	for i := range c.Size() {
		for line := range bytes.Lines(c.UsageLog(i)) {
			var l dutyLine
			must(t, json.Unmarshal(line, &l))
			if l.Plane == "node" {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// busy runs a test of three nodes that look for work every second.
func busy(t *testing.T, test func(t *testing.T, c *testcluster.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, testcluster.New(t, 3,
			func(_ int, config *node.Config) { config.Timing.Rest = time.Second }))
	})
}

// retention makes a vault whose deleted objects are kept for a week, and an application that may do
// everything there.
func retention(t *testing.T, c *testcluster.Cluster) testcluster.App {
	t.Helper()
	c.Call(0, "POST", "/v1/keyquorum/vaults",
		map[string]any{"name": "demo", "retention_days": 7, "purge_protection": true}, nil)
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", nil, []string{"all"})
	return app
}

func set(t *testing.T, u *user, name string) {
	t.Helper()
	_, err := u.secrets.SetSecret(t.Context(), name,
		azsecrets.SetSecretParameters{Value: to.Ptr(name)}, nil)
	must(t, err)
}

func remove(t *testing.T, u *user, name string) {
	t.Helper()
	_, err := u.secrets.DeleteSecret(t.Context(), name, nil)
	must(t, err)
}

// later sets the clocks of all nodes on.
func later(c *testcluster.Cluster, by time.Duration) {
	for i := range c.Size() {
		c.SkewClock(i, by)
	}
}

// An object is deleted, the leader changes, its retention ends: one node purges it, once, and says
// so, and nothing else is lost.
func TestRetentionOutlivesTheLeader(t *testing.T) {
	busy(t, func(t *testing.T, c *testcluster.Cluster) {
		app := retention(t, c)
		set(t, newUser(t, c, 0, app), "kept")
		set(t, newUser(t, c, 1, app), "gone")
		remove(t, newUser(t, c, 2, app), "gone")
		leader := c.StepDown()
		later(c, week-time.Hour)
		time.Sleep(5 * time.Second)
		if lines := dutyLines(t, c); len(lines) != 0 {
			t.Fatalf("before the retention is over: %+v", lines)
		}
		later(c, week)
		time.Sleep(5 * time.Second)
		lines := dutyLines(t, c)
		want := dutyLine{Plane: "node", Node: fmt.Sprint("node", leader), Operation: "secrets/purge",
			Vault: "demo", Object: "gone", Status: 202}
		if len(lines) != 2 || lines[0].ID != lines[1].ID {
			t.Fatalf("recorded %+v", lines)
		}
		for i, status := range []int{202, 200} {
			want.ID, want.Status = lines[i].ID, status
			if lines[i] != want || want.ID == "" {
				t.Errorf("recorded %+v, want %+v", lines[i], want)
			}
		}
		for i := range c.Size() {
			u := newUser(t, c, i, app)
			got, err := u.secrets.GetSecret(t.Context(), "kept", "", nil)
			must(t, err)
			if *got.Value != "kept" {
				t.Errorf("node %d has %q", i, *got.Value)
			}
			_, err = u.secrets.GetDeletedSecret(t.Context(), "gone", nil)
			wantError(t, err, 404, "SecretNotFound")
		}
		c.StepDown()
		time.Sleep(5 * time.Second)
		if again := dutyLines(t, c); !slices.Equal(again, lines) {
			t.Errorf("under another leader: %+v", again)
		}
		c.Settled()
	})
}

// A leader that is killed in the middle of its work leaves the rest to the next, which does it all,
// and nothing twice.
func TestLeaderDiesAmongPurges(t *testing.T) {
	busy(t, func(t *testing.T, c *testcluster.Cluster) {
		const many = 30
		app := retention(t, c)
		u := newUser(t, c, 0, app)
		for i := range many {
			set(t, u, fmt.Sprint("gone", i))
			set(t, u, fmt.Sprint("kept", i))
			remove(t, u, fmt.Sprint("gone", i))
		}
		later(c, week)
		leader := c.Leader()
		for len(dutyLines(t, c)) < 10 { // so that it has done something
			time.Sleep(5 * time.Millisecond)
		}
		c.Kill(leader)
		if half := len(dutyLines(t, c)); half >= 2*many {
			t.Fatal("the leader was done before it was killed: the test shows nothing")
		}
		time.Sleep(10 * time.Second)
		done, by := map[string]int{}, map[string]int{}
		for _, l := range dutyLines(t, c) {
			if l.Status == 200 {
				done[l.Object]++
				by[l.Node]++
			}
		}
		for i := range many {
			if n := done[fmt.Sprint("gone", i)]; n > 1 {
				t.Errorf("gone%d was purged %d times", i, n)
			}
		}
		if n := len(done); n < many-1 ||
			len(by) != 2 { // the last record of the one that was killed may be missing
			t.Errorf("%d of %d purges are recorded, by %v", n, many, by)
		}
		u = newUser(t, c, (leader+1)%3, app)
		for i := range many {
			_, err := u.secrets.GetSecret(t.Context(), fmt.Sprint("kept", i), "", nil)
			must(t, err)
		}
		deleted, err := u.secrets.NewListDeletedSecretPropertiesPager(nil).NextPage(t.Context())
		must(t, err)
		if n := len(deleted.Value); n != 0 {
			t.Errorf("%d are left", n)
		}
		c.Start(leader)
		c.Settled()
	})
}

// A sealed leader does nothing, until an unsealed node leads.
func TestSealedNodesDoNotPurge(t *testing.T) {
	busy(t, func(t *testing.T, c *testcluster.Cluster) {
		app := retention(t, c)
		u := newUser(t, c, 0, app)
		set(t, u, "gone")
		remove(t, u, "gone")
		for i := range c.Size() {
			c.Seal(i)
		}
		later(c, week)
		time.Sleep(5 * time.Second)
		if lines := dutyLines(t, c); len(lines) != 0 {
			t.Fatalf("by sealed nodes: %+v", lines)
		}
		unsealed := (c.Leader() + 1) % 3
		c.Unseal(unsealed)
		time.Sleep(20 * time.Second) // it has to be elected
		lines := dutyLines(t, c)
		if len(lines) != 2 || lines[1].Status != 200 || lines[1].Node != fmt.Sprint("node", unsealed) {
			t.Errorf("by the unsealed node %d: %+v", unsealed, lines)
		}
	})
}

// A vault is deleted through one node, recovered through another and purged through the third; one
// that nobody recovers goes by itself.
func TestVaultLife(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		c.NewVault("demo")
		app := c.NewApp("billing")
		c.Grant(0, "demo", "billing", nil, []string{"all"})
		var users []*user
		for i := range c.Size() {
			users = append(users, newUser(t, c, i, app))
		}
		set(t, users[0], "s")
		everywhere := func(code string, allowed bool) {
			t.Helper()
			for i, u := range users {
				_, err := u.secrets.GetSecret(t.Context(), "s", "", nil)
				if allowed && err != nil {
					t.Errorf("node %d: %v", i, err)
				}
				if !allowed {
					wantError(t, err, 404, code)
				}
			}
		}
		c.Call(0, "DELETE", "/v1/keyquorum/vaults/demo", nil, nil)
		everywhere("VaultNotFound", false)
		c.Call(1, "POST", "/v1/keyquorum/deleted-vaults/demo/recover", nil, nil)
		everywhere("", true)
		c.Call(2, "DELETE", "/v1/keyquorum/vaults/demo", nil, nil)
		c.Call(0, "DELETE", "/v1/keyquorum/deleted-vaults/demo", nil, nil)
		everywhere("VaultNotFound", false)
		for i := range c.Size() {
			if status := c.Status(i, "POST", "/v1/keyquorum/deleted-vaults/demo/recover",
				nil); status != 404 {
				t.Errorf("node %d answers %d to its recovery", i, status)
			}
		}
		c.Call(1, "POST", "/v1/keyquorum/vaults",
			map[string]any{"name": "demo", "retention_days": 7, "purge_protection": true}, nil)
		c.Call(2, "DELETE", "/v1/keyquorum/vaults/demo", nil, nil)
		later(c, week)
		time.Sleep(3 * time.Minute)
		lines := dutyLines(t, c)
		if len(lines) != 2 || lines[1].Operation != "admin/vaults/purge" || lines[1].Vault != "demo" ||
			lines[1].Status != 200 {
			t.Errorf("recorded %+v", lines)
		}
		c.NewVault("demo")
		c.Settled()
	})
}

// All nodes start anew when there is a snapshot of everything, and leftovers of what was deleted.
// Nobody serves before it has scrubbed its folder, and so nobody writes.
func TestNodesThatStartWithNothingNewServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3, func(_ int, config *node.Config) {
			config.Compact = node.Compact{Weight: 1 << 10, Entries: 4}
		})
		c.NewVault("demo")
		c.NewApp("billing")
		c.Grant(0, "demo", "billing", []string{"all"}, []string{"all"})
		c.Call(0, "DELETE", "/v1/keyquorum/vaults/demo/grants/billing", nil, nil)
		time.Sleep(45 * time.Second) // somebody vouches for the state, and it is in a snapshot
		for i := range c.Size() {
			c.Kill(i)
		}
		c.Settled()
	})
}
