package testcluster_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/prove"
	"keyquorum/testcluster"
)

// In a bubble: the leader is cut off from the others. They elect another and go on, and what they
// have acknowledged the old one shows as soon as it can. The seconds that this takes are not waited
// for.
func TestExampleBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3)
		leader := c.Leader()
		other := (leader + 1) % c.Size()
		c.Isolate(leader)
		c.Call(other, "POST", "/v1/keyquorum/apps", map[string]string{"name": "billing"}, nil)
		c.Heal()
		c.Call(leader, "GET", "/v1/keyquorum/apps/billing", nil, nil)
		c.Settled()
	})
}

// As processes: a node is killed, and comes back with its data. It is sealed then, as after any
// start.
func TestExampleProcesses(t *testing.T) {
	c := testcluster.Processes(t, 3)
	c.NewVault("demo")
	c.Kill(1)
	c.Call(0, "POST", "/v1/keyquorum/apps", map[string]string{"name": "billing"}, nil)
	c.Start(1)
	if status := c.Status(1, "GET", "/v1/keyquorum/apps/billing", nil); status != 503 {
		t.Errorf("a sealed node answered %d", status)
	}
	c.Unseal(1)
	c.Call(1, "GET", "/v1/keyquorum/apps/billing", nil, nil)
	c.Digests()
}

// With prove: clients work while the cluster suffers what a seed has chosen, and what they were
// answered is checked.
func TestExampleProve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3)
		run, err := prove.Begin(t.Context(), c.Target(),
			prove.Options{Seed: 7, Operations: 200, Think: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		worked := make(chan struct{})
		go func() { run.Work(t.Context()); close(worked) }()
		c.Suffer(testcluster.NewSchedule(7, 2, c.Size(), []string{"kill", "isolate", "slow"}))
		<-worked
		c.Settled()
		if err := run.ReadBack(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := run.Check().Err(); err != nil {
			t.Fatal(err)
		}
	})
}

// A network can carry the connections of other programs than ours.
func ExampleNetwork() {
	n := testcluster.NewNetwork()
	defer n.Close()
	server := &http.Server{}
	go server.Serve(n.Listen("server", "server:80"))
	defer server.Close()
	dial := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		conn, err := n.Dialer("client")(ctx, "server:80")
		if err == nil {
			conn.Close()
		}
		return err
	}
	n.Hold("server", "client")
	fmt.Println("cut off:", dial())
	n.Heal()
	fmt.Println("healed:", dial())
	// Output:
	// cut off: context deadline exceeded
	// healed: <nil>
}

// The same seed chooses the same faults at the same times, so a failing test's schedule can be
// suffered again.
func ExampleNewSchedule() {
	faults := []string{"kill", "pause", "isolate"}
	s := testcluster.NewSchedule(7, 5, 3, faults)
	again := testcluster.NewSchedule(7, 5, 3, faults)
	fmt.Println(len(s.Steps), s.String() == again.String())
	// Output: 5 true
}
