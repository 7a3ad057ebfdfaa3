package testcluster_test

import (
	"cmp"
	"slices"
	"testing"
	"testing/synctest"

	"keyquorum/prove"
	"keyquorum/testcluster"
)

// A run in which nobody was told that anything was done has no violation, and shows nothing.
func TestNothingAcknowledgedIsNoProof(t *testing.T) {
	l := lived{}
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 1)
		var err error
		l.Run, err = prove.Begin(t.Context(), c.Target(), prove.Options{})
		must(t, err)
	})
	if l.check() == nil {
		t.Error("a history without a write passes")
	}
}

// The report counts what was measured.
func TestReportCountsWhatWasCompared(t *testing.T) {
	r, l := &report{}, lived{}
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3)
		l.live(t, c, testcluster.NewSchedule(1, 2, 3, []string{"step-down"}),
			prove.Options{Operations: 20})
	})
	l.judge(t, "", "", testcluster.Schedule{})
	r.add(l)
	if r.digests != 4 {
		t.Errorf("digests were compared %d times, want once after each of 2 steps and twice in the end",
			r.digests)
	}
	for i, step := range l.suffered {
		if step.Held.Digest == "" || step.Held.Index == 0 {
			t.Errorf("after step %d nothing was compared", i)
		}
	}
}

func median[T cmp.Ordered](list []T) T {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}
