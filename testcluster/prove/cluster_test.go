package prove_test

import (
	"context"
	"testing"
	"time"

	"keyquorum/testcluster"
	"keyquorum/testcluster/prove"
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

func TestAWholeClusterIsLinearizable(t *testing.T) {
	c := testcluster.Loopback(t, 3, nil)
	ctx := within(t, time.Minute)
	run, err := prove.Begin(ctx, c.Target(), prove.Options{Seed: 1, Operations: 600})
	must(t, err)
	begun := time.Now()
	run.Work(ctx)
	worked := time.Now()
	must(t, run.ReadBack(ctx))
	verdict := run.Check()
	t.Logf("worked %v, read back in %v, gap %v; %v", worked.Sub(begun), time.Since(worked), run.Gap(begun, worked), verdict)
	must(t, verdict.Err())
	must(t, run.CountUsage(usage(c)...))
	must(t, run.CleanUp(ctx))
	must(t, run.CountUsage(usage(c)...))
}
