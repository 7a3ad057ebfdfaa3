package main

// forget brings states together that differ only in what nothing depends on any more. It must never hide a violation; the
// tests compare searches with and without it.
func (m *Model) forget(s *State) {
	m.forgetReads(s)
	if !m.readable(s) {
		verdict := s.verdict
		*s = State{verdict: verdict} // nobody will ever see anything
		return
	}
	for i := range m.Nodes {
		m.forgetLease(s, &s.nodes[i])
	}
	for t := 1; t <= m.Terms; t++ {
		if s.leaders[t].elected {
			m.forgetLeader(s, t)
		}
	}
}

// readable says whether an answer may still come.
func (m *Model) readable(s *State) bool {
	if s.reads > 0 {
		return true
	}
	for i := range m.Nodes {
		if s.nodes[i].read.phase != idle {
			return true
		}
	}
	return false
}

// forgetReads drops a read that can't go wrong any more and begins it later instead, as long as its answer shows nobody anything new:
// E has reached all that it shows.
func (m *Model) forgetReads(s *State) {
	r := &m.rules
	if m.Timely || !(r.LeaseReadsWait && r.FencedReadsWait && r.MissesWait && r.MapBeforeView && r.Floor && r.OneView) {
		return
	}
	for i := range m.Nodes {
		n := &s.nodes[i]
		if n.read.phase == idle || s.chosen.changed(n.read.paths, m.sees(n), n.read.must) {
			continue
		}
		s.reads++
		if n.read.fenced {
			s.fences++
		}
		n.read = read{}
	}
}

// sees is the least index that the node's read will have seen.
func (m *Model) sees(n *node) uint8 {
	switch n.read.phase {
	case waiting:
		return max(n.applied, n.read.view[0])
	case viewed:
		return n.read.view[0]
	}
	return n.applied
}

// forgetLease drops what the term has made worthless, and counts that are over.
func (m *Model) forgetLease(s *State, n *node) {
	if n.lease == 0 || m.rules.TermAtLook && n.leaseOf != n.term {
		n.lease, n.leaseOf = 0, 0
	}
	if n.grant.left == 0 || n.grant.state == onItsWay && m.rules.TermAtReceipt && n.grant.of != n.term {
		n.grant = grant{}
	}
	if n.floor <= s.e {
		n.floor = 0
	}
	if n.unmarked <= n.applied {
		n.unmarked = 0
	}
	if n.told <= n.applied {
		n.told = 0
	}
}

// forgetLeader drops what a leader that crashed or was deposed has no use for, and a wait that is over.
func (m *Model) forgetLeader(s *State, t int) {
	l := &s.leaders[t]
	if l.waits && !m.mustWait(s, t) {
		l.waits = false
	}
	if !l.waits {
		l.until = [maxNodes]uint8{}
	}
	if s.leads(t) {
		return
	}
	l.pending, l.last = false, 0
	if m.rules.TermAtLook {
		l.own = 0
	}
	if m.rules.Frozen && m.rules.TermAtLook && l.frozen <= l.e {
		*l = leader{elected: true, node: l.node} // E is where it will stay
	}
}
