package testcluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// TestShrinkDuringFaults removes a node from a pair, or from three, while one of them suffers: who
// stays must go on when that is over, also where the removal was half done and is asked for again.
// KEYQUORUM_SHRINKS sets how many, KEYQUORUM_SEED with which seed the first.
func TestShrinkDuringFaults(t *testing.T) {
	heavy.Test(t)
	first, n := seed(t), number(t, "KEYQUORUM_SHRINKS", 12)
	for s := first; s < first+uint64(n); s++ {
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { shrink(t, s) })
		})
	}
}

func shrink(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 4))
	c := testcluster.New(t, 2+int(seed%2), ways(seed))
	gone := c.Size() - 1
	by := dice.IntN(gone)
	var state testcluster.State
	c.Call(gone, "GET", "/v1/keyquorum/state", nil, &state)
	asked := make(chan struct{})
	go func() { operate(c, by, "remove-peer", state.NodeID); close(asked) }()
	for range 2 {
		moment(dice)
		t.Log(hurt(c, dice))
		moment(dice)
		mend(c, gone)
	}
	<-asked
	for try := 0; member(c, by, state.NodeID); try++ {
		if try == 3 {
			t.Fatalf("node %d can't be removed", gone)
		}
		operate(c, by, "remove-peer", state.NodeID)
	}
	c.Forget(gone)
	if err := c.Recover(); err != nil {
		t.Error(err)
	}
}

// moment is up to the time in which a leader is replaced, or a lease ends.
func moment(dice *rand.Rand) {
	time.Sleep(time.Duration(dice.Int64N(int64(1200 * time.Millisecond))))
}

// hurt does something to a node, and says what.
func hurt(c *testcluster.Cluster, dice *rand.Rand) string {
	i := dice.IntN(c.Size())
	faults := []struct {
		name string
		at   func(i int)
	}{
		{"kill", c.Kill}, {"stop", c.Stop}, {"isolate", c.Isolate}, {"pause", c.Pause},
		{"step down", func(i int) { operate(c, i, "step-down", "") }},
	}
	f := faults[dice.IntN(len(faults))]
	if !c.Running(i) {
		return fmt.Sprintf("node %d does not run", i)
	}
	f.at(i)
	return fmt.Sprintf("%s node %d", f.name, i)
}

// mend ends the faults. Who is to be removed runs again, where it is no member any more too, and
// stays sealed.
func mend(c *testcluster.Cluster, gone int) {
	c.Heal()
	for i := range c.Size() {
		if !c.Running(i) {
			c.Start(i)
		}
	}
	for i := range gone {
		c.Unseal(i)
	}
}

// operate makes a call at a node that may fail for reasons of its own.
func operate(c *testcluster.Cluster, i int, call, id string) {
	path, body := "/v1/sys/"+call, ""
	if id != "" {
		path, body = "/v1/sys/storage/raft/"+call, fmt.Sprintf(`{"server_id":%q,"force":true}`, id)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, c.URL(i)+path, strings.NewReader(body))
	if err != nil {
		return
	}
	r.Header.Set("X-Vault-Token", c.Token)
	if answer, err := c.Client(i).Do(r); err == nil {
		answer.Body.Close()
	}
}

// member says whether a node is in the configuration, as another knows it.
func member(c *testcluster.Cluster, by int, id string) bool {
	var answer any
	c.Call(by, "GET", "/v1/sys/storage/raft/configuration", nil, &answer)
	return strings.Contains(fmt.Sprint(answer), id)
}
