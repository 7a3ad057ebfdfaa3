package leasemodel

import "keyquorum/cluster/lease"

// confirm: voters check in with a leader twice, so that the tokens which it gave them come back to
// it, and then it checks in with itself. The adverse case is that this takes no time, and that no
// more voters do so than are needed.
func (m *Model) confirm(s *State, l int, emit emitter) {
	members, voters := m.latest(&s.nodes[l])
	if m.NoLeases || m.supported(s, l, voters) {
		return
	}
	set, self := voters, NodeSet(1)<<l
	if m.Anyone {
		set = members
	}
	set &= m.in(s, s.nodes[l].term)
	set.eachOf(voters.majority(), func(answer NodeSet) {
		if set&^answer&self != 0 {
			return // it counts itself first
		}
		next := m.fork(s)
		m.confirmed(next, l, answer&^self)
		emit(Step{verb: confirms, leader: l, nodes: answer}, next)
	})
}

// confirmed: the others ask for no lease, which they may: that is a step of its own (ask).
func (m *Model) confirmed(s *State, l int, others NodeSet) {
	for i := range m.Nodes {
		if others.has(i) {
			m.checkIn(s, l, i, false)
			m.checkIn(s, l, i, false)
		}
	}
	serves := m.serves(&s.nodes[l], l)
	m.checkIn(s, l, l, serves)
	m.checkIn(s, l, l, serves)
}

// supported says whether nothing could come of confirming a term again.
func (m *Model) supported(s *State, l int, voters NodeSet) bool {
	n := &s.nodes[l]
	full := 0
	for _, r := range n.core.Table.Reports {
		if r.Support >= n.now+m.limits.Base && voters.has(number(r.Node)) {
			full++
		}
	}
	return full >= voters.majority()
}

// number is the number of the node with an id.
func number(id string) int { return int(id[1] - '0') }

// ask: a node that serves reads checks in with a leader, and is given a lease. The answer is on its
// way where the setup has it so.
func (m *Model) ask(s *State, l, i int, emit emitter) {
	n := &s.nodes[i]
	if !m.serves(n, i) || n.flight.up || !m.knows(s, l, i) {
		return
	}
	if !m.Remember && (!s.nodes[l].leads() || l == i && !m.voters) {
		return // nothing comes of it, or nothing new
	}
	next := m.fork(s)
	asker, leader := &next.nodes[i], &next.nodes[l]
	asked := asker.reading()
	c := asker.core.Ask(asked, true, 0)
	if !leader.core.Hear(leader.reading(), ids[i], c) {
		return
	}
	a, verdict := m.grant(next, l, i, c)
	if verdict != lease.Given {
		return
	}
	if m.AtOnce || l == i {
		m.takeGrant(asker, asked, c, a)
	} else {
		asker.flight = flight{up: true, asked: asked.Now, call: c, answer: a}
	}
	emit(Step{verb: asks, node: i, leader: l}, next)
}

// receive: the answer arrives.
func (m *Model) receive(s *State, i int, emit emitter) {
	if !s.nodes[i].flight.up {
		return
	}
	next := m.fork(s)
	n := &next.nodes[i]
	f := n.flight
	n.flight = flight{}
	m.takeGrant(n, lease.Reading{Now: f.asked}, f.call, f.answer)
	emit(Step{verb: receives, node: i}, next)
}

// takeGrant takes an answer for the sake of its lease. Its token is forgotten, and with it what the
// node promises before it lets a token go: the adverse case is that it promised nothing.
func (m *Model) takeGrant(n *node, asked lease.Reading, c lease.CheckIn, a lease.Answer) {
	promise := n.core.Promise
	m.take(n, asked, true, c, a)
	if !m.Remember {
		n.core.Promise = promise
	}
}

// giveBack: a node gives its lease back, as one does that is sealed, and says so.
func (m *Model) giveBack(s *State, i int, emit emitter) {
	if s.gives == 0 || !m.serves(&s.nodes[i], i) {
		return
	}
	next := m.fork(s)
	next.gives--
	next.nodes[i].core.GiveBack()
	m.report(next, i)
	emit(Step{verb: givesBack, node: i}, next)
}

// moveE: a node that was elected moves E as far as it may. One that was deposed may do so by what
// it read of itself just before. By what it reads of itself now it may not, but it tries.
func (m *Model) moveE(s *State, l int, emit emitter) {
	n := &s.nodes[l]
	m.moveBy(s, l, n.reading(), emit)
	if !n.leads() {
		r := n.reading()
		r.Applied, r.Term = uint64(n.frozen), n.core.Table.Term
		m.moveBy(s, l, r, emit)
	}
}

func (m *Model) moveBy(s *State, l int, r lease.Reading, emit emitter) {
	if r.Applied <= s.nodes[l].core.E {
		return
	}
	next := m.fork(s)
	n := &next.nodes[l]
	if n.core.MoveE(r); n.core.E > s.nodes[l].core.E {
		emit(Step{verb: movesE, leader: l}, next)
	}
}
