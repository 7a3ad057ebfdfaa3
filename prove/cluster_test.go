package prove_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/prove"
	"keyquorum/testcluster"
)

// usage is the usage logs of all nodes.
func usage(c *testcluster.Cluster) (logs [][]byte) {
	for i := range c.Size() {
		logs = append(logs, c.UsageLog(i))
	}
	return logs
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// proven ends a run on a cluster that is whole again, and returns what it was found to be.
func proven(t *testing.T, ctx context.Context, c *testcluster.Cluster,
	run *prove.Run) *prove.Verdict {
	t.Helper()
	must(t, run.ReadBack(ctx))
	verdict := run.Check()
	t.Log(verdict)
	must(t, verdict.Err())
	must(t, run.CountUsage(usage(c)...))
	return verdict
}

func TestAWholeClusterIsLinearizable(t *testing.T) {
	c := testcluster.Loopback(t, 3, nil)
	ctx := within(t, time.Minute)
	run, err := prove.Begin(ctx, c.Target(), prove.Options{Seed: 1, Operations: 600})
	must(t, err)
	run.Work(ctx)
	verdict := proven(t, ctx, c, run)
	if verdict.Operations < 600 || verdict.Acknowledged < 150 || verdict.Histories < 6 ||
		verdict.Unknown > 0 {
		t.Errorf("no faults, and yet: %v", verdict)
	}
	t.Run("the usage logs are counted", func(t *testing.T) { countsUsage(t, c, run) })
	t.Run("and nothing is left", func(t *testing.T) {
		must(t, run.CleanUp(ctx))
		leavesNothing(t, c)
	})
	t.Run("nor of runs that never cleaned up", func(t *testing.T) { cleansUpOlder(t, ctx, c) })
}

// countsUsage takes a line away, doubles one, and falsifies one: CountUsage must say so.
func countsUsage(t *testing.T, c *testcluster.Cluster, run *prove.Run) {
	logs := usage(c)
	before, line, after := cutLine(logs[1])
	for says, changed := range map[string][]byte{
		"not recorded":     bytes.Join([][]byte{before, after}, nil),
		"recorded 2 times": bytes.Join([][]byte{before, line, line, after}, nil),
		"answered 200, recorded": bytes.Join([][]byte{before,
			bytes.Replace(line, []byte(`"status":200`), []byte(`"status":403`), 1), after}, nil),
	} {
		err := run.CountUsage(logs[0], changed, logs[2])
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("CountUsage says %v, not %q", err, says)
		}
	}
}

// cutLine cuts out the first line about a secret that was set.
func cutLine(log []byte) (before, line, after []byte) {
	found := bytes.Index(log, []byte(`"operation":"secrets/set"`))
	for !bytes.Contains(log[found:found+bytes.IndexByte(log[found:], '\n')], []byte(`"status":200`)) {
		found += 1 + bytes.Index(log[found+1:], []byte(`"operation":"secrets/set"`))
	}
	begin := bytes.LastIndexByte(log[:found], '\n') + 1
	end := found + bytes.IndexByte(log[found:], '\n') + 1
	return log[:begin], log[begin:end], log[end:]
}

func leavesNothing(t *testing.T, c *testcluster.Cluster) {
	var left struct {
		Apps   []any `json:"apps"`
		Grants []any `json:"grants"`
	}
	c.Call(0, "GET", "/v1/keyquorum/apps", nil, &left)
	c.Call(0, "GET", "/v1/keyquorum/vaults/prove/grants", nil, &left)
	if len(left.Apps)+len(left.Grants) > 0 {
		t.Errorf("left behind: %+v", left)
	}
}

// cleansUpOlder leaves a run as it is, for another to remove; what people call alike stays.
func cleansUpOlder(t *testing.T, ctx context.Context, c *testcluster.Cluster) {
	begun := time.Now().Add(-time.Hour)
	left, err := prove.Begin(ctx, c.Target(), prove.Options{Seed: 9, Operations: 100})
	must(t, err)
	left.Work(ctx)
	c.NewApp("prove-it")
	next, err := prove.Begin(ctx, c.Target(), prove.Options{Seed: 10})
	must(t, err)
	if runs, err := next.CleanUpOlder(ctx, begun); runs != 0 || err != nil {
		t.Errorf("%d runs of before an hour ago were removed (%v)", runs, err)
	}
	if runs, err := next.CleanUpOlder(ctx, time.Now().Add(time.Hour)); runs != 1 || err != nil {
		t.Errorf("%d runs were removed (%v), want the one that was left", runs, err)
	}
	must(t, next.CleanUp(ctx))
	c.Call(0, "DELETE", "/v1/keyquorum/apps/prove-it", nil, nil) // it is there
	leavesNothing(t, c)
}

// A fault is done to a cluster while clients work, and undone.
var faults = map[string]func(c *testcluster.Cluster){
	"the leader is killed": func(c *testcluster.Cluster) {
		leader := c.Leader()
		c.Kill(leader)
		time.Sleep(5 * time.Second)
		c.Start(leader)
		c.Unseal(leader)
	},
	"a follower is killed": func(c *testcluster.Cluster) {
		follower := (c.Leader() + 1) % c.Size()
		c.Kill(follower)
		time.Sleep(2 * time.Second)
		c.Start(follower)
		c.Unseal(follower)
	},
	"the leader is cut off": func(c *testcluster.Cluster) {
		c.Isolate(c.Leader())
		time.Sleep(15 * time.Second)
	},
	"links lose": func(c *testcluster.Cluster) {
		for i := range c.Size() {
			c.Drop(i, (i+1)%c.Size(), 0.2)
		}
		time.Sleep(10 * time.Second)
	},
	"clocks differ": func(c *testcluster.Cluster) {
		c.SkewClock(0, 90*time.Minute)
		c.SkewClock(1, -90*time.Minute)
		time.Sleep(5 * time.Second)
	},
}

func TestFaultsLeaveItLinearizable(t *testing.T) {
	heavy.Test(t)
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := testcluster.New(t, 3)
				ctx := within(t, 10*time.Minute)
				run, err := prove.Begin(ctx, c.Target(),
					prove.Options{Seed: 2, Operations: 200, Think: 250 * time.Millisecond})
				must(t, err)
				begun, worked := time.Now(), make(chan struct{})
				go func() { run.Work(ctx); close(worked) }()
				time.Sleep(3 * time.Second)
				fault(c)
				c.Settled()
				<-worked
				verdict := proven(t, ctx, c, run)
				t.Logf("%v without an acknowledged write", run.Gap(begun, time.Now()))
				if verdict.Acknowledged < 40 {
					t.Error("hardly a write got through")
				}
			})
		})
	}
}

// TestKilledNodeOverRealSockets is one of them where connections break as they do in the field.
func TestKilledNodeOverRealSockets(t *testing.T) {
	c := testcluster.Loopback(t, 3, nil)
	ctx := within(t, time.Minute)
	run, err := prove.Begin(ctx, c.Target(),
		prove.Options{Seed: 6, Operations: 1000, Think: 10 * time.Millisecond})
	must(t, err)
	worked := make(chan struct{})
	go func() { run.Work(ctx); close(worked) }()
	leader := c.Leader()
	c.Restart(leader)
	c.Unseal(leader)
	c.Kill((leader + 1) % 3)
	<-worked
	c.Start((leader + 1) % 3)
	c.Unseal((leader + 1) % 3)
	proven(t, ctx, c, run)
}

// TestWorkEnds cuts every node off: clients have nothing but time-outs, and end when they are told
// to.
func TestWorkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3)
		ctx := within(t, time.Minute)
		run, err := prove.Begin(ctx, c.Target(),
			prove.Options{Seed: 3, Operations: 1000, CallTimeout: time.Second})
		must(t, err)
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		for i := range c.Size() {
			c.Pause(i)
		}
		begun := time.Now()
		run.Work(short)
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("Work took %v", took)
		}
		if gap := run.Gap(begun, time.Now()); gap != 10*time.Second {
			t.Errorf("a gap of %v while nobody answered", gap)
		}
		if err := run.ReadBack(short); err == nil {
			t.Error("ReadBack says that everything was read")
		}
		c.Settled()
		if verdict := proven(t, ctx, c, run); verdict.Unknown == 0 ||
			verdict.Failures["no answer in time"] == 0 {
			t.Errorf("all unanswered, and yet: %v", verdict)
		}
	})
}

func TestBeginNeedsWhatCanBeRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 1)
		c.Call(0, "POST", "/v1/keyquorum/vaults",
			map[string]any{"name": "kept", "purge_protection": true}, nil)
		if _, err := prove.Begin(t.Context(), c.Target(), prove.Options{Vault: "kept"}); err == nil ||
			!strings.Contains(err.Error(), "purge protection") {
			t.Errorf("Begin in a vault with purge protection: %v", err)
		}
		if _, err := prove.Begin(t.Context(), prove.Target{}, prove.Options{}); err == nil {
			t.Error("Begin without nodes succeeds")
		}
	})
}

// BenchmarkCheck checks the history of 250 operations, and what was read back, again and again.
func BenchmarkCheck(b *testing.B) {
	c := testcluster.Loopback(b, 3, nil)
	run, err := prove.Begin(b.Context(), c.Target(), prove.Options{Seed: 4})
	if err != nil {
		b.Fatal(err)
	}
	run.Work(b.Context())
	if err := run.ReadBack(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := run.Check().Err(); err != nil {
			b.Fatal(err)
		}
	}
}
