package testcluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/node"
	"keyquorum/prove"
	"keyquorum/testcluster"
)

// TestHistories runs clusters on fake time, each with clients on all nodes and a schedule of faults
// of its own, and holds what was answered to what a linearizable cluster can answer.
// KEYQUORUM_HISTORIES sets how many, KEYQUORUM_SEED with which seed the first.
func TestHistories(t *testing.T) {
	first, n := seed(t), number(t, "KEYQUORUM_HISTORIES", 10)
	var mu sync.Mutex
	total := &report{}
	t.Cleanup(func() { total.judge(t, n) }) // when all of them have ended
	for i := range n {
		s := first + uint64(i)
		all := t
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			t.Parallel()
			if all.Failed() {
				t.Skip("a history before this one failed already")
			}
			l := history(t, s)
			mu.Lock()
			defer mu.Unlock()
			total.add(l)
		})
	}
}

// judge wants of so many runs that clients gave up, of more that nodes did, and that each ceremony
// was done. Else what comes of what nobody waits for, or has begun, is not held to anything. (What
// is rarer has tests of its own: TestCutOffMemberAnswersNothing, TestWriteOfALeaderThatIsCutOff.)
func (r *report) judge(t *testing.T, runs int) {
	t.Helper()
	t.Logf("\n%s", r)
	for how, of := range map[string]int{"no answer in time": 20, "503 NoLeader": 200} {
		if !t.Failed() && runs >= of && r.failures[how] == 0 {
			t.Errorf("in %d runs no client was told %q", runs, how)
		}
	}
	for _, name := range ceremonies {
		if !t.Failed() && runs >= 100 && r.ceremonies[name].Done == 0 {
			t.Errorf("in %d runs no %s was done", runs, name)
		}
	}
}

// ceremonies are faults that are done to their end when a cluster is well.
var ceremonies = []string{"rotate", "rekey", "restore", "replace", "move", "move-all"}

// A lived is a run and what happened to its cluster meanwhile.
type lived struct {
	*prove.Run
	verdict  *prove.Verdict
	suffered []testcluster.Suffered
	held     []testcluster.State // by all nodes, when it was compared after the steps
	stuck    error               // why the cluster did not go on when its faults were over; nil: it did

	ceremonies map[string]testcluster.Tally
}

// history lets one cluster live in a bubble.
func history(t *testing.T, seed uint64) (l lived) {
	t.Helper()
	var schedule testcluster.Schedule
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, []int{3, 3, 3, 5}[seed%4], ways(seed))
		if seed%3 == 0 {
			c.AddNonvoter()
		}
		if seed%13 == 0 { // whose folder a thief may have
			c.Remove(c.AddVoter())
		}
		switch {
		case seed%7 == 0:
			farApart(c, seed)
		case seed%11 == 0:
			spread(c)
		}
		schedule = testcluster.NewSchedule(seed, 3, c.Size(), c.Faults())
		if seed%7 != 0 && seed%11 == 0 {
			schedule.Steps[seed%3].Faults[0].Name = "region"
		}
		if seed%5 < 2 {
			lengthen(schedule)
		}
		defer func() { tellOfFailure(t, seed, schedule) }()
		l.live(t, c, schedule, prove.Options{
			Seed: seed, Operations: 1000, Think: length(schedule) / 50,
			CallTimeout: []time.Duration{700 * time.Millisecond, 3 * time.Second,
				40 * time.Second}[seed/3%3],
		})
	})
	l.judge(t, "KEYQUORUM_HISTORIES=1", "^TestHistories$", schedule)
	return l
}

// lengthen makes one step 30 to 45 s long, so that there is nobody who does not give up: a node
// waits 5 s for a leader, a server 30 s for an answer, a client as long as its seed says. Fake time
// costs little.
func lengthen(s testcluster.Schedule) {
	step := &s.Steps[s.Seed%uint64(len(s.Steps))]
	step.Lasts = 30*time.Second + 3*step.Lasts
}

// length is how long a schedule takes, but for the mending.
func length(s testcluster.Schedule) (all time.Duration) {
	for _, step := range s.Steps {
		all += step.Calm + step.Lasts
	}
	return all
}

// ways makes every fifth cluster do without leases, so that every read is fenced, and every second
// take snapshots all the time and keep little log behind them, so that nodes that were away are
// sent one, which else happens to none of so short a life.
func ways(seed uint64) func(int, *node.Config) {
	return func(_ int, config *node.Config) {
		config.Leases.Off = seed%5 == 0
		if seed%2 == 0 {
			config.Compact = node.Compact{Weight: 1 << 10, Entries: 4}
		}
	}
}

// farApart gives every link a delay of its own. A step that heals the links brings the nodes
// together again.
func farApart(c *testcluster.Cluster, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 3))
	for i := range c.Size() {
		for j := range i {
			c.Slow(i, j, time.Duration(dice.Int64N(int64(60*time.Millisecond))), 0)
		}
	}
}

// spread puts nodes into three regions that stay far from each other, and of which one may be cut
// off.
func spread(c *testcluster.Cluster) {
	var regions []string
	for i := range c.Size() {
		regions = append(regions, threeRegions[i%3])
	}
	c.Spread(regions, between)
}

// threeRegions are 80 ms and 150 ms from each other.
var threeRegions = []string{"east", "west", "south"}

func between(a, b string) time.Duration {
	switch {
	case a == b:
		return 0
	case a == "south" || b == "south":
		return 150 * time.Millisecond
	}
	return 80 * time.Millisecond
}

// live lets clients work for as long as the cluster suffers, and completes the history when it is
// whole again.
func (l *lived) live(t *testing.T, c *testcluster.Cluster, s testcluster.Schedule,
	o prove.Options) {
	t.Helper()
	l.during(t, c, o, func() {
		l.suffered = c.Suffer(s)
		l.stuck = l.suffered[len(l.suffered)-1].Stuck
	})
}

// during lets clients work for as long as suffer takes.
func (l *lived) during(t *testing.T, c *testcluster.Cluster, o prove.Options, suffer func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var err error
	l.Run, err = prove.Begin(ctx, c.Target(), o)
	must(t, err)
	c.Witness(l.Now)
	working, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { l.Work(working); close(done) }()
	suffer()
	stop()
	<-done
	if l.stuck == nil {
		l.stuck = c.Recover()
	}
	l.ceremonies = c.Ceremonies()
	for _, one := range c.Restores() {
		l.Restored(prove.Restore{Saved: prove.Span(one.Saved), Put: prove.Span(one.Put), Done: one.Done})
	}
	if l.stuck != nil {
		return // what was answered is judged; to read it back would take for ever
	}
	l.held = append(l.held, c.Settled())
	must(t, l.ReadBack(ctx))
	l.held = append(l.held, c.Digests())
	var logs [][]byte
	for i := range c.Size() {
		logs = append(logs, c.UsageLog(i))
	}
	if err := l.CountUsage(logs...); err != nil {
		t.Error(err)
	}
	if _, err := c.ReplayLeases(); err != nil {
		t.Errorf("leases: %v", err)
	}
	for _, line := range c.Unjust() {
		t.Errorf("a member in good order is accused: %s", line)
	}
}

// judge checks the history, outside of the bubble: there, time stands still while something is
// computed.
func (l *lived) judge(t *testing.T, how, test string, schedule testcluster.Schedule) {
	t.Helper()
	if l.Run == nil {
		return
	}
	if err := l.check(); err != nil {
		tellOfFailure(t, schedule.Seed, schedule)
		t.Error(err)
		if dir := os.Getenv("KEYQUORUM_PICTURES"); dir != "" {
			for _, v := range l.verdict.Violations {
				picture, err := v.Draw(dir)
				must(t, err)
				t.Logf("picture of %s: %s", v.Object, picture)
			}
		}
		t.Logf("again with: KEYQUORUM_SEED=%d %s go test -run %s ./testcluster", schedule.Seed, how, test)
	}
}

// check is an error unless there is something to judge, and nothing wrong with it. A cluster that
// is stuck for ever is as wrong as a stale read.
func (l *lived) check() error {
	l.verdict = l.Check()
	if err := errors.Join(l.verdict.Err(), l.stuck); err != nil {
		return err
	}
	if l.verdict.Acknowledged == 0 {
		return errors.New("no write was acknowledged: none can have been lost")
	}
	return nil
}

func tellOfFailure(t *testing.T, seed uint64, s testcluster.Schedule) {
	if t.Failed() {
		t.Logf("seed %d, schedule:\n%s", seed, s)
	}
}

// number reads a setting.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	must(t, err)
	return n
}

func seed(t *testing.T) uint64 { return uint64(number(t, "KEYQUORUM_SEED", 1)) }
