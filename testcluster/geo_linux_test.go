package testcluster_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// TestGeo measures a cluster over three regions, 80 and 150 ms apart: the real program in network
// namespaces, Azure's SDK beside each node. Five voters stand 2/2/1, and a non-voter serves the
// region of the one. KEYQUORUM_GEO=1 (make geo) measures enough to quote; else it only shows that
// all of it works.
func TestGeo(t *testing.T) {
	often, counted := 1, 400
	if os.Getenv("KEYQUORUM_GEO") != "" {
		often, counted = 10, 8000
	}
	g := newGeo(t)
	defer func() { t.Logf("\n%s", &g.table) }()
	t.Run("reads", func(t *testing.T) { g.reads(t, 50*often) })
	t.Run("messages", func(t *testing.T) { g.messages(t, counted) })
	t.Run("processor", func(t *testing.T) { g.processor(t, 1+often/2, 500*often) })
	t.Run("writes", func(t *testing.T) { g.writes(t, 3*often) })
	t.Run("kills", func(t *testing.T) { g.kills(t, 1*often) })
}

// geoRegions are the regions of the nodes.
var geoRegions = []string{"east", "east", "west", "west", "south", "south"}

type geo struct {
	c      *testcluster.Cluster
	app    []client // at each node
	leader int
	table  strings.Builder
}

func newGeo(t *testing.T) *geo {
	c := testcluster.Namespaces(t, 5,
		func(i int) []string { return []string{"--region", geoRegions[i]} })
	if !slices.Contains(c.Faults(), "slow") {
		t.Skip("ways that are long take a TUN device, and this machine lets nobody have one")
	}
	c.AddNonvoter()
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", []string{"all"}, []string{"all"})
	asApp(t, c, app)
	g := &geo{c: c}
	for i := range c.Size() {
		g.app = append(g.app, at(t, c, i, "demo"))
	}
	_, err := g.app[0].secrets.SetSecret(t.Context(), "s",
		azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil)
	must(t, err)
	_, err = g.app[0].keys.CreateKey(t.Context(), "k",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(azkeys.CurveNameP256)},
		nil)
	must(t, err)
	c.Spread(geoRegions, between)
	time.Sleep(3 * time.Second) // leases and time-outs follow the ways
	g.leadFromTheEast()
	for i := range c.Size() {
		must(t, g.read(i))
		must(t, g.sign(i))
	}
	return g
}

func (g *geo) leadFromTheEast() {
	g.leader = g.c.Leader()
	for geoRegions[g.leader] != "east" {
		g.leader = g.c.StepDown()
	}
	time.Sleep(3 * time.Second)
}

func (g *geo) read(i int) error {
	_, err := g.app[i].secrets.GetSecret(context.Background(), "s", "", nil)
	return err
}

var digest = sha256.Sum256([]byte("message"))

func (g *geo) sign(i int) error {
	_, err := g.app[i].keys.Sign(context.Background(), "k", "",
		azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: digest[:]}, nil)
	return err
}

func (g *geo) place(i int) string {
	role := "voter"
	switch {
	case i == g.leader:
		role = "leader"
	case i == 5:
		role = "non-voter"
	}
	return fmt.Sprintf("%s (%s)", geoRegions[i], role)
}

// reads takes the time of reads and signatures at all nodes in turn.
func (g *geo) reads(t *testing.T, n int) {
	took := map[[2]int][]time.Duration{}
	for range n {
		for i := range g.c.Size() {
			for what, use := range []func(int) error{g.read, g.sign} {
				begun := time.Now()
				must(t, use(i))
				took[[2]int{i, what}] = append(took[[2]int{i, what}], time.Since(begun))
			}
		}
	}
	fmt.Fprintf(&g.table, "%-22s %12s %12s   (medians of %d)\n", "asked at", "secret read", "ES256", n)
	for i := range g.c.Size() {
		fmt.Fprintf(&g.table, "%-22s %12s %12s\n", g.place(i), micros(median(took[[2]int{i, 0}])),
			micros(median(took[[2]int{i, 1}])))
	}
}

// messages counts packets between regions while nothing happens, and while a node is read from. A
// message a read would be a packet at least.
func (g *geo) messages(t *testing.T, reads int) {
	sent := func(i int) (n int64) {
		for j := range g.c.Size() {
			n += g.c.Passed(i, j)
		}
		return n
	}
	for _, i := range []int{2, 4, 5} {
		before, begun := sent(i), time.Now()
		time.Sleep(2 * time.Second)
		idle := float64(sent(i)-before) / time.Since(begun).Seconds()
		before, begun = sent(i), time.Now()
		for range reads {
			must(t, g.read(i))
		}
		took, busy := time.Since(begun), sent(i)-before
		rest := idle * took.Seconds()
		fmt.Fprintf(&g.table,
			"%-22s sent %d packets to other regions while it answered %d reads; in that time it sends %.0f at rest\n",
			g.place(i), busy, reads, rest)
		if extra := float64(busy) - rest; extra > float64(reads)/2 {
			t.Errorf("node %d: %.0f packets more than at rest for %d reads", i, extra, reads)
		}
	}
}

// processor compares the processor time that a read takes at the leader, at a follower and at a
// cluster of one.
func (g *geo) processor(t *testing.T, rounds, n int) {
	lone := testcluster.Processes(t, 1)
	lone.NewVault("demo")
	app := lone.NewApp("billing")
	lone.Grant(0, "demo", "billing", nil, []string{"all"})
	t.Setenv("AZURE_CLIENT_ID", app.ClientID)
	t.Setenv("AZURE_CLIENT_SECRET", app.Secret)
	alone := at(t, lone, 0, "demo")
	_, err := alone.secrets.SetSecret(t.Context(), "s",
		azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil)
	must(t, err)
	rows := []struct {
		name string
		pid  int
		read func() error
		cost []time.Duration
	}{
		{name: g.place(g.leader), pid: g.c.PID(g.leader), read: func() error { return g.read(g.leader) }},
		{name: g.place(2), pid: g.c.PID(2), read: func() error { return g.read(2) }},
		{name: "a cluster of one", pid: lone.PID(0), read: func() error {
			_, err := alone.secrets.GetSecret(context.Background(), "s", "", nil)
			return err
		}},
	}
	for range rounds {
		for i := range rows {
			rows[i].cost = append(rows[i].cost, processorTime(t, rows[i].pid, n, rows[i].read))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(&g.table,
			"%-22s %12s of processor time a read (median of %d times %d, without what it takes at rest)\n",
			row.name, micros(median(row.cost)), rounds, n)
	}
}

// processorTime is what a process spent for each of n uses, beyond what it spends at rest.
func processorTime(t *testing.T, pid, n int, use func() error) time.Duration {
	before, begun := spent(t, pid), time.Now()
	time.Sleep(time.Second)
	rest := float64(spent(t, pid)-before) / float64(time.Since(begun))
	before, begun = spent(t, pid), time.Now()
	for range n {
		must(t, use())
	}
	return (spent(t, pid) - before - time.Duration(rest*float64(time.Since(begun)))) / time.Duration(n)
}

// spent is the processor time of a process, to the nanosecond (proc_pid_schedstat(5)), all threads
// that live.
func spent(t *testing.T, pid int) (total time.Duration) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	must(t, err)
	for _, thread := range threads {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, thread.Name()))
		must(t, err)
		ran, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		must(t, err)
		total += time.Duration(ran)
	}
	return total
}

// writes takes the time of writes from each region.
func (g *geo) writes(t *testing.T, n int) {
	for _, i := range []int{g.leader, 2, 4, 5} {
		var took []time.Duration
		for k := range n {
			begun := time.Now()
			_, err := g.app[i].secrets.SetSecret(t.Context(), fmt.Sprintf("w%d", k%3),
				azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil)
			must(t, err)
			took = append(took, time.Since(begun))
		}
		majority, farthest := 80*time.Millisecond, 150*time.Millisecond
		limit := majority + farthest + between(geoRegions[i], "east") + 20*time.Millisecond
		fmt.Fprintf(&g.table, "%-22s %12s a secret write (median of %d; at most %v is aimed at)\n",
			g.place(i), micros(median(took)), n, limit)
	}
}

// kills ends the leader with SIGKILL under load, and measures how long no write is acknowledged,
// and no read answered at a node.
func (g *geo) kills(t *testing.T, n int) {
	var writes, reads []time.Duration
	for range n {
		g.leader = g.c.Leader()
		var stop atomic.Bool
		var load sync.WaitGroup
		var mu sync.Mutex
		write, read := gap{last: time.Now()}, map[int]*gap{}
		for i := range g.c.Size() {
			if i == g.leader {
				continue
			}
			r := &gap{last: time.Now()}
			read[i] = r
			load.Go(func() {
				for !stop.Load() {
					if g.read(i) == nil {
						mu.Lock()
						r.note()
						mu.Unlock()
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
			load.Go(func() {
				for k := 0; !stop.Load(); k++ {
					_, err := g.app[i].secrets.SetSecret(context.Background(), fmt.Sprintf("k%d", i),
						azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil)
					if err == nil {
						mu.Lock()
						write.note()
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(3 * time.Second)
		mu.Lock()
		write.longest = 0
		for _, r := range read {
			r.longest = 0
		}
		mu.Unlock()
		g.c.Kill(g.leader)
		time.Sleep(6 * time.Second)
		stop.Store(true)
		load.Wait()
		write.note() // nothing since then is a gap too
		writes = append(writes, write.longest)
		worst := time.Duration(0)
		for _, r := range read {
			r.note()
			worst = max(worst, r.longest)
		}
		reads = append(reads, worst)
		g.c.Start(g.leader)
		g.c.Unseal(g.leader)
		time.Sleep(2 * time.Second)
	}
	fmt.Fprintf(&g.table,
		"leader killed %d times: no write acknowledged for %s in the median, %s at worst; no read at some node for %s in the median, %s at worst\n",
		n, millis(median(writes)), millis(slices.Max(writes)), millis(median(reads)),
		millis(slices.Max(reads)))
}

// A gap is the longest time between two successes.
type gap struct {
	last    time.Time
	longest time.Duration
}

func (g *gap) note() {
	now := time.Now()
	g.longest, g.last = max(g.longest, now.Sub(g.last)), now
}

func micros(d time.Duration) string { return d.Round(time.Microsecond).String() }
func millis(d time.Duration) string { return d.Round(time.Millisecond).String() }
