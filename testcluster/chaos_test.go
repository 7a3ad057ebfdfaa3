package testcluster_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"keyquorum/prove"
	"keyquorum/testcluster"
)

// TestChaos breaks clusters for KEYQUORUM_CHAOS (make chaos TIME=20m): histories on fake time on
// one side, real processes on the other, each with schedules from running seeds, and reports.
// Without the variable it gives the processes one schedule.
func TestChaos(t *testing.T) {
	var end time.Time
	if s := os.Getenv("KEYQUORUM_CHAOS"); s != "" {
		d, err := time.ParseDuration(s)
		must(t, err)
		end = time.Now().Add(d)
	}
	bubbles, processes := &report{}, &report{}
	t.Run("all", func(t *testing.T) {
		var broken atomic.Bool
		t.Run("processes", func(t *testing.T) {
			t.Parallel()
			defer func() { broken.CompareAndSwap(false, t.Failed()) }()
			chaosOfProcesses(t, end, processes)
		})
		if end.IsZero() {
			return // TestHistories has the bubbles
		}
		t.Run("bubbles", func(t *testing.T) {
			t.Parallel()
			for s := seed(t); time.Now().Before(end) && !t.Failed() && !broken.Load(); s++ {
				t.Run(fmt.Sprint("seed ", s), func(t *testing.T) { bubbles.add(history(t, s)) })
			}
		})
	})
	t.Logf("bubbles:\n%s\nprocesses:\n%s", bubbles, processes)
	if name := os.Getenv("KEYQUORUM_REPORT"); name != "" {
		must(t, os.WriteFile(name, fmt.Appendf(nil, "bubbles:\n%s\nprocesses:\n%s", bubbles, processes),
			0o644))
	}
}

// chaosOfProcesses lets one cluster of breakable processes suffer one schedule after the other
// until end, once at least.
func chaosOfProcesses(t *testing.T, end time.Time, r *report) {
	c := testcluster.Breakable(t, 3)
	c.AddNonvoter()
	for s := seed(t); ; s++ {
		schedule := testcluster.NewSchedule(s, 3, c.Size(), c.Faults())
		l := lived{}
		l.live(t, c, schedule, prove.Options{
			Seed: s, Vault: fmt.Sprint("chaos-", s), Operations: 2000, Think: 100 * time.Millisecond,
		})
		l.judge(t, "KEYQUORUM_CHAOS=1s", "^TestChaos$", schedule)
		r.add(l)
		if t.Failed() || !time.Now().Before(end) {
			return
		}
	}
}

// A report adds up what became of runs.
type report struct {
	runs, histories, operations, acknowledged, unknown int
	violations, stuck, undecided, digests, lost        int
	failures                                           map[string]int // by what was answered
	faults                                             map[string]*suffering
	ceremonies                                         map[string]testcluster.Tally
}

// suffering is what became of one kind of fault.
type suffering struct {
	times int
	gaps  []time.Duration // the longest time without an acknowledged write, of each time
}

func (r *report) add(l lived) {
	if l.verdict == nil {
		return
	}
	r.runs++
	r.digests += len(l.held) + len(l.suffered)
	r.histories += l.verdict.Histories
	r.operations += l.verdict.Operations
	r.acknowledged += l.verdict.Acknowledged
	r.unknown += l.verdict.Unknown
	r.violations += len(l.verdict.Violations)
	if l.stuck != nil {
		r.stuck++
	}
	r.undecided += l.verdict.Undecided
	if r.failures == nil {
		r.failures, r.faults = map[string]int{}, map[string]*suffering{}
		r.ceremonies = map[string]testcluster.Tally{}
	}
	for name, more := range l.ceremonies {
		t := r.ceremonies[name]
		r.ceremonies[name] = testcluster.Tally{Begun: t.Begun + more.Begun, Done: t.Done + more.Done}
	}
	for what, n := range l.verdict.Failures {
		r.failures[what] += n
	}
	for _, step := range l.suffered {
		r.lost += step.Lost
		name := strings.Join(step.Faults, " + ")
		if len(step.Faults) > 1 {
			name = "two at once"
		}
		if r.faults[name] == nil {
			r.faults[name] = &suffering{}
		}
		f := r.faults[name]
		f.times++
		f.gaps = append(f.gaps, l.Gap(step.Begun, step.Over))
	}
}

// String is the report for people.
func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "runs %d, histories %d, operations %d; violations %d, stuck for ever %d, undecided %d\n",
		r.runs, r.histories, r.operations, r.violations, r.stuck, r.undecided)
	lost := "none"
	if r.violations > 0 {
		lost = "see the violations"
	}
	fmt.Fprintf(&b, "writes: acknowledged %d, of these lost %s; outcome unknown %d\n", r.acknowledged,
		lost, r.unknown)
	fmt.Fprintf(&b, "digests of all nodes compared %d times; sectors lost to power cuts %d\n",
		r.digests, r.lost)
	for _, what := range slices.Sorted(maps.Keys(r.failures)) {
		fmt.Fprintf(&b, "%6d × %s\n", r.failures[what], what)
	}
	for _, name := range ceremonies {
		fmt.Fprintf(&b, "%s: begun %d times, done %d times\n", name, r.ceremonies[name].Begun,
			r.ceremonies[name].Done)
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\ttimes\tlongest time without an acknowledged write: median\tworst")
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		f := r.faults[name]
		slices.Sort(f.gaps)
		fmt.Fprintf(w, "%s\t%d\t%v\t%v\n", name, f.times, f.gaps[len(f.gaps)/2].Round(time.Millisecond),
			f.gaps[len(f.gaps)-1].Round(time.Millisecond))
	}
	w.Flush()
	return b.String()
}
