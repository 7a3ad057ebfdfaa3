package main

// begin is a request that arrives at node i: from here on it must not miss what was shown.
func (m *Model) begin(s *State, i int, r read) State {
	next := *s
	next.reads--
	if r.fenced {
		next.fences--
	}
	r.must = s.shown
	next.nodes[i].read = r
	return next
}

// questions are what can be asked for.
func (m *Model) questions() []paths {
	for _, k := range m.Kinds {
		if k.changes() == y {
			return []paths{x, y, both}
		}
	}
	return []paths{x}
}

// look: a read begins with a look at the clock and the term. There is a lease.
func (m *Model) look(s *State, i int, emit emitter) {
	if s.reads == 0 || s.nodes[i].read.phase != idle {
		return
	}
	granted, own := m.holdsLease(s, i)
	applied := s.nodes[i].applied
	for _, p := range m.questions() {
		switch {
		case !m.rules.LookBeforeView:
			r := read{phase: viewed, paths: p, view: [2]uint8{applied, applied}}
			emit(Step{verb: viewsAtOnce, node: i, paths: p}, m.begin(s, i, r))
		case granted || own:
			r := read{phase: looked, paths: p, marks: !own}
			emit(Step{verb: looks, node: i, paths: p}, m.begin(s, i, r))
		}
	}
}

// fence: a read without a lease asks the leader of t, which notes its FSM's index and then has a majority of voters confirm
// its term.
func (m *Model) fence(s *State, t, i int, emit emitter) {
	confirmed, need := m.confirmers(s, t)
	if !m.mayFence(s, t, i) || confirmed.size() < need || m.rules.OpenedFence && !s.opened(t) {
		return
	}
	index := s.leaderNode(t).applied
	for _, p := range m.questions() {
		next := m.begin(s, i, read{phase: waiting, fenced: true, paths: p, view: [2]uint8{index, 0}})
		if !m.rules.NoLateJoin {
			next.leaders[t].last = index + 1
		}
		emit(Step{verb: fences, node: i, term: t, paths: p}, next)
	}
}

// joinLate: a read takes the answer to a fence that was sent before.
func (m *Model) joinLate(s *State, t, i int, emit emitter) {
	last := s.leaders[t].last
	if last == 0 || !m.mayFence(s, t, i) {
		return
	}
	for _, p := range m.questions() {
		r := read{phase: waiting, fenced: true, paths: p, view: [2]uint8{last - 1, 0}}
		emit(Step{verb: joins, node: i, term: t, paths: p}, m.begin(s, i, r))
	}
}

func (m *Model) mayFence(s *State, t, i int) bool {
	return s.reads > 0 && s.fences > 0 && s.nodes[i].read.phase == idle && s.leads(t)
}

// view: the node takes one view of everything the request needs. Under a lease that was granted by what it has stored it
// waits first until nothing is stored and not applied that changes the request's paths.
func (m *Model) view(s *State, i int, emit emitter) {
	n := &s.nodes[i]
	next := *s
	r := &next.nodes[i].read
	switch {
	case r.phase == looked && !(m.rules.MarksBeforeView && m.marked(n)),
		r.phase == waiting && n.applied >= r.view[0]:
		r.phase, r.view = viewed, [2]uint8{n.applied, n.applied}
		if r.paths == both && !m.rules.OneView {
			r.phase, r.view[1] = halfway, 0
		}
	case r.phase == halfway:
		r.phase, r.view[1] = viewed, n.applied
	default:
		return
	}
	emit(Step{verb: views, node: i}, next)
}

// marked says whether an entry that is stored and not applied changes what the node's read shows.
func (m *Model) marked(n *node) bool {
	if !n.read.marks {
		return false
	}
	known := max(n.applied, n.unmarked)
	return m.Stored && m.rules.StoredPathsWait && n.log.changed(n.read.paths, known, n.log.len)
}

// answer: what the view shows leaves the node.
func (m *Model) answer(s *State, i int, emit emitter) {
	if !m.mayAnswer(s, i) {
		return
	}
	r := &s.nodes[i].read
	next := *s
	next.verdict = m.judge(s, r)
	m.show(&next, m.oldest(s, r))
	next.nodes[i].read = read{}
	emit(Step{verb: answers, node: i}, next)
}

// mayAnswer: E has reached the last change of what the view shows, and the look is less than a lease ago.
func (m *Model) mayAnswer(s *State, i int) bool {
	r := &s.nodes[i].read
	switch {
	case r.phase != viewed || m.waitsForE(s, i):
		return false
	case !m.rules.MarksBeforeView && m.marked(&s.nodes[i]):
		return false // they are looked for, too late
	case m.Timely && m.rules.LastLook && r.age >= m.Lease:
		return false
	case m.rules.LookBeforeView || r.fenced:
		return true
	}
	granted, own := m.holdsLease(s, i)
	return granted || own
}

// waitsForE says whether E has not reached the last change, deletions included, of what the read on node i shows.
func (m *Model) waitsForE(s *State, i int) bool {
	r := &s.nodes[i].read
	if r.fenced && !m.rules.FencedReadsWait || !r.fenced && !m.rules.LeaseReadsWait {
		return false
	}
	return m.changeKnown(s, i, x) > s.e || m.changeKnown(s, i, y) > s.e
}

// changeKnown is the index of the last change of one object in the read's view, as the node's map of recent changes has it.
func (m *Model) changeKnown(s *State, i int, p paths) uint8 {
	n := &s.nodes[i]
	if n.read.paths&p == 0 {
		return 0
	}
	view := n.read.view[p-x]
	if n.unmapped && view == n.applied {
		view--
	}
	last := s.chosen.lastChange(p, view)
	switch {
	case last <= n.floor && m.rules.Floor:
		return min(n.floor, view)
	case last <= n.floor:
		return 0
	case s.chosen.get(last).kind() == dropY && !m.rules.MissesWait:
		return 0
	}
	return last
}

// fillMap: the map of recent changes learns what is visible already, which is too late.
func (m *Model) fillMap(s *State, i int, emit emitter) {
	if !s.nodes[i].unmapped {
		return
	}
	next := *s
	next.nodes[i].unmapped = false
	emit(Step{verb: fillsMap, node: i}, next)
}

// show: everything up to an index is acknowledged, or was answered from.
func (m *Model) show(s *State, index uint8) {
	if index > s.shown {
		s.shown, s.since = index, 0
	}
}

// oldest is the oldest state that an answer can come from: that of the last change it shows.
func (m *Model) oldest(s *State, r *read) uint8 {
	return max(s.chosen.lastChange(r.paths&x, r.view[0]), s.chosen.lastChange(r.paths&y, r.view[1]))
}

// newest is the newest state that it can come from: that before the first change it does not show.
func (m *Model) newest(s *State, r *read) uint8 {
	return min(s.chosen.nextChange(r.paths&x, r.view[0]), s.chosen.nextChange(r.paths&y, r.view[1])) - 1
}

// judge: the states of the log follow one another, so an answer is right when one of them, no older than what was shown as
// the read began, can have given it. That is more than linearizability asks for, which knows no log.
func (m *Model) judge(s *State, r *read) verdict {
	newest := m.newest(s, r)
	switch {
	case newest < r.must:
		return stale
	case newest < m.oldest(s, r):
		return torn
	case m.Timely && newest < s.shown && s.since >= m.Lease:
		return late
	}
	return right
}
