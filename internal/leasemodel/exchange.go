package leasemodel

import "keyquorum/cluster/lease"

// How the model feeds the core: what package cluster does with clocks, Raft and messages.

// latest is the configuration that a node goes by. Raft uses an entry as soon as it is stored.
func (m *Model) latest(n *node) (members, voters NodeSet) {
	return m.configuration(&n.log, maxLog)
}

// known is the configuration that a node knows to be committed: its FSM has applied it.
func (m *Model) known(s *State, n *node) (members NodeSet) {
	members, _ = m.configuration(&s.chosen, n.applied)
	return members
}

// knows says whether the node l, who was elected, has node i in a configuration.
func (m *Model) knows(s *State, l, i int) bool {
	members, _ := m.latest(&s.nodes[l])
	return (members | m.known(s, &s.nodes[l])).has(i)
}

// grant is the leader's answer to a check-in that it has heard.
func (m *Model) grant(s *State, l, i int, c lease.CheckIn) (lease.Answer, lease.Verdict) {
	n := &s.nodes[l]
	members, voters := m.latest(n)
	servers, member := m.servers[members][voters], m.known(s, n).has(i)
	return n.core.Grant(n.reading(), ids[i], c, servers, member)
}

// checkIn is one whole exchange of node i with the leader l, at once.
func (m *Model) checkIn(s *State, l, i int, serves bool) {
	n, leader := &s.nodes[i], &s.nodes[l]
	asked := n.reading()
	c := n.core.Ask(asked, serves, 0)
	if !leader.core.Hear(leader.reading(), ids[i], c) {
		return
	}
	if a, verdict := m.grant(s, l, i, c); verdict != lease.NotLeader {
		m.take(n, asked, serves, c, a)
	}
}

func (m *Model) take(n *node, asked lease.Reading, serves bool, c lease.CheckIn, a lease.Answer) {
	n.core.Take(asked, n.reading(), serves, c, a)
	n.core.Clocks = lease.Clocks{} // limits let clocks differ
}

// report is a check-in whose answer is lost: the leader hears at once what a node has to say.
func (m *Model) report(s *State, i int) {
	n := &s.nodes[i]
	l := m.leaderIn(s, n.term)
	if l == Nobody || l == i || !m.knows(s, l, i) {
		return
	}
	leader := &s.nodes[l]
	leader.core.Hear(leader.reading(), ids[i], n.core.Ask(n.reading(), m.serves(n, i), 0))
}

// settle is what happens by itself, at once, after each step: terms are opened, quiet is noted, E
// is heard of, and what it has reached is acknowledged.
func (m *Model) settle(s *State) {
	e := uint64(0)
	for i := range m.Nodes {
		n := &s.nodes[i]
		if n.leads() {
			m.open(s, i)
			n.core.MayChange(n.reading(), lease.Arrive, "") // notes whether it is quiet
		}
		e = max(e, n.core.E)
	}
	for i := range m.Nodes {
		if n := &s.nodes[i]; n.core.E < e && n.core.E < uint64(n.applied) && !n.leads() {
			r := n.reading()
			m.take(n, r, false, lease.CheckIn{}, lease.Answer{E: e})
		}
	}
	s.show(uint8(e))
}

// open opens the term of a leader when that may be. Then it checks in with itself.
func (m *Model) open(s *State, i int) {
	n := &s.nodes[i]
	if n.core.Table.Open {
		return
	}
	o := lease.Opening{Term: uint64(n.term), First: 1, Before: uint64(n.before)}
	commit, term := uint64(1), uint64(n.term)
	if m.Log > 0 {
		o.First = uint64(n.first)
		commit = uint64(s.chosen.common(&n.log))
		term = uint64(n.log.get(n.first).term())
	}
	if o.Done(commit, term, n.reading(), n.leads()) {
		n.core.Opened(n.reading())
		m.checkIn(s, i, i, m.serves(n, i))
	}
}

// show: everything up to an index is acknowledged, or was answered from.
func (s *State) show(index uint8) {
	if index > s.shown {
		s.shown, s.since = index, 0
	}
}
