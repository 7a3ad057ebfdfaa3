package leasemodel

import "keyquorum/cluster/lease"

// questions are what can be asked for.
func (m *Model) questions() []paths {
	for _, k := range m.Kinds {
		if k.changes() == y {
			return []paths{x, y, both}
		}
	}
	return []paths{x}
}

// begin: a request arrives at a node: from here on it must not miss what was shown. The node does
// what the read needs first. Without a lease it asks for a fence: that is a step of its own.
func (m *Model) begin(s *State, i int, emit emitter) {
	if !m.mayBegin(s, i) {
		return
	}
	for _, p := range m.questions() {
		next := m.fork(s)
		next.reads--
		n := &next.nodes[i]
		n.read = read{on: true, paths: p, must: s.shown}
		if m.goOn(next, n) {
			emit(Step{verb: begins, node: i, paths: p}, next)
		}
	}
}

func (m *Model) mayBegin(s *State, i int) bool {
	n := &s.nodes[i]
	return s.reads > 0 && !n.read.on && !m.Sealed.has(i) && (m.NoLeases || m.serves(n, i))
}

// goOn does what a read needs next, up to where something else may come between. false: it can't
// go on, or not under a lease.
func (m *Model) goOn(s *State, n *node) bool {
	r := &n.read
	switch r.steps.Stage {
	case lease.Looking:
		r.steps.Looked(n.now, uint64(n.term), n.core.Tenure)
		return r.steps.Stage != lease.Asking
	case lease.Applying:
		if r.steps.Applied(uint64(n.applied)); r.steps.Stage != lease.Viewing {
			return false
		}
		fallthrough
	case lease.Viewing:
		m.takeView(s, n)
		return true
	}
	return false
}

// view: a read takes its view, if it may.
func (m *Model) view(s *State, i int, emit emitter) {
	r := &s.nodes[i].read
	if !r.on || r.steps.Stage == lease.Showing {
		return
	}
	next := m.fork(s)
	if m.goOn(next, &next.nodes[i]) {
		emit(Step{verb: views, node: i}, next)
	}
}

// takeView takes a view of what the read shows, and tells the core when that was last changed.
func (m *Model) takeView(s *State, n *node) {
	r := &n.read
	for _, p := range []paths{x, y} {
		if r.fromOneView(p) {
			r.seen |= p
			r.view[p-x] = n.applied
		}
	}
	if r.seen == r.paths {
		last := max(s.chosen.seen(r.paths&x, r.view[0]), s.chosen.seen(r.paths&y, r.view[1]))
		r.steps.Viewed(uint64(last))
	}
}

// fromOneView says whether an object is read from this view. What one request shows is all from
// one: package cluster calls decide with it.
func (r *read) fromOneView(p paths) bool { return r.paths&p != 0 }

// seen is what the state machine tells of a view: the index of the last change of what was read or
// looked for in vain, deletions too.
func (l *entries) seen(p paths, view uint8) uint8 { return l.lastChange(p, view) }

// answer: what the view shows leaves the node, when E is there and the look is fresh.
func (m *Model) answer(s *State, i int, emit emitter) {
	n := &s.nodes[i]
	if !n.read.on || n.read.steps.Stage != lease.Showing {
		return
	}
	steps := n.read.steps
	if steps.Shown(n.core.E); steps.Stage != lease.Leaving {
		return
	}
	if !m.Timely {
		steps.Look = n.now // however late: the adverse case
	}
	if !steps.Left(n.now, n.core.Life) {
		return // it would be drawn anew
	}
	next := m.fork(s)
	next.verdict = m.judge(s, n)
	next.show(m.oldest(s, &n.read))
	next.nodes[i].read = read{}
	emit(Step{verb: answers, node: i}, next)
}
