package main

import "math/bits"

// nodeSet is a set of nodes.
type nodeSet uint8

func (n nodeSet) has(i int) bool { return n&(1<<i) != 0 }
func (n nodeSet) size() int      { return bits.OnesCount8(uint8(n)) }
func (n nodeSet) majority() int  { return n.size()/2 + 1 }
func firstNodes(n int) nodeSet   { return 1<<n - 1 }

// eachOf calls f with each subset of so many nodes.
func (n nodeSet) eachOf(size int, f func(nodeSet)) {
	for sub := n; sub > 0; sub = (sub - 1) & n {
		if sub.size() == size {
			f(sub)
		}
	}
}

// in is who is in term t.
func (m *Model) in(s *State, t int) (set nodeSet) {
	for i := range m.Nodes {
		if s.nodes[i].term == uint8(t) {
			set |= 1 << i
		}
	}
	return set
}

// reached is who is in term t or a later one.
func (m *Model) reached(s *State, t int) (set nodeSet) {
	for i := range m.Nodes {
		if s.nodes[i].term >= uint8(t) {
			set |= 1 << i
		}
	}
	return set
}

// confirmers are those whose "I am in your term" the leader of t counts, and how many of them it needs.
func (m *Model) confirmers(s *State, t int) (set nodeSet, need int) {
	members, voters := m.latest(s.leaderNode(t))
	set = voters
	if !m.rules.VotersOnly {
		set = members
	}
	return set & m.in(s, t), voters.majority()
}

// elect: a voter wins the next term with the votes of a majority, who enter it.
func (m *Model) elect(s *State, emit emitter) {
	t := 1
	for t <= m.Terms && s.leaders[t].elected {
		t++
	}
	if t > m.Terms {
		return
	}
	for i := range m.Nodes {
		_, voters := m.latest(&s.nodes[i])
		if !voters.has(i) || m.Log > 0 && int(s.nodes[i].log.len) == m.Log {
			continue // no vote, or no place for the opening of the term
		}
		voters.eachOf(voters.majority(), func(votes nodeSet) {
			if votes.has(i) && m.electable(s, i, votes) {
				emit(Step{verb: wins, node: i, term: t, nodes: votes}, m.elected(s, t, i, votes))
			}
		})
	}
}

// electable says whether Raft lets all of them vote for the candidate.
func (m *Model) electable(s *State, candidate int, votes nodeSet) bool {
	for i := range m.Nodes {
		if votes.has(i) && s.nodes[candidate].log.olderThan(&s.nodes[i].log) {
			return false
		}
	}
	return true
}

func (m *Model) elected(s *State, t, winner int, votes nodeSet) State {
	next := *s
	l := &next.leaders[t]
	*l = leader{elected: true, alive: true, node: uint8(winner), opens: s.chosen.len}
	l.waits = m.rules.NewLeaderWaits && !m.NoLeases
	for i := range m.Nodes {
		l.until[i] = unheard
	}
	for i := range m.Nodes {
		if votes.has(i) {
			m.enterTerm(&next, i, t)
		}
	}
	if m.Log > 0 {
		log := &next.nodes[winner].log
		log.append(newEntry(t, opening))
		l.opens = log.len
	}
	return next
}

// enterTerm is what Raft does before it helps anybody in term t: it stores the term. Whoever led an older one is deposed,
// and a voter tells the new leader when it last answered an older one.
func (m *Model) enterTerm(s *State, i, t int) {
	n := &s.nodes[i]
	for u := 1; u < t; u++ {
		if s.ledBy(u, i) && s.leads(u) {
			s.leaders[u].frozen = n.applied
		}
	}
	n.term = uint8(t)
	if l := &s.leaders[t]; l.waits {
		l.until[i] = m.whole() - n.silent
	}
}

// hear: a message of the leader of t reaches a node that is in an older term.
func (m *Model) hear(s *State, t, i int, emit emitter) {
	members, _ := m.latest(s.leaderNode(t))
	if s.nodes[i].term >= uint8(t) || !members.has(i) {
		return
	}
	next := *s
	m.enterTerm(&next, i, t)
	emit(Step{verb: hears, node: i, term: t}, next)
}

// crash: a node loses what it had in memory and comes back, its state at any older index, as from a snapshot. Term and
// log are on disk.
func (m *Model) crash(s *State, i int, emit emitter) {
	if s.crashes == 0 {
		return
	}
	for applied := range s.nodes[i].applied + 1 {
		next := *s
		next.crashes--
		m.restart(&next, i, applied)
		emit(Step{verb: restarts, node: i}, next)
	}
}

func (m *Model) restart(s *State, i int, applied uint8) {
	old := s.nodes[i]
	n := &s.nodes[i]
	*n = node{term: old.term, log: old.log, applied: applied, floor: applied, slowed: old.slowed}
	if !m.rules.OfThisLife {
		n.told = m.index(&old, int(old.term))
	}
	if !m.rules.MarksFromLog {
		n.unmarked = old.log.len
	}
	if !m.rules.RestartAnswers {
		n.silent = m.whole()
	}
	for t := range s.leaders {
		if l := &s.leaders[t]; l.elected && s.ledBy(t, i) {
			*l = leader{elected: true, node: l.node}
		}
	}
}
