package leasemodel

// passTime: time passes, for all alike or for all but the node whose clock is slow.
func (m *Model) passTime(s *State, emit emitter) {
	m.passBut(s, NoSlowClock, emit)
	if m.Slow != NoSlowClock && s.nodes[m.Slow].slowed == 0 {
		m.passBut(s, m.Slow, emit)
	}
}

func (m *Model) passBut(s *State, slow int, emit emitter) {
	next := m.fork(s)
	for i := range m.Nodes {
		n := &next.nodes[i]
		if i == slow {
			n.slowed = uint8(m.whole())
			continue
		}
		n.now += tick
		n.slowed = max(n.slowed, 1) - 1
	}
	if m.Timely {
		next.since = min(next.since+1, uint8(m.Lease))
	}
	emit(Step{verb: passes, node: slow}, next)
}
