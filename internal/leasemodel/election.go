package leasemodel

import "keyquorum/cluster/lease"

// in is who is in term t.
func (m *Model) in(s *State, t uint8) (set NodeSet) {
	for i := range m.Nodes {
		if s.nodes[i].term == t {
			set |= 1 << i
		}
	}
	return set
}

// elect: a voter wins the next term with the votes of a majority, who enter it.
func (m *Model) elect(s *State, emit emitter) {
	if int(s.won) == m.Terms {
		return
	}
	for i := range m.Nodes {
		_, voters := m.latest(&s.nodes[i])
		if !voters.has(i) || m.Log > 0 && int(s.nodes[i].log.len) == m.Log {
			continue // no vote, or no place for the opening of the term
		}
		voters.eachOf(voters.majority(), func(votes NodeSet) {
			if votes.has(i) && m.electable(s, i, votes) {
				next := m.fork(s)
				m.elected(next, i, votes)
				emit(Step{verb: wins, node: i, nodes: votes}, next)
			}
		})
	}
}

// electable says whether Raft lets all of them vote for the candidate.
func (m *Model) electable(s *State, candidate int, votes NodeSet) bool {
	for i := range m.Nodes {
		if votes.has(i) && s.nodes[candidate].log.olderThan(&s.nodes[i].log) {
			return false
		}
	}
	return true
}

func (m *Model) elected(s *State, winner int, votes NodeSet) {
	s.won++
	n := &s.nodes[winner]
	m.depose(n)
	n.term = s.won
	members, voters := m.latest(n)
	n.core.Elected(n.reading(), m.servers[members][voters])
	if m.Log > 0 {
		n.first, n.before = n.log.len+1, n.log.lastSent(n.log.len)
		n.log.append(newEntry(int(s.won), opening))
	} else {
		n.first, n.before = 1, s.chosen.len
	}
	for i := range m.Nodes {
		if votes.has(i) {
			m.enterTerm(s, i, s.won)
		}
	}
}

// enterTerm is what Raft does before it helps anybody in a term: it stores it. Then the node checks
// in with the term's leader.
func (m *Model) enterTerm(s *State, i int, t uint8) {
	if n := &s.nodes[i]; n.term < t {
		m.depose(n)
		n.term = t
		m.report(s, i)
	}
}

// depose notes what a leader may have read of itself a moment before it enters another term.
func (m *Model) depose(n *node) {
	if n.leads() {
		n.frozen = n.applied
		n.first, n.before, n.last = 0, 0, 0
	}
}

// hear: a message of a leader reaches a node that is in an older term.
func (m *Model) hear(s *State, l, i int, emit emitter) {
	members, _ := m.latest(&s.nodes[l])
	if s.nodes[i].term >= s.nodes[l].term || !members.has(i) {
		return
	}
	next := m.fork(s)
	m.enterTerm(next, i, s.nodes[l].term)
	emit(Step{verb: hears, node: i, leader: l}, next)
}

// crash: a node loses what it had in memory and comes back, its state at any older index, as from a
// snapshot. Term and log are on disk.
func (m *Model) crash(s *State, i int, emit emitter) {
	if s.crashes == 0 {
		return
	}
	for applied := range s.nodes[i].applied + 1 {
		if applied != s.chosen.lastSent(applied) {
			continue
		}
		next := m.fork(s)
		next.crashes--
		m.restart(next, i, applied)
		emit(Step{verb: restarts, node: i}, next)
	}
}

func (m *Model) restart(s *State, i int, applied uint8) {
	n := &s.nodes[i]
	n.member = member{now: n.now, term: n.term, log: n.log, applied: applied, slowed: n.slowed}
	n.rotten = m.Rotten
	n.core = lease.New(m.limits, ids[i], n.core.Process+1, n.reading())
	if !m.Rotten {
		n.core.NoteCompared() // the first thing that it does
	}
}

// compare: a node looks whether its state is the leader's. One whose is not serves nobody any more.
func (m *Model) compare(s *State, i int, emit emitter) {
	if s.nodes[i].core.Compared {
		return
	}
	next := m.fork(s)
	next.nodes[i].core.NoteCompared()
	emit(Step{verb: compares, node: i}, next)
}
