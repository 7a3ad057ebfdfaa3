package main

// confirm: voters answer the leader of t that they are in its term. The answers count from the question, so the adverse
// case is that they come at once, and from no more voters than are needed.
func (m *Model) confirm(s *State, t int, emit emitter) {
	l := &s.leaders[t]
	if m.NoLeases || l.own == m.Lease || l.pending {
		return
	}
	self := nodeSet(1) << l.node
	set, need := m.confirmers(s, t)
	set.eachOf(need, func(answer nodeSet) {
		if set&^answer&self != 0 {
			return // it counts itself first
		}
		emit(Step{verb: confirms, node: int(l.node), term: t, nodes: answer}, m.confirmed(s, t, answer))
	})
}

func (m *Model) confirmed(s *State, t int, answer nodeSet) State {
	next := *s
	for i := range m.Nodes {
		if answer.has(i) {
			next.nodes[i].silent = 0
		}
	}
	if m.rules.FromQuestion {
		next.leaders[t].own = m.Lease
	} else {
		next.leaders[t].pending = true
	}
	return next
}

// hearAnswers begins the leader's own lease when it hears the answers, which is too late.
func (m *Model) hearAnswers(s *State, t int, emit emitter) {
	if !s.leaders[t].pending {
		return
	}
	next := *s
	next.leaders[t].pending = false
	next.leaders[t].own = m.Lease
	emit(Step{verb: hearsAnswers, node: int(s.leaders[t].node), term: t}, next)
}

// ownLease is how long the leader of t still has a lease of its own.
func (m *Model) ownLease(s *State, t int) uint8 {
	l := &s.leaders[t]
	if !l.alive || m.rules.OpenedLease && !s.opened(t) {
		return 0
	}
	return l.own
}

// ask: a node looks at its clock, then at its index and its term, and asks the leader of t for a lease, which decides.
func (m *Model) ask(s *State, t, i int, emit emitter) {
	if m.NoLeases || s.nodes[i].grant.state != noGrant || !s.leads(t) || s.ledBy(t, i) || !m.mayGrant(s, t, i) {
		return
	}
	next := *s
	n := &next.nodes[i]
	n.grant = grant{state: decided, by: uint8(t), of: n.term, left: m.Lease}
	if m.rules.UnderOwnLease && m.rules.WithinOwnLease {
		n.grant.left = m.ownLease(s, t)
	}
	if m.rules.OneLock {
		m.grant(&next, i)
	}
	if m.AtOnce {
		n.takeGrant()
	}
	emit(Step{verb: asks, node: i, term: t}, next)
}

// mayGrant is the leader's decision.
func (m *Model) mayGrant(s *State, t, i int) bool {
	l, index := &s.leaders[t], m.index(&s.nodes[i], t)
	switch {
	case m.rules.TermAtGrant && s.nodes[i].term != uint8(t):
		return false
	case !s.opened(t) || m.rules.UnderOwnLease && m.ownLease(s, t) == 0:
		return false
	case m.rules.AtE && index < l.e || m.rules.AtOpening && index < l.opens:
		return false
	}
	return m.mayHold(s, t, i)
}

// grant: the leader enters the lease into its table, for a margin longer, and sends its answer. From here on E waits for the node.
func (m *Model) grant(s *State, i int) {
	g := &s.nodes[i].grant
	g.state = onItsWay
	until := g.left
	if m.rules.Margin {
		until += m.Margin
	}
	table := &s.leaders[g.by].table
	table[i] = max(table[i], until)
}

// grantLate is a grant that was decided before.
func (m *Model) grantLate(s *State, i int, emit emitter) {
	g := &s.nodes[i].grant
	if g.state != decided || !s.leaders[g.by].alive {
		return
	}
	next := *s
	m.grant(&next, i)
	emit(Step{verb: isCounted, node: i, term: int(g.by)}, next)
}

// receive: the grant arrives. What is left of it was counted from before the question.
func (m *Model) receive(s *State, i int, emit emitter) {
	g := &s.nodes[i].grant
	if g.state != onItsWay || m.rules.TermAtReceipt && g.of != s.nodes[i].term {
		return
	}
	next := *s
	next.nodes[i].takeGrant()
	emit(Step{verb: receives, node: i, term: int(g.by)}, next)
}

func (n *node) takeGrant() {
	if n.leaseOf != n.term || n.lease == ranOut {
		n.lease = 0
	}
	n.lease, n.leaseOf = max(n.lease, n.grant.left), n.term
	n.grant = grant{}
}

// ranOut is a lease whose time is over while its flag still stands, only without ClockNotTimer.
const ranOut = maxTicks

// clear: a timer clears the flag, whenever it comes to that.
func (m *Model) clear(s *State, i int, emit emitter) {
	if m.rules.ClockNotTimer || s.nodes[i].lease != ranOut {
		return
	}
	next := *s
	next.nodes[i].lease = 0
	emit(Step{verb: clears, node: i}, next)
}

// holdsLease says whether a look at this moment finds a lease that was granted, or the node's own as a leader.
func (m *Model) holdsLease(s *State, i int) (granted, own bool) {
	n := &s.nodes[i]
	for t := 1; t <= m.Terms; t++ {
		if s.leaders[t].elected && s.ledBy(t, i) && m.ownLease(s, t) > 0 {
			own = own || s.leads(t) || !m.rules.TermAtLook
		}
	}
	return n.lease > 0 && (n.leaseOf == n.term || !m.rules.TermAtLook), own
}
