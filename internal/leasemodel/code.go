package leasemodel

import (
	"time"

	"keyquorum/cluster/lease"
)

// code is the list of the numbers that tell states apart.
func (m *Model) code(c *coder, s *State) {
	c.flag(&s.over)
	if s.over {
		return
	}
	m.codeEntries(c, &s.chosen)
	c.number(&s.shown, indexBits)
	if m.Timely {
		c.number(&s.since, ticksBits)
	}
	c.number(&s.won, termBits)
	for _, left := range []*uint8{&s.writes, &s.reads, &s.fences, &s.crashes, &s.changes, &s.gives} {
		c.number(left, 2)
	}
	for _, i := range c.order[:m.Nodes] {
		n := &s.nodes[i]
		if c.reading {
			n.member = member{now: start(i)}
			m.blank(&n.core, i)
		}
		m.codeMember(c, n)
		m.codeRead(c, n)
		m.codeHolder(c, s, n)
		m.codeTable(c, n)
	}
	for _, i := range c.order[:m.Nodes] {
		m.codeTokens(c, s, &s.nodes[i]) // these are by the clocks of others
	}
}

// blank is a core with nothing in it, in the memory of one with slices.
func (m *Model) blank(n *lease.Node, i int) {
	t := n.Table
	*n = lease.Node{Limits: m.limits, ID: ids[i], Process: 1}
	n.Life, n.Compared = m.limits.Base, true
	n.Table.Reports, n.Table.Leases = t.Reports[:0], t.Leases[:0]
	n.Table.Leaving = t.Leaving[:0]
}

func (m *Model) codeEntries(c *coder, l *entries) {
	c.number(&l.len, indexBits)
	for i := range l.len {
		c.number((*uint8)(&l.at[i]), termBits+kindBits)
	}
}

func (m *Model) codeMember(c *coder, n *node) {
	if m.Log > 0 {
		m.codeEntries(c, &n.log)
	}
	c.number(&n.term, termBits)
	c.number(&n.applied, indexBits)
	if m.Slow != NoSlowClock {
		c.number(&n.slowed, ticksBits)
	}
	if m.Rotten {
		c.flag(&n.rotten)
		c.flag(&n.core.Compared)
	}
	if m.joinsLate {
		c.number(&n.last, indexBits)
	}
}

func (m *Model) codeRead(c *coder, n *node) {
	r := &n.read
	c.flag(&r.on)
	if !r.on {
		if c.reading {
			*r = read{}
		}
		return
	}
	c.number((*uint8)(&r.steps.Stage), 3)
	c.flag(&r.steps.Must)
	c.long(&r.steps.Need, indexBits)
	if m.Timely {
		c.since(&r.steps.Look, n.now, m.Lease)
	}
	c.number((*uint8)(&r.paths), 2)
	c.number((*uint8)(&r.seen), 2)
	c.number(&r.must, indexBits)
	for i := range r.view {
		c.number(&r.view[i], indexBits)
	}
}

func (m *Model) codeHolder(c *coder, s *State, n *node) {
	if m.Crashes > 0 {
		c.long(&n.core.Process, 2)
	}
	if m.GiveBacks > 0 {
		c.long(&n.core.Epoch, 1)
	}
	c.long(&n.core.E, indexBits)
	c.long(&n.core.Lease.Term, termBits)
	c.until(&n.core.Lease.Until, n.now)
	c.long(&n.core.Promise.Term, termBits)
	c.until(&n.core.Promise.Until, n.now)
	c.until(&n.core.Promise.Before, n.now)
	if !m.AtOnce {
		m.codeFlight(c, n)
	}
}

func (m *Model) codeFlight(c *coder, n *node) {
	f := &n.flight
	c.flag(&f.up)
	if !f.up {
		return
	}
	c.long(&f.call.Term, termBits)
	if m.GiveBacks > 0 {
		c.long(&f.call.Epoch, 1)
	}
	c.since(&f.asked, n.now, 1<<ticksBits-1)
	left := f.answer.Grant / tick
	f.answer.Grant = time.Duration(c.bits(uint64(left), ticksBits)) * tick
	f.answer.Life = m.limits.Base
}

// codeTokens are what may come back to a leader, where it is not forgotten.
func (m *Model) codeTokens(c *coder, s *State, n *node) {
	if !m.Remember {
		return
	}
	c.long(&n.core.Echo.Term, termBits)
	m.codeToken(c, &n.core.Echo.Token, m.clockOf(s, n.core.Echo.Term))
	if n.flight.up {
		m.codeToken(c, &n.flight.answer.Token, m.clockOf(s, n.flight.call.Term))
	}
}

// codeToken: to the leader no token is worth more than the longest lease.
func (m *Model) codeToken(c *coder, token *time.Duration, now time.Duration) {
	*token = min(*token, now+m.limits.Most)
	c.until(token, now)
}

// clockOf is the clock of a term's leader.
func (m *Model) clockOf(s *State, term uint64) time.Duration {
	for i := range m.Nodes {
		if n := &s.nodes[i]; n.core.Table.Term == term {
			return n.now
		}
	}
	return start(0)
}
