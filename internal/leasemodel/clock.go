package main

// tick: time passes, for all alike or for all but the node whose clock is slow.
func (m *Model) tick(s *State, emit emitter) {
	m.tickBut(s, noSlowClock, emit)
	if m.Slow != noSlowClock && s.nodes[m.Slow].slowed == 0 {
		m.tickBut(s, m.Slow, emit)
	}
}

func (m *Model) tickBut(s *State, slow int, emit emitter) {
	next := *s
	for i := range m.Nodes {
		m.tickNode(&next.nodes[i], i == slow)
	}
	for t := 1; t <= m.Terms; t++ {
		if l := &next.leaders[t]; l.elected {
			m.tickLeader(l, int(l.node) == slow)
		}
	}
	if m.Timely {
		up(&next.since, m.Lease)
	}
	if next != *s {
		emit(Step{verb: passes, node: slow}, next)
	}
}

// tickNode is a tick at a node. Its own clock runs its lease; what its silence lasts is true time, the adverse case, since
// the new leader's clock counts most of it.
func (m *Model) tickNode(n *node, slow bool) {
	up(&n.silent, m.whole())
	if slow {
		n.slowed = m.whole()
		return
	}
	down(&n.slowed)
	switch {
	case n.lease == 1 && !m.rules.ClockNotTimer:
		n.lease = ranOut
	case n.lease != ranOut:
		down(&n.lease)
	}
	if m.rules.FromAsking && n.grant.left > 0 {
		down(&n.grant.left)
	}
	if m.Timely && n.read.phase != idle {
		up(&n.read.age, m.Lease)
	}
}

// tickLeader is a tick at a leader.
func (m *Model) tickLeader(l *leader, slow bool) {
	for i := range l.until {
		if l.until[i] != unheard {
			down(&l.until[i])
		}
	}
	if slow {
		return
	}
	down(&l.own)
	for i := range l.table {
		down(&l.table[i])
	}
}

func down(v *uint8) {
	if *v > 0 {
		*v--
	}
}

func up(v *uint8, most uint8) {
	if *v < most {
		*v++
	}
}
