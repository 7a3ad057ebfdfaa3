package lease

import (
	"slices"
	"time"
)

const never = time.Duration(1<<63 - 1)

// support is until when this leader's own lease runs: the majority of the voters of its latest
// configuration whose word reaches furthest, each until its token's end (L4).
func (t *Table) support(servers []Server) time.Duration {
	var few [8]time.Duration
	until := few[:0]
	for _, s := range servers {
		if !s.Voter {
			continue
		}
		if r := t.report(s.ID); r != nil {
			until = append(until, r.Support)
		} else {
			until = append(until, 0)
		}
	}
	if len(until) == 0 {
		return 0
	}
	slices.Sort(until)
	return until[(len(until)-1)/2]
}

// quiet says whether no lease of an older term can live any more (L7): every member is in this
// term, or what some majority of voters told older leaders has run out, and every lease was built
// on a majority. It is so after the longest lease in any case: whoever elected this node built on
// nothing from then on, and a member that is gone or removed never says so.
func (t *Table) quiet(limits *Limits, now time.Duration) bool {
	if t.Quiet {
		return true
	}
	all := true
	var few [8]time.Duration
	free := few[:0]
	for _, s := range t.Members {
		r := t.report(s.ID)
		all = all && r != nil
		switch {
		case !s.Voter:
		case r != nil:
			free = append(free, r.Free)
		default:
			free = append(free, never)
		}
	}
	slices.Sort(free)
	t.Quiet = all || now >= t.Begun+limits.longest() || len(free) > 0 && free[len(free)/2] <= now
	return t.Quiet
}

// Firm says whether a check-in that is answered now may bring a lease, or had better not wait for
// it any more: before the term is open, and a majority has said that it is in it, it would go away
// without one and come back a round trip later.
func (n *Node) Firm(now time.Duration, term uint64, servers []Server) bool {
	t := &n.Table
	return t.Term != term || now > t.Begun+n.Limits.Settling || t.Open && t.support(servers) > now
}

// life follows the longest way among the members (L13): a lease is on its way for a round trip, and
// what it is built on for another. The rest is for reads to go on under it for most of the time in
// which a leader that died is replaced, which takes round trips too.
func (t *Table) life(limits *Limits, now time.Duration) time.Duration {
	var longest time.Duration
	for i := range t.Reports {
		longest = max(longest, t.Reports[i].Trip)
	}
	life := min(limits.Base+time.Duration(limits.PerTrip)*longest, limits.Most)
	if now < t.Begun+limits.Settling {
		return max(life, t.Inherited)
	}
	return life
}
