package lease

import (
	"slices"
	"time"
)

// A Verdict says what became of a member's wish for a lease.
type Verdict uint8

const (
	NotLeader Verdict = iota // of that term, any more: there is no answer
	NotAsked                 // or the asker is no member that could have one, or the term is not open
	Refused
	Given
)

// Grant answers a check-in that was heard, with a lease if it may. servers are those of this node's
// latest configuration, member says whether the asker is one of the committed one.
//
// A lease is given to a member that serves reads, in the same term, whose FSM has E and what the
// leader's had when the term was opened (L5); never for longer than the leader's own (L4). Giving
// one and moving E are one step each, so none comes between.
func (n *Node) Grant(
	r Reading, from string, c CheckIn, servers []Server, member bool,
) (Answer, Verdict) {
	t := &n.Table
	if t.Term != c.Term || r.Term != t.Term {
		return Answer{}, NotLeader
	}
	n.MoveE(r)
	life := t.life(n.Limits, r.Now)
	a := Answer{E: n.E, Life: life, Token: r.Now + life}
	if c.Idle || !member || !t.Open {
		return a, NotAsked
	}
	left := min(life, t.support(servers)-r.Now) // L4
	switch {
	case left <= 0, // L4
		c.Applied < n.E, c.Applied < t.Base, // L5
		slices.Contains(t.Leaving, from),            // L8
		r.Now < n.backoff(from).Until,               // L12
		from != n.ID && t.awaited(n, r, from, life), // L12
		from != n.ID && t.crowded(from, c):          // L12
		return a, Refused
	}
	if from == n.ID { // its FSM is looked at in any case, and its clock is this one
		t.Own = max(t.Own, r.Now+left)
	} else {
		t.enter(from, c, r.Now+left+n.Limits.margin(life))
	}
	t.Longest = max(t.Longest, left)
	a.Grant = left
	return a, Given
}

// awaited says whether writers have waited for this member for a while, whichever of its processes
// holds them up: it gets no other lease until it has caught up.
func (t *Table) awaited(n *Node, r Reading, from string, life time.Duration) bool {
	patience := life * time.Duration(n.Limits.PatienceTenths) / 10
	if patience == 0 || r.Now-t.Since <= patience {
		return false
	}
	return slices.ContainsFunc(t.Leases, func(g Granted) bool {
		return g.Node == from && g.Until > r.Now && g.Applied < t.Overdue
	})
}

// maxHoldings is how many leases of one member are in the books at once: a process that was started
// again has another one than those before it, until theirs are over.
const maxHoldings = 4

// crowded says whether a lease for this check-in would be one too many.
func (t *Table) crowded(from string, c CheckIn) bool {
	holdings := 0
	for _, g := range t.Leases {
		if g.Node == from {
			holdings++
		}
	}
	return holdings >= maxHoldings && t.granted(from, c) == nil
}

// enter notes a lease until its holder, whose clock may be the slower one, can have it no more.
func (t *Table) enter(from string, c CheckIn, until time.Duration) {
	g := t.granted(from, c)
	if g == nil {
		t.Leases = append(t.Leases, Granted{Node: from, Process: c.Process, Epoch: c.Epoch})
		g = &t.Leases[len(t.Leases)-1]
	}
	g.Until, g.Applied = max(g.Until, until), max(g.Applied, c.Applied)
}

func (t *Table) granted(from string, c CheckIn) *Granted {
	for i := range t.Leases {
		if g := &t.Leases[i]; g.Node == from && g.Process == c.Process && g.Epoch == c.Epoch {
			return g
		}
	}
	return nil
}

// An Account is what a leader has in its books of a member.
type Account struct {
	Heard    time.Duration // since it last checked in; negative: never
	Applied  uint64        // then
	Holds    bool          // a lease
	Barred   time.Duration // for how long yet it gets none
	BackOffs uint64        // how often it got none for a while
}

// AccountOf tells of a member.
func (n *Node) AccountOf(node string, now time.Duration) Account {
	b := n.backoff(node)
	a := Account{Heard: -1, Barred: max(0, b.Until-now), BackOffs: b.Times}
	if r := n.Table.report(node); r != nil && r.Heard > 0 {
		a.Heard, a.Applied = max(0, now-r.Heard), r.Applied
	}
	for _, g := range n.Table.Leases {
		a.Holds = a.Holds || g.Node == node && now < g.Until
	}
	return a
}
