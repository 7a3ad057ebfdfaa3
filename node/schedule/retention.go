package schedule

import (
	"cmp"
	"slices"
	"time"
)

// of are the snapshots of one cluster, the newest first. Whatever else lies in a store is none of
// ours; neither is what is of a later history: a node that is left of before a recovery must not
// count it, nor remove it.
func of(kept []Kept, name Name) []Kept {
	ours := slices.DeleteFunc(slices.Clone(kept), func(k Kept) bool {
		return k.Cluster != name.Cluster || k.after(name.History)
	})
	slices.SortFunc(ours, func(a, b Kept) int { return Newer(a.Name, b.Name) })
	return ours
}

// Newer has the newer of two snapshots first: by when they were due, and then by their histories.
func Newer(a, b Name) int {
	return cmp.Or(b.Due.Compare(a.Due), cmp.Compare(b.Generation, a.Generation),
		cmp.Compare(b.Restores, a.Restores))
}

// leastByAge is how many of the newest stay where age decides, whatever the clock says.
const leastByAge = 3

// byNumber is how many of the newest stay, however old they are. Where age decides, these are as
// many as become so old: a leader whose clock is far ahead removes one for each that it keeps, as
// ever, and not all that were kept before.
func (p Plan) byNumber() int {
	if p.KeepFor == 0 {
		return max(p.Keep, 1)
	}
	intervals := int((p.KeepFor-1)/p.Every) + 1
	return max(p.Keep, intervals, leastByAge)
}

// surplus are those that need not be kept any more, once the one that is due is kept. ours are of
// one cluster, the newest first. One stays as long as its number or its age lets it, and what is
// not older than the one that is due stays in any case.
func (p Plan) surplus(ours []Kept, due time.Time) (old []Kept) {
	stay := p.byNumber()
	for i, k := range ours {
		young := p.KeepFor > 0 && due.Sub(k.Due) < p.KeepFor
		if i >= stay && !young && k.Due.Before(due) {
			old = append(old, k)
		}
	}
	return old
}

// retry is how long to wait after so many attempts in a row that failed: longer each time, and
// never as long as an interval.
func (p Plan) retry(failed int) time.Duration {
	const first, most = 30 * time.Second, 15 * time.Minute
	wait := first
	for i := 1; i < failed && wait < most; i++ {
		wait *= 2
	}
	return min(wait, most, p.Every/2)
}

// patience bounds one attempt. A large snapshot over a thin line takes its time.
func (p Plan) patience() time.Duration {
	return min(max(p.Every, 10*time.Minute), 6*time.Hour)
}
