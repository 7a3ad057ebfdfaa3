package testcluster_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// A leader that is cut off stores what it is asked to write, and nobody takes it. The others write
// on, and send it a snapshot that ends among those entries. It leads again, and hands its log to a
// node that has none: what nobody took must not be in it.
func TestWhatNobodyTookIsNotHandedOut(t *testing.T) {
	heavy.Test(t)
	for says, between := range map[string]func(*testcluster.Cluster, int){
		"the node goes on":      func(*testcluster.Cluster, int) {},
		"the node starts again": (*testcluster.Cluster).Restart, // with the rest of those entries behind the snapshot
	} {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { overtaken(t, between) })
		})
	}
}

func overtaken(t *testing.T, between func(c *testcluster.Cluster, alone int)) {
	const alone, other = 0, 1
	c := testcluster.New(t, 3, func(i int, config *node.Config) {
		if i != alone { // which keeps its log
			config.Compact = node.Compact{Weight: 1, Entries: 1}
		}
	})
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(alone, "demo", "billing", nil, []string{"set"})
	asApp(t, c, app)
	mustLead(t, c, alone)
	atAlone, atOther := at(t, c, alone, "demo"), at(t, c, other, "demo")
	wantTaken(t, atAlone, "first", 1, 1) // and both have their tokens
	wantTaken(t, atOther, "second", 1, 1)
	c.Isolate(alone)
	wantTaken(t, atAlone, "by-nobody", 120, 0)
	wantTaken(t, atOther, "by-the-majority", 20, 20)
	time.Sleep(15 * time.Second) // snapshots are looked at once a second, or when a fence has given up
	c.Settled()
	between(c, alone)
	c.Settled()
	wantTaken(t, atOther, "by-all", 1, 1)
	c.Digests()
	for _, says := range []string{"Installed remote snapshot", "clearing log suffix"} { // Raft's words
		if !bytes.Contains(c.Output(alone), []byte(says)) {
			t.Fatalf("the node that was cut off does not say %q: the schedule tests nothing", says)
		}
	}
	mustLead(t, c, alone)
	added := c.AddNonvoter()
	time.Sleep(3 * time.Second) // digests are compared once a second
	if s := c.Status(added, "GET", "/v1/keyquorum/state", nil); s != 200 {
		t.Errorf("the node that was added answered %d: it was handed another log than the others'", s)
	}
	if leader := c.Leader(); leader != alone {
		t.Errorf("node %d leads: the schedule tests nothing", leader)
	}
	c.Settled()
}

// wantTaken writes n secrets, all at once, and checks how many are acknowledged within a few
// seconds.
func wantTaken(t *testing.T, at client, name string, n, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var all sync.WaitGroup
	taken := make(chan struct{}, n)
	for i := range n {
		all.Go(func() {
			value := azsecrets.SetSecretParameters{Value: to.Ptr("value")}
			if _, err := at.secrets.SetSecret(ctx, fmt.Sprint(name, "-", i), value, nil); err == nil {
				taken <- struct{}{}
			}
		})
	}
	all.Wait()
	if len(taken) != want {
		t.Fatalf("of %d writes %s %d were acknowledged, want %d", n, name, len(taken), want)
	}
}

// mustLead has leaders step down until node i leads.
func mustLead(t *testing.T, c *testcluster.Cluster, i int) {
	t.Helper()
	for range 10 {
		if c.Leader() == i {
			return
		}
		c.StepDown()
	}
	t.Fatalf("node %d does not come to lead", i)
}
