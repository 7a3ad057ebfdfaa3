package schedule

import (
	"slices"
	"testing"
	"time"
)

// Retention: by number, by age, and by whichever keeps more; never the newest, and never what is
// not older than the one that is due, as after a clock that was wrong. By age nothing goes that is
// among as many as that age has intervals, or among the newest three.
func TestSurplus(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	var ours []Kept
	for _, day := range []int{30, 9, 8, 7, 6, 5} { // a node was three weeks ahead
		ours = append(ours, Kept{Name: Name{Due: at(day)}})
	}
	const days = 24 * time.Hour
	for _, row := range []struct {
		plan Plan
		due  int
		want []int // that go
	}{
		{Plan{Keep: 4}, 9, []int{6, 5}},
		{Plan{Keep: 1}, 9, []int{8, 7, 6, 5}},
		{Plan{Keep: 10}, 9, nil},
		{Plan{KeepFor: 2 * days}, 9, []int{7, 6, 5}},
		{Plan{KeepFor: time.Hour}, 9, []int{7, 6, 5}},
		{Plan{Keep: 2, KeepFor: 3 * days}, 9, []int{6, 5}},
		{Plan{Keep: 5, KeepFor: days}, 9, []int{5}},
		// The leader's clock is those three weeks ahead now.
		{Plan{KeepFor: 7 * days}, 30, nil},
		{Plan{KeepFor: 4*days + time.Hour}, 30, []int{5}},
		{Plan{KeepFor: time.Hour}, 30, []int{7, 6, 5}},
	} {
		row.plan.Every = days
		var got []int
		for _, k := range row.plan.surplus(ours, at(row.due)) {
			got = append(got, k.Due.Day())
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("by %+v those of %v go, want %v", row.plan, got, row.want)
		}
	}
}

// Of one interval the newest history comes first. One of later than this node's own is no business
// of that, and stays.
func TestHistoriesInOrder(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	name := func(due time.Time, generation, restores uint64) Name {
		return Name{Cluster: "a", Due: due, History: History{Generation: generation, Restores: restores}}
	}
	newest, before := name(at, 1, 0), name(at, 0, 2)
	older, another := name(at.Add(-time.Hour), 1, 0), name(at, 0, 0)
	another.Cluster = "b"
	var kept []Kept
	for _, n := range []Name{older, before, another, newest} {
		kept = append(kept, Kept{Name: n})
	}
	for own, want := range map[Name][]Name{newest: {newest, before, older}, before: {before}} {
		var got []Name
		for _, k := range of(kept, own) {
			got = append(got, k.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("to %v there are %v, want %v", own, got, want)
		}
	}
}

// An attempt that failed is made again before the next one is due, and ever more seldom.
func TestRetry(t *testing.T) {
	for _, every := range []time.Duration{Least, time.Hour, 24 * time.Hour} {
		before := time.Duration(0)
		for failed := 1; failed < 100; failed++ {
			wait := Plan{Every: every}.retry(failed)
			if wait < before || wait < Least/2 || wait > every/2 || wait > 15*time.Minute {
				t.Errorf("with one in %v it waits %v after %d failures", every, wait, failed)
			}
			before = wait
		}
	}
}
