package leasemodel

import "keyquorum/cluster/lease"

// forget brings states together that differ only in what nothing depends on any more. It must never
// hide a violation; the tests compare searches with and without it. What is forgotten of the core
// is what the core itself would find to be over, or what another schedule would have left the same
// without it.
func (m *Model) forget(s *State) {
	m.forgetReads(s)
	if !m.readable(s) {
		s.over = true // nobody will ever see anything
		return
	}
	for i := range m.Nodes {
		n := &s.nodes[i]
		m.forgetLease(s, n)
		m.forgetTable(s, n)
	}
	m.forgetLives(s)
	if m.lastQuiet(s) {
		for i := range m.Nodes {
			s.nodes[i].core.Promise = lease.Promise{} // nobody will ask any more
		}
	}
}

// forgetLives numbers the processes of a node, and the times in which one gave back no lease, from
// the beginning again when no leader has leases of earlier ones in its books.
func (m *Model) forgetLives(s *State) {
	for i := range m.Nodes {
		c := &s.nodes[i].core
		earlier := func(g *lease.Granted) bool { return g.Process < c.Process || g.Epoch < c.Epoch }
		first := func(g *lease.Granted) bool { g.Process, g.Epoch = 1, 0; return false }
		if (c.Process > 1 || c.Epoch > 0) && !s.nodes[i].flight.up && !m.inBooks(s, i, earlier) {
			m.inBooks(s, i, first)
			c.Process, c.Epoch = 1, 0
		}
	}
}

// inBooks says whether f says so of a lease of node i in anybody's books.
func (m *Model) inBooks(s *State, i int, f func(*lease.Granted) bool) bool {
	found := false
	for l := range m.Nodes {
		leases := s.nodes[l].core.Table.Leases
		for j := range leases {
			found = leases[j].Node == ids[i] && f(&leases[j]) || found
		}
	}
	return found
}

// readable says whether an answer may still come.
func (m *Model) readable(s *State) bool {
	if s.reads > 0 {
		return true
	}
	for i := range m.Nodes {
		if s.nodes[i].read.on {
			return true
		}
	}
	return false
}

// forgetReads drops a read that can't go wrong any more and begins it later instead. Its answer
// shows nobody anything new: E will have reached all that it shows.
func (m *Model) forgetReads(s *State) {
	if m.Timely || m.Rotten {
		return
	}
	for i := range m.Nodes {
		n := &s.nodes[i]
		if !n.read.on || s.chosen.lastChange(n.read.paths, n.read.must) > n.sees() {
			continue
		}
		s.reads++
		if n.read.steps.Must {
			s.fences++
		}
		n.read = read{}
	}
}

// forgetLease drops what the term has made worthless, and what is over.
func (m *Model) forgetLease(s *State, n *node) {
	c, term := &n.core, uint64(n.term)
	if c.Lease.Term != term || c.Lease.Until <= n.now {
		c.Lease = lease.Lease{}
	}
	p := &c.Promise
	if p.Term != term || p.Until <= n.now {
		*p = lease.Promise{Before: max(p.Before, p.Until)}
	}
	if int(n.term) == m.Terms {
		*p = lease.Promise{Before: p.Before} // nobody will ask after this term
	}
	c.Echo = lease.Echo{} // lost: what came back at once (confirm) leaves the leader no less
	if f := &n.flight; f.up {
		f.answer.Token = 0
		if f.call.Term != term || f.asked+f.answer.Grant <= n.now || f.call.Epoch != c.Epoch {
			*f = flight{}
		}
	}
}

// forgetTable drops what a leader has no use for any more.
func (m *Model) forgetTable(s *State, n *node) {
	t := &n.core.Table
	if t.Term == 0 {
		return
	}
	if !n.leads() && (!t.Open || uint64(n.frozen) <= n.core.E) {
		*t = lease.Table{Reports: t.Reports[:0], Leases: t.Leases[:0], Leaving: t.Leaving[:0]}
		n.frozen = 0
		return
	}
	if !n.leads() {
		t.Base, t.Changed, t.Longest, t.Own, t.Leaving = 0, 0, 0, 0, t.Leaving[:0]
	}
	if t.Open {
		n.first, n.before = 0, 0
	}
	if t.Base <= n.core.E {
		t.Base = 0
	}
	m.forgetReports(n, t)
	kept := t.Leases[:0]
	for _, g := range t.Leases {
		if g.Until > n.now {
			kept = append(kept, g)
		}
	}
	t.Leases = kept
	if !m.voters || s.changes == 0 {
		t.Changed, t.Longest = 0, 0
	}
	if s.changes == 0 {
		t.Own = 0
	}
}

// lastQuiet says whether no leader will ever wait again for leases of older terms.
func (m *Model) lastQuiet(s *State) bool {
	if int(s.won) < m.Terms {
		return false
	}
	l := m.leaderIn(s, s.won)
	return l == Nobody || s.nodes[l].core.Table.Quiet
}
