package testcluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// TestKillTheLeader runs 200 requests a second through the two followers while the leader is killed
// with SIGKILL at a random moment. No acknowledged write may be lost, and no error may reach the
// application through the SDK's own retries. KEYQUORUM_KILLS sets how often (default 2; make
// failover sets 20).
func TestKillTheLeader(t *testing.T) {
	kills := 2
	if s := os.Getenv("KEYQUORUM_KILLS"); s != "" {
		var err error
		kills, err = strconv.Atoi(s)
		must(t, err)
	}
	c := testcluster.Processes(t, 3)
	c.NewVault("demo")
	app := c.NewApp("load")
	c.Grant(0, "demo", "load", nil, []string{"all"})
	asApp(t, c, app)
	acknowledged := map[string]string{}
	for round := range kills {
		leader := c.Leader()
		load := startLoad(t, c, []int{(leader + 1) % 3, (leader + 2) % 3}, round)
		time.Sleep(time.Second + rand.N(time.Second))
		killed := time.Now()
		c.Kill(leader)
		time.Sleep(4 * time.Second)
		gap := load.stop(acknowledged)
		t.Logf("kill %d: node %d; longest time without an acknowledged write %v after %v; %d writes so far",
			round+1, leader, gap.Round(time.Millisecond), killed.Sub(load.begun).Round(time.Millisecond),
			len(acknowledged))
		c.Start(leader)
		c.Unseal(leader)
		readBack(t, c, acknowledged)
	}
}

// readBack reads every acknowledged write from every node, one node each in turn, and the last ones
// from all.
func readBack(t *testing.T, c *testcluster.Cluster, acknowledged map[string]string) {
	t.Helper()
	clients := []client{at(t, c, 0, "demo"), at(t, c, 1, "demo"), at(t, c, 2, "demo")}
	i := 0
	for name, value := range acknowledged {
		got, err := clients[i%3].secrets.GetSecret(t.Context(), name, "", nil)
		must(t, err)
		if *got.Value != value {
			t.Fatalf("secret %s reads %q at node %d, acknowledged was %q", name, *got.Value, i%3, value)
		}
		i++
	}
}

// load is writers and readers at a steady rate.
type load struct {
	t      *testing.T
	begun  time.Time
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	written map[string]string
	last    time.Time     // of an acknowledged write
	gap     time.Duration // the longest between two
	errors  atomic.Int64
}

// startLoad begins 100 writes and 100 reads a second, spread over the nodes.
func startLoad(t *testing.T, c *testcluster.Cluster, nodes []int, round int) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{t: t, begun: time.Now(), last: time.Now(), cancel: cancel, written: map[string]string{}}
	const workers = 20
	for w := range workers {
		n := at(t, c, nodes[w%len(nodes)], "demo")
		l.wg.Go(func() { l.work(ctx, n, fmt.Sprintf("r%d-w%d", round, w), time.Second*workers*2/200) })
	}
	return l
}

// work writes and reads in turn. A request that was begun is brought to its end, so that its
// outcome is known.
func (l *load) work(ctx context.Context, n client, prefix string, period time.Duration) {
	pace := time.NewTicker(period)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
		name, value := fmt.Sprintf("%s-%d", prefix, i), fmt.Sprint(i)
		if _, err := n.secrets.SetSecret(context.Background(), name,
			azsecrets.SetSecretParameters{Value: to.Ptr(value)}, nil); err != nil {
			l.fail("write", err)
			continue
		}
		l.note(name, value)
		got, err := n.secrets.GetSecret(context.Background(), name, "", nil)
		if err != nil {
			l.fail("read", err)
		} else if *got.Value != value {
			l.t.Errorf("secret %s reads %q right after %q was acknowledged", name, *got.Value, value)
		}
	}
}

func (l *load) note(name, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[name] = value
	now := time.Now()
	l.gap = max(l.gap, now.Sub(l.last))
	l.last = now
}

func (l *load) fail(what string, err error) {
	if l.errors.Add(1) <= 3 {
		l.t.Errorf("a %s failed through the SDK's retries: %v", what, err)
	}
}

// stop ends the load, adds what was acknowledged, and returns the longest time without a write.
func (l *load) stop(acknowledged map[string]string) time.Duration {
	l.cancel()
	l.wg.Wait()
	for name, value := range l.written {
		acknowledged[name] = value
	}
	return l.gap
}
