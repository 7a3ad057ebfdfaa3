package testcluster_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/testcluster"
)

// A strict is a test that notes its failure, so that a verb that must fail can be seen to.
type strict struct{ testing.TB }

type failure string

func (s strict) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }
func (s strict) Fatal(args ...any)                 { panic(failure(fmt.Sprint(args...))) }

// refused says with which words a verb of a strict cluster failed, "" if it did not.
func refused(verb func()) (words string) {
	defer func() {
		if f, ok := recover().(failure); ok {
			words = string(f)
		}
	}()
	verb()
	return ""
}

func mustRefuse(t *testing.T, what, words string, verb func()) {
	t.Helper()
	if got := refused(verb); !strings.Contains(got, words) {
		t.Errorf("%s: it says %q, not %q", what, got, words)
	}
}

// A verb that did nothing must not pass: the test would claim a fault that never was.
func TestVerbsOnNodesThatDoNotExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(strict{t}, 3)
		for name, verb := range map[string]func(i int){
			"Start": c.Start, "Kill": c.Kill, "Stop": c.Stop, "Restart": c.Restart, "Seal": c.Seal,
			"Unseal": c.Unseal, "Remove": c.Remove,
			"Pause": c.Pause, "Resume": c.Resume, "Isolate": c.Isolate, "Reset": c.Reset,
			"FillDisk": c.FillDisk, "FailSync": c.FailSync, "FailUsageLog": c.FailUsageLog,
			"SkewClock":       func(i int) { c.SkewClock(i, time.Hour) },
			"Partition":       func(i int) { c.Partition(0, i) },
			"PartitionOneWay": func(i int) { c.PartitionOneWay(0, i) },
			"Slow":            func(i int) { c.Slow(0, i, time.Second, 0) },
			"Drop":            func(i int) { c.Drop(i, 0, 1) },
			"CorruptByte":     func(i int) { c.CorruptByte(i, "cluster/raft.db", 0) },
			"PowerCut":        func(i int) { c.PowerCut(rand.New(rand.NewPCG(1, 1)), 0, i) },
		} {
			for _, i := range []int{-1, 3, 8} {
				mustRefuse(t, fmt.Sprintf("%s(%d)", name, i), fmt.Sprintf("there is no node %d", i),
					func() { verb(i) })
			}
		}
	})
}

func TestPauseWhereItCannotBe(t *testing.T) {
	c := testcluster.Loopback(strict{t}, 1, nil)
	mustRefuse(t, "over real sockets", "can't be done to", func() { c.Pause(0) })
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(strict{t}, 1)
		c.Kill(0)
		mustRefuse(t, "a dead node", "does not run", func() { c.Pause(0) })
	})
}

// Who is killed while it is paused comes back as if it had not been.
func TestPausedNodeIsKilled(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		for i, again := range []func(i int){c.Restart, func(i int) { c.Kill(i); c.Start(i) }} {
			c.Pause(i)
			time.Sleep(time.Second)
			again(i)
			c.Unseal(i)
			if s := create(c, i, fmt.Sprint("again-", i)); s != 200 {
				t.Errorf("it answers %d", s)
			}
		}
		c.Digests()
	})
}

// What is wrong with a machine is wrong until Heal, however often its process starts.
func TestFaultsOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(strict{t}, 3)
		i := (c.Leader() + 1) % 3
		c.FailUsageLog(i)
		c.Restart(i)
		c.Unseal(i)
		if s := create(c, i, "unrecorded"); s != 500 {
			t.Errorf("without a usage record it answered %d", s)
		}
		c.Kill(i)
		c.FillDisk(i)
		// Raft stores its term when it starts, too.
		mustRefuse(t, "a start on a full disk", "no space left", func() { c.Start(i) })
		c.Settled()
	})
}

func TestDigestsOfOneNodeProveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(strict{t}, 3)
		c.Seal(0)
		c.Digests()
		c.Kill(1)
		mustRefuse(t, "one node of three", "nothing to compare", func() { c.Digests() })
		c.Settled()
		c.FillDisk(2)
		create(c, 0, "something")
		c.ExitCode(2, time.Minute)
		c.Heal()
		c.Start(2)
		c.Pause(2)
		mustRefuse(t, "a node that does not answer", "not within 30 s: node 2 says",
			func() { c.Digests() })
	})
}
