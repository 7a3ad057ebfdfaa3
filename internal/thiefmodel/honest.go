package main

// An emitter takes an event that can happen, the world after it, and what is wrong with it.
type emitter func(event, world, verdict)

// events emits whatever can happen.
func (m *Model) events(w *world, emit emitter) {
	for i := range m.Members {
		n := &w.members[i]
		if !n.in {
			m.join(w, i, emit)
			continue
		}
		m.sign(w, i, emit)
		m.restart(w, i, emit)
		m.replay(w, i, emit)
		m.carry(w, i, emit)
		m.give(w, i, emit)
		m.install(w, i, emit)
		m.speak(w, i, emit)
	}
	m.leak(w, emit)
	m.lie(w, emit)
}

// sign: an unsealed member decides on what it has. The thief learns of it at once, and nobody else
// need ever hear of it.
func (m *Model) sign(w *world, i int, emit emitter) {
	n := &w.members[i]
	s := &m.states[n.state]
	if i >= m.Unsealed || !m.shows(n) || s.line == 0 || s.index >= m.Length {
		return
	}
	var signed [verbs]uint8
	for t := range w.each {
		signed[m.txns[t].verb]++
	}
	for v := range verbs {
		if signed[v] >= m.Signs[v] || !m.sensible(s, v) {
			continue
		}
		t := transaction{verb: v, base: n.state, key: s.line}
		if v == create || v == overwrite {
			t.value = 1 + signed[create] + signed[overwrite]
		}
		if next, ok := w.with(m.intern(t)); ok {
			emit(event{act: signs, who: i, txn: m.intern(t)}, next, right)
		}
	}
}

// sensible says whether somebody who sees s would decide so.
func (m *Model) sensible(s *state, v verb) bool {
	switch v {
	case create:
		return s.value == 0
	case overwrite, remove:
		return s.value != 0
	case rotate:
		return s.line == 1
	}
	return !s.members.has(memberVerbs[v])
}

// restart: a member loses what it had in memory, and comes back with the state in which it began:
// what stands in its log behind that has to be replayed.
func (m *Model) restart(w *world, i int, emit emitter) {
	n := &w.members[i]
	if w.restarts == 0 || n.joining || n.state == nothing {
		return
	}
	next := *w
	next.restarts--
	back := &next.members[i]
	back.state = m.at(n.state, 1)
	switch {
	case !m.rules.Floor:
		back.floor = back.state
	case !m.rules.PastInState:
		back.since = m.states[n.floor].index
	}
	emit(event{act: restarts, who: i}, next, m.seen(back))
}

// replay: a restarted member applies the next entry of its log that it knows to be committed.
func (m *Model) replay(w *world, i int, emit emitter) {
	n := &w.members[i]
	if n.joining || n.state == n.floor || !m.begins(n.floor, n.state) {
		return
	}
	next := *w
	wrong := m.moveTo(&next.members[i], m.next(n.floor, n.state))
	emit(event{act: replays, who: i, history: next.members[i].state}, next, wrong)
}

// join: an unsealed member admits one with an empty folder, and tells it what to trust.
func (m *Model) join(w *world, i int, emit emitter) {
	for j := range m.Unsealed {
		sponsor := &w.members[j]
		if j == i || !m.shows(sponsor) || m.states[sponsor.state].line == 0 {
			continue
		}
		next := *w
		n := &next.members[i]
		*n = member{in: true, trust: m.states[sponsor.state].line}
		n.gone, n.excused = sponsor.gone, sponsor.excused
		if m.rules.AnchorState {
			n.joining, n.floor = true, sponsor.state
		}
		emit(event{act: joins, who: i, other: j}, next, right)
	}
}

// carry: an honest leader sends on what its own log has. While a member hears the thief that is
// among what he can send.
func (m *Model) carry(w *world, i int, emit emitter) {
	n := &w.members[i]
	for j := range m.Members {
		from := &w.members[j]
		if j == i || !from.in || from.joining || from.state == n.state {
			continue
		}
		m.blame(w, i, j, emit)
		if m.hears(n) || !m.stands(n) {
			continue
		}
		if m.begins(from.state, n.state) {
			next := *w
			wrong := m.moveTo(&next.members[i], m.next(from.state, n.state))
			emit(event{act: carries, who: i, other: j, history: next.members[i].state}, next, wrong)
		} else {
			m.carrySnapshot(w, i, j, emit)
		}
	}
}

// carrySnapshot: an honest leader with another past sends all of it.
func (m *Model) carrySnapshot(w *world, i, j int, emit emitter) {
	target := w.members[j].state
	for h := target; h != nothing; h = m.states[h].before {
		last := m.states[h].last
		if last.entry.kind != command || !last.outcome.decided() {
			continue
		}
		t := m.txns[last.entry.txn]
		if m.begins(m.states[h].before, t.base) && m.takes(&w.members[i], t.base, target, t.key) {
			next := *w
			wrong := m.moveBy(&next.members[i], t.base, target)
			emit(event{act: carriesSnapshot, who: i, other: j, history: target}, next, wrong)
			return
		}
	}
}

// blame: an honest leader that the thief has given another past, or unsigned entries, sends what
// it has.
func (m *Model) blame(w *world, i, j int, emit emitter) {
	n, from := &w.members[i], &w.members[j]
	if m.rules.Authors || !m.stands(n) || !m.stands(from) {
		return
	}
	others := !m.begins(n.state, from.state) && !m.begins(from.state, n.state)
	if !others && m.begins(from.state, n.state) {
		others = m.states[m.next(from.state, n.state)].last.entry.kind == junk
	}
	if others {
		emit(event{act: blames, who: i, other: j}, *w, blamed)
	}
}

// leak: the thief comes by the first transaction key, after somebody has applied the second.
func (m *Model) leak(w *world, emit emitter) {
	if !m.Leak || w.leaked {
		return
	}
	for i := range m.Members {
		if n := &w.members[i]; m.shows(n) && m.states[n.state].line > 1 {
			next := *w
			next.leaked = true
			emit(event{act: leaks}, next, right)
			return
		}
	}
}
