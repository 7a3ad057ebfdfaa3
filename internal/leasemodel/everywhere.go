package main

// E, the index up to which everybody who may answer has applied, and the wait of a new leader, who does not know whom
// older leaders have granted leases.

// moveE: the leader of t moves E as far as it and everybody who holds a lease by its clock has got, and acknowledges. It
// may have been deposed: whoever gets a lease from another has all that it could have committed.
func (m *Model) moveE(s *State, t int, emit emitter) {
	l := &s.leaders[t]
	if !l.alive || m.mustWait(s, t) {
		return
	}
	e := m.leaderIndex(s, t)
	for i := range m.Nodes {
		if l.table[i] > 0 && m.rules.HoldersCount {
			e = min(e, max(m.index(&s.nodes[i], t), s.nodes[i].told))
		}
	}
	if e <= l.e {
		return
	}
	next := *s
	next.leaders[t].e = e
	next.e = max(next.e, e)
	m.show(&next, e)
	emit(Step{verb: movesE, term: t}, next)
}

// leaderIndex is the leader's FSM index, read while it was in its term.
func (m *Model) leaderIndex(s *State, t int) uint8 {
	if !s.leads(t) && m.rules.Frozen {
		return s.leaders[t].frozen
	}
	return s.leaderNode(t).applied
}

// index is what a node reports to the leader of t: how far it has applied or, in the variant, stored.
func (m *Model) index(n *node, t int) uint8 {
	if m.Stored && (n.log.lastTerm() == t || !m.rules.StoredInTerm) {
		return n.log.len // the last entry is this leader's, so all before it is in its log too
	}
	return n.applied
}

// mustWait says whether a lease of an older term may still be out, for all that the leader of t knows. One of two ends
// the wait: every member has answered in its term; or for some majority of voters a lease and margin has passed since
// the latest answer that one of them gave to an older leader.
func (m *Model) mustWait(s *State, t int) bool {
	l := &s.leaders[t]
	if !l.waits {
		return false
	}
	members, voters := m.latest(s.leaderNode(t))
	if !m.rules.OldLeaderToo {
		members &^= s.leadersBefore(t)
	}
	if members&^m.reached(s, t) == 0 {
		return false
	}
	over := m.longSilent(l)
	if !m.rules.MajorityAnswered {
		return !over.has(int(l.node))
	}
	return (over & voters).size() < voters.majority()
}

// longSilent is who has reported to a new leader that its last answer to an older one is a lease and margin ago, or was then.
func (m *Model) longSilent(l *leader) (set nodeSet) {
	for i := range m.Nodes {
		if l.until[i] == 0 {
			set |= 1 << i
		}
	}
	return set
}

func (s *State) leadersBefore(t int) (set nodeSet) {
	for u := 1; u < t; u++ {
		if s.leaders[u].elected {
			set |= 1 << s.leaders[u].node
		}
	}
	return set
}
