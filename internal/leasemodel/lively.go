package leasemodel

import (
	"fmt"

	"keyquorum/cluster/lease"
)

// goesOn says whether the group can go on from a state when nothing fails any more but that one
// node is away, or Nobody: whether one fair schedule brings E to the end of the log, every member
// that is there and serves to a lease, and the leader to where it may change the configuration.
func (m *Model) goesOn(s *State, away int) bool { return m.keeps(s, away) == "" }

// keeps says what keeps a group from going on. One whose majority is away need not.
func (m *Model) keeps(s *State, away int) string {
	if s.over {
		return ""
	}
	m.copyTo(s, &m.fair)
	f, there := &m.fair, firstNodes(m.Nodes)
	if away != Nobody {
		there &^= 1 << away
	}
	m.stepDown(f, there)
	l := m.someLeader(f, there)
	if l == Nobody && away == Nobody {
		return "nobody can be elected"
	}
	if l == Nobody {
		return ""
	}
	members, voters := m.latest(&f.nodes[l])
	if (voters & there).size() < voters.majority() {
		return ""
	}
	for range 2*m.whole() + 4 {
		m.oneRound(f, l, members&there)
	}
	return m.lacks(f, l, members&there)
}

// stepDown has a leader that removes itself hand on what it has, its removal too. Then it leads no
// more: Raft does so when that is committed.
func (m *Model) stepDown(s *State, there NodeSet) {
	l := m.leaderIn(s, s.won)
	if l == Nobody || !there.has(l) {
		return
	}
	n := &s.nodes[l]
	members, _ := m.latest(n)
	if members.has(l) {
		return
	}
	for i := range m.Nodes {
		if (members & there).has(i) {
			m.enterTerm(s, i, n.term)
			s.nodes[i].log = n.log
		}
	}
	n.core.Table = lease.Table{}
}

// someLeader is who leads the newest term and is there, or is elected now by who is there.
func (m *Model) someLeader(s *State, there NodeSet) int {
	l := m.leaderIn(s, s.won)
	if l != Nobody && there.has(l) {
		return l
	}
	for i := range m.Nodes {
		won := s.won
		_, voters := m.latest(&s.nodes[i])
		(voters & there).eachOf(voters.majority(), func(votes NodeSet) {
			if s.won == won && votes.has(i) && m.electable(s, i, votes) {
				m.elected(s, i, votes)
			}
		})
		if s.won > won {
			return i
		}
	}
	return Nobody
}

// oneRound: every member that is there hears of the leader, stores and applies, a tick passes, and
// it checks in until all tokens have come back and all leases are given.
func (m *Model) oneRound(s *State, l int, there NodeSet) {
	n := &s.nodes[l]
	for i := range m.Nodes {
		if there.has(i) {
			m.enterTerm(s, i, n.term)
			s.nodes[i].log = n.log
			s.nodes[i].core.NoteCompared()
		}
	}
	if m.Log > 0 {
		s.chosen = n.log // with the opening of the term at its end, or after it
	}
	for i := range m.Nodes {
		if there.has(i) {
			s.nodes[i].applied = s.chosen.lastSent(s.chosen.len)
		}
		s.nodes[i].now += tick
	}
	m.settle(s)
	for range 3 {
		for i := range m.Nodes {
			if there.has(i) {
				m.checkIn(s, l, i, m.serves(&s.nodes[i], i))
			}
		}
	}
	n.core.MoveE(n.reading())
	m.settle(s)
}

// lacks says what a group has not got to.
func (m *Model) lacks(s *State, l int, there NodeSet) string {
	n := &s.nodes[l]
	if end := s.chosen.lastSent(s.chosen.len); n.core.E != uint64(end) {
		return fmt.Sprintf("E stays at %d", n.core.E)
	}
	if !n.core.MayChange(n.reading(), lease.Promote, "") {
		return "the configuration can't be changed"
	}
	for i := range m.Nodes {
		r := s.nodes[i].reading()
		if !there.has(i) || !m.serves(&s.nodes[i], i) || m.leaving(n, i) {
			continue
		}
		if !s.nodes[i].core.MayRead(r.Now, r.Term) {
			return ids[i] + " gets no lease"
		}
	}
	return ""
}

// leaving says whether a leader wants to remove a node: it gets no lease in this term.
func (m *Model) leaving(n *node, i int) bool {
	for _, id := range n.core.Table.Leaving {
		if id == ids[i] {
			return true
		}
	}
	return false
}
