package lease

import (
	"slices"
	"time"
)

// MoveE moves E to what this FSM and all lease holders have applied (L6). What a leader that was
// deposed applies is not its to show: the reading has the term after the index.
func (n *Node) MoveE(r Reading) {
	t := &n.Table
	if !t.Open || r.Term != t.Term || !t.quiet(n.Limits, r.Now) {
		return
	}
	least := r.Applied
	kept := t.Leases[:0]
	for _, g := range t.Leases {
		if r.Now >= g.Until {
			if g.Applied < r.Applied {
				n.backOff(g.Node, r.Now)
			}
			continue
		}
		least = min(least, g.Applied)
		kept = append(kept, g)
	}
	t.Leases = kept
	n.raise(least)
	if n.E >= t.Overdue {
		t.Overdue, t.Since = r.Applied, r.Now
	}
}

// NextMove is when E may move though nobody checks in: a lease in the books ends, or a term becomes
// quiet. It is asked after MoveE, by the same reading: what lies before that has moved E, or waits
// for something else. soonest is when to look again in any case. What is left of a term that is
// over has no end to wait for.
func (n *Node) NextMove(r Reading, soonest time.Duration) time.Duration {
	t, next := &n.Table, soonest
	if t.Term != r.Term {
		return next
	}
	wait := func(until time.Duration) {
		if until > r.Now {
			next = min(next, until)
		}
	}
	for _, g := range t.Leases {
		wait(g.Until)
	}
	if !t.Quiet {
		wait(t.Begun + n.Limits.longest())
		for i := range t.Reports {
			wait(t.Reports[i].Free)
		}
	}
	return next
}

// A Backoff keeps a member that delayed writes from delaying them again and again: no lease until
// then, and longer the next time (L12).
type Backoff struct {
	Node          string
	Until, Length time.Duration
	Times         uint64
}

func (n *Node) backOff(node string, now time.Duration) {
	if n.Limits.LeastBackoff == 0 {
		return
	}
	i := slices.IndexFunc(n.Backoffs, func(b Backoff) bool { return b.Node == node })
	if i < 0 {
		i = len(n.Backoffs)
		n.Backoffs = append(n.Backoffs, Backoff{Node: node})
	}
	b := &n.Backoffs[i]
	if now > b.Until+2*n.Limits.MostBackoff {
		b.Length = 0 // long ago
	}
	b.Length = min(max(n.Limits.LeastBackoff, 2*b.Length), n.Limits.MostBackoff)
	b.Until = now + b.Length
	b.Times++
}

// backoff is what is noted of a member.
func (n *Node) backoff(node string) Backoff {
	for _, b := range n.Backoffs {
		if b.Node == node {
			return b
		}
	}
	return Backoff{}
}
