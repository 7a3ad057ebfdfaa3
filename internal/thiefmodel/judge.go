package main

// A verdict says what is wrong with an event.
type verdict uint8

const (
	right         verdict = iota
	unsigned              // P1
	builtOn               // P1
	mixed                 // P1
	resurrected           // P2
	opened                // P2
	served                // P3
	unmarked              // P3
	misconfigured         // P3
	leapt                 // P3
	restored              // P4
	missed                // P5
	turned                // P6
	lied                  // P6
	blamed                // P7
)

// moveTo has a member's state go on, and judges what it can show from then on.
func (m *Model) moveTo(n *member, h history) verdict {
	before := n.state
	n.state = h
	if wrong := m.misled(n, before, h); wrong != right {
		return wrong
	}
	if m.stands(n) {
		s := &m.states[h]
		n.joining, n.floor = false, h
		n.gone |= s.gone
		n.cut = n.cut || s.members.has(expelled)
		n.rekeyed = n.rekeyed || s.members.has(rekeyed)
		n.trust = max(n.trust, s.line)
	}
	return m.seen(n)
}

// moveBy has a member take a snapshot.
func (m *Model) moveBy(n *member, vouched, target history) verdict {
	if !m.rules.PastInState {
		n.since = m.states[vouched].index
	}
	unsure := n.joining && m.states[vouched].index > m.states[n.floor].index && !m.rules.PastInState
	if !n.joining || unsure { // its own digest, or nobody's, says whether it is on the way
		n.joining, n.floor = false, target
	}
	if s := &m.states[target]; s.forged && s.last.entry.kind != invented && n.trust == 1 {
		n.excused = true
	}
	return m.moveTo(n, target)
}

// misled looks at a step that a member takes.
func (m *Model) misled(n *member, before, h history) verdict {
	s, last := &m.states[h], &m.states[h].last
	if s.before != before || last.outcome != applied {
		return right
	}
	switch last.entry.kind {
	case falseFounding, junk:
		return unsigned
	case invented:
		if !n.excused {
			return restored
		}
	case straying:
		return misconfigured
	case following:
		if d := s.configured ^ m.states[before].configured; d&(d-1) != 0 {
			return leapt
		}
	case command:
		t := &m.txns[last.entry.txn]
		if t.thief && n.trust == 1 {
			n.excused = true
		}
		if t.verb == meddle {
			return misconfigured
		}
	}
	return right
}

// seen looks at what a member shows. One that is sealed may be unsealed at any moment.
func (m *Model) seen(n *member) verdict {
	s := &m.states[n.state]
	switch {
	case n.excused && !m.Strict || !m.shows(n):
		return right
	case s.forged:
		return builtOn
	case s.value != 0 && n.gone.has(s.value):
		return resurrected
	case s.reopened:
		return opened
	case n.cut && !s.members.has(expelled) || n.rekeyed && !s.members.has(rekeyed):
		return unmarked
	}
	return right
}

// process looks at what a member makes of a transaction, at history n.state, and whether it
// notices what it must.
func (m *Model) process(w *world, n *member, h history, o outcome) verdict {
	e, index := m.states[h].last.entry, m.states[h].index
	if e.kind != command || n.excused || !m.stands(n) {
		return right
	}
	t := &m.txns[e.txn]
	if t.thief || m.states[t.base].forged {
		return right
	}
	first, decided := m.outcomeOf(n.state, e.txn, 0)
	switch {
	case o == applied && decided && first != applied:
		return turned
	case o == applied && w.told == e.txn:
		return lied
	case o == applied && m.sawOther(n.state, t):
		return mixed
	case m.within(index, t.base) && !m.begins(n.state, t.base) && !m.suspects(n, t):
		return missed
	}
	return right
}

// within says whether a base is no older than the window.
func (m *Model) within(index uint8, base history) bool {
	return index <= m.states[base].index+m.Window
}

// sawOther says whether a signer saw something else at x than is there.
func (m *Model) sawOther(h history, t *transaction) bool {
	if t.verb != overwrite && t.verb != remove {
		return false
	}
	return m.states[h].value != m.states[t.base].value
}

// suspects says whether a member finds out from a transaction that its signer had another past.
func (m *Model) suspects(n *member, t *transaction) bool {
	if t.key > m.states[n.state].line {
		return m.rules.NewerKey
	}
	return m.rules.BaseDigest && m.differs(n.state, t.base, n.since)
}
