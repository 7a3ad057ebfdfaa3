package leasemodel

import (
	"slices"

	"keyquorum/cluster/lease"
)

func (m *Model) codeTable(c *coder, n *node) {
	t := &n.core.Table
	c.long(&t.Term, termBits)
	if t.Term == 0 {
		return
	}
	c.flag(&t.Open)
	if !t.Open {
		c.number(&n.first, indexBits)
		c.number(&n.before, indexBits)
	}
	if t.Term != uint64(n.term) {
		c.number(&n.frozen, indexBits)
	}
	c.long(&t.Base, indexBits)
	c.flag(&t.Quiet)
	if !t.Quiet {
		c.since(&t.Begun, n.now, m.whole())
		m.codeMembers(c, t)
	}
	m.codeReports(c, n)
	m.codeLeases(c, n)
	if len(m.Changes) > 0 {
		m.codeChanges(c, n)
	}
	if m.departs {
		c.until(&t.Own, n.now)
	}
}

// codeMembers are who belonged to the group when the leader was elected.
func (m *Model) codeMembers(c *coder, t *lease.Table) {
	members, voters := m.initial()
	if len(m.Changes) > 0 {
		members, voters = 0, 0
		for _, s := range t.Members {
			members |= 1 << c.order[number(s.ID)]
			if s.Voter {
				voters |= 1 << c.order[number(s.ID)]
			}
		}
		c.number((*uint8)(&members), maxNodes)
		c.number((*uint8)(&voters), maxNodes)
	}
	if c.reading {
		t.Members = m.servers[members][voters]
	}
}

func (m *Model) codeReports(c *coder, n *node) {
	t := &n.core.Table
	for _, i := range c.order[:m.Nodes] {
		var r lease.Report
		at := slices.IndexFunc(t.Reports, func(r lease.Report) bool { return r.Node == ids[i] })
		has := at >= 0
		if has {
			r = t.Reports[at]
		}
		if c.flag(&has); !has {
			continue
		}
		if !t.Quiet {
			c.until(&r.Free, n.now)
		}
		c.until(&r.Support, n.now)
		if c.reading {
			r.Node = ids[i]
			t.Reports = append(t.Reports, r)
		}
	}
}

// codeLeases are the leases in the books, by node, process and epoch.
func (m *Model) codeLeases(c *coder, n *node) {
	t := &n.core.Table
	some := len(t.Leases) > 0
	if c.flag(&some); !some {
		return
	}
	for _, i := range c.order[:m.Nodes] {
		for process := range uint64(1 + m.Crashes) {
			for epoch := range uint64(1 + m.GiveBacks) {
				m.codeLease(c, n, lease.Granted{Node: ids[i], Process: process + 1, Epoch: epoch})
			}
		}
	}
}

func (m *Model) codeLease(c *coder, n *node, g lease.Granted) {
	t := &n.core.Table
	has := false
	if !c.reading {
		for i := range t.Leases {
			l := &t.Leases[i]
			if l.Node == g.Node && l.Process == g.Process && l.Epoch == g.Epoch {
				g, has = *l, true
			}
		}
	}
	if c.flag(&has); !has {
		return
	}
	c.until(&g.Until, n.now)
	c.long(&g.Applied, indexBits)
	if c.reading {
		t.Leases = append(t.Leases, g)
	}
}

// codeChanges are what a leader knows of changes that it makes.
func (m *Model) codeChanges(c *coder, n *node) {
	t := &n.core.Table
	for _, i := range c.order[:m.Nodes] {
		leaving := !c.reading && slices.Contains(t.Leaving, ids[i])
		if c.flag(&leaving); c.reading && leaving {
			t.Leaving = append(t.Leaving, ids[i])
		}
	}
	m.codeDistance(c, n)
}

// codeDistance is what the next change of the voters waits for.
func (m *Model) codeDistance(c *coder, n *node) {
	t := &n.core.Table
	longest := uint8(t.Longest / tick)
	c.number(&longest, ticksBits)
	ago := uint8(0) // one more than the ticks since the last change; 0 when it does not count
	if t.Changed != 0 && !c.reading {
		if passed := int((n.now - t.Changed) / tick); passed < m.whole() {
			ago = uint8(passed) + 1
		}
	}
	c.number(&ago, ticksBits)
	if !c.reading {
		return
	}
	t.Longest, t.Changed = ticks(longest), 0
	if ago > 0 {
		t.Changed = n.now - ticks(ago-1)
	}
}
