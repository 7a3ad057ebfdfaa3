package cluster

import "time"

// Leases rest on two clocks that run at nearly the same rate: whoever waits for the end of one counts a tenth longer than whoever uses it.
// So each member compares its lease clock with the leader's. Each check-in's answer brings a reading of the leader's clock from some
// moment between question and answer, and two of those bound how far that clock went on while the own one did. A member that is
// certain that the two differ takes no lease and echoes no token, so that the leader builds on nothing that it counts. When it is the
// leader's clock that is off, all members see that, and there are no leases, the leader's own included. What is found is what goes on for
// a while, a machine with a broken clock; a clock that goes astray in the very second in which its node is cut off is not found.

// maxDrift is by how much the rates of a member's clock and of the leader's may differ. Of two members, each within it, one waits
// long enough for the other: 1.04 / 0.96 is less than 1.1.
const maxDrift = 0.04

// A reading is the leader's clock at a moment between two of this node's.
type reading struct {
	term         uint64
	before, then time.Duration // this node's clock around it
	leader       time.Duration
}

// A drift compares the lease clocks: over seconds, to find a sudden change soon, and over a minute, in which the way of a message hardly
// matters. Tenure's lock guards it.
type drift struct {
	soon, sure window
	found      time.Duration // when they last disagreed, on this node's clock; 0: never in this term
}

const (
	soonSpan  = 2 * time.Second
	sureSpan  = 30 * time.Second
	driftStay = 10 * time.Second // for how long they must agree before leases are taken again
)

// note takes a reading, and says whether the clocks run at different rates, or did a moment ago.
func (d *drift) note(now reading) bool {
	if d.found != 0 && d.soon.old.term != now.term {
		d.found = now.then // they must agree in this term too
	}
	agreed := d.soon.note(now, soonSpan)
	agreed = d.sure.note(now, sureSpan) && agreed
	if !agreed {
		*d = drift{found: now.then}
	}
	return d.found != 0 && now.then < d.found+driftStay
}

// A window has a reading to compare with that is one to two spans old, and the one that will follow it.
type window struct{ old, next reading }

func (w *window) note(now reading, span time.Duration) (agreed bool) {
	if w.old.term != now.term {
		*w = window{now, now}
	}
	if now.before < w.old.then {
		return true // it tells nothing: this answer was overtaken, or is the first
	}
	agreed = w.old.agrees(now)
	if now.before > w.next.then+span {
		w.old, w.next = w.next, now
	}
	return agreed
}

// agrees says whether the leader's clock may have run at this node's rate between two readings.
func (r reading) agrees(later reading) bool {
	least, most := later.before-r.then, later.then-r.before
	took := later.leader - r.leader
	return float64(took) >= float64(least)*(1-maxDrift) && float64(took) <= float64(most)*(1+maxDrift)
}

// noteDrift tells people, once.
func (c *Cluster) noteDrift(astray bool) {
	if c.astray.Swap(astray) == astray {
		return
	}
	if astray {
		c.logger.Error("the clock of this machine, or the leader's, runs at a wrong rate: reads here ask the leader each time")
	} else {
		c.logger.Info("the clocks of this machine and the leader's run at the same rate again")
	}
}
