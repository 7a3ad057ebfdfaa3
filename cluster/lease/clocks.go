package lease

import "time"

// Leases rest on two clocks that run at nearly the same rate. So each member compares its lease
// clock with the leader's. Each answer brings a reading of the leader's clock from some moment
// between question and answer, and two of those bound how far that clock went on while the own one
// did. A member that is certain that the two differ takes no lease and echoes no token, so that the
// leader builds on nothing that it counts. When it is the leader's clock that is off, all members
// see that, and there are no leases, the leader's own included. What is found is what goes on for a
// while, a machine with a broken clock; a clock that goes astray in the very second in which its
// node is cut off is not found (L14).

const (
	soonSpan  = 2 * time.Second
	sureSpan  = 30 * time.Second
	driftStay = 10 * time.Second // for how long clocks must agree before leases are taken again
)

// A sample is the leader's clock at a moment between two of this node's.
type sample struct {
	term         uint64
	before, then time.Duration // this node's clock around it
	leader       time.Duration
}

// Clocks compares over seconds, to find a sudden change soon, and over half a minute, in which the
// way of a message hardly matters.
type Clocks struct {
	soon, sure window
	// found is from when on they have to agree, on this node's clock: when they last disagreed, or the
	// first answer of this term, if that came before they had agreed for long enough. 0: they have.
	found time.Duration
}

// differ takes a sample, and says whether the clocks run at different rates, or did a moment ago.
func (d *Clocks) differ(maxDrift float64, now sample) bool {
	if d.found != 0 && d.soon.old.term != now.term {
		d.found = now.then // they must agree for as long in one term, under one leader
	}
	agreed := d.soon.note(now, soonSpan, maxDrift)
	agreed = d.sure.note(now, sureSpan, maxDrift) && agreed
	if !agreed {
		*d = Clocks{found: now.then}
	}
	if now.then >= d.found+driftStay {
		d.found = 0
	}
	return d.found != 0
}

// A window has a sample to compare with that is one to two spans old, and the one that will follow.
type window struct{ old, next sample }

func (w *window) note(now sample, span time.Duration, maxDrift float64) (agreed bool) {
	if w.old.term != now.term {
		*w = window{now, now}
	}
	if now.before < w.old.then {
		return true // it tells nothing: this answer was overtaken, or is the first
	}
	agreed = w.old.agrees(now, maxDrift)
	if now.before > w.next.then+span {
		w.old, w.next = w.next, now
	}
	return agreed
}

// agrees says whether the leader's clock may have run at this node's rate between two samples.
func (s sample) agrees(later sample, maxDrift float64) bool {
	least, most := later.before-s.then, later.then-s.before
	took := later.leader - s.leader
	return float64(took) >= float64(least)*(1-maxDrift) &&
		float64(took) <= float64(most)*(1+maxDrift)
}
