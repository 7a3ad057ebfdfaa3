package tally_test

import (
	"testing"
	"time"

	"keyquorum/internal/tally"
)

func TestEachDurationHasItsBucket(t *testing.T) {
	var d tally.Durations
	for _, bound := range tally.Bounds {
		d.Note(bound)
	}
	d.Note(time.Hour)
	r := d.Read()
	for i, n := range r.Buckets {
		if n != 1 {
			t.Errorf("bucket %d holds %d, want the one at its upper edge", i, n)
		}
	}
	if want := uint64(len(tally.Bounds) + 1); r.Count() != want {
		t.Errorf("%d were counted, %d were noted", r.Count(), want)
	}
	d.Note(-time.Nanosecond) // a clock that was set back
	d.Note(0)
	if r = d.Read(); r.Buckets[0] != 3 {
		t.Errorf("the first bucket holds %d, want 3", r.Buckets[0])
	}
	if twice := r.Plus(r); twice.Count() != 2*r.Count() || twice.Sum != 2*r.Sum ||
		twice.Sum < 2*time.Hour {
		t.Errorf("%+v and itself are %+v", r, twice)
	}
}

func TestNotingTakesNoMemory(t *testing.T) {
	var d tally.Durations
	if n := testing.AllocsPerRun(100, func() { d.Note(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
