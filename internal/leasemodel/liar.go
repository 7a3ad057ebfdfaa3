package leasemodel

import "keyquorum/cluster/lease"

// never is longer than any lease.
const never = 1 << 40

// A liar has a member's key and knows everything. It says whatever helps it; what others say it can
// only repeat, since messages are signed. It has no secrets, so nobody asks it for answers.

// lie: the liar tells a leader that it is in its term, has applied all, has promised nothing, and
// has had a token until the end of the longest lease.
func (m *Model) lie(s *State, l, i int, emit emitter) {
	if i != m.Liar || l == i || !m.knows(s, l, i) {
		return
	}
	next := m.fork(s)
	n := &next.nodes[l]
	c := lease.CheckIn{
		Term: n.core.Table.Term, Process: 1, Applied: 1<<indexBits - 1, Echo: n.now + never,
	}
	if n.core.Hear(n.reading(), ids[i], c) {
		m.grant(next, l, i, c)
		emit(Step{verb: lies, node: i, leader: l}, next)
	}
}

// saysTerm is what a node says to the leader l who asks for its term.
func (m *Model) saysTerm(s *State, l, i int) uint64 {
	if i == m.Liar {
		return uint64(s.nodes[l].term)
	}
	return uint64(s.nodes[i].term)
}
