package leasemodel

// The log, as Raft keeps it. Without logs of their own an entry is committed in the step that
// proposes it, and any node in the entry's term or a later one may apply it then.

// propose: a leader puts a write into its log.
func (m *Model) propose(s *State, l int, emit emitter) {
	if s.writes == 0 {
		return
	}
	for _, k := range m.Kinds {
		next := m.fork(s)
		next.writes--
		if m.put(next, l, k) {
			emit(Step{verb: proposes, leader: l, kind: k}, next)
		}
	}
}

// put says whether an entry has a place in the leader's log, and puts it there.
func (m *Model) put(s *State, l int, k Kind) bool {
	n := &s.nodes[l]
	if m.Log > 0 {
		if int(n.log.len) == m.Log {
			return false
		}
		n.log.append(newEntry(int(n.term), k))
		return true
	}
	_, voters := m.latest(n)
	if s.chosen.len == maxLog || (voters&m.in(s, n.term)).size() < voters.majority() {
		return false
	}
	s.chosen.append(newEntry(int(n.term), k))
	return true
}

// store: a node takes the next entry of its leader, in the place of whatever it had there.
func (m *Model) store(s *State, l, i int, emit emitter) {
	if m.Log == 0 || l == i || s.nodes[i].term > s.nodes[l].term {
		return
	}
	log := &s.nodes[l].log
	same := log.common(&s.nodes[i].log)
	if members, _ := m.latest(&s.nodes[l]); same == log.len || !members.has(i) {
		return
	}
	next := m.fork(s)
	n := &next.nodes[i]
	n.log.cut(same)
	n.log.append(log.get(same + 1))
	m.enterTerm(next, i, s.nodes[l].term)
	emit(Step{verb: stores, node: i, leader: l}, next)
}

// install: a node takes the leader's state in the place of its own, and of what its log lacks.
func (m *Model) install(s *State, l, i int, emit emitter) {
	leader := &s.nodes[l]
	if !m.Snapshots || l == i || s.nodes[i].term > leader.term ||
		s.nodes[i].applied >= leader.applied {
		return
	}
	if members, _ := m.latest(leader); !members.has(i) {
		return
	}
	next := m.fork(s)
	m.enterTerm(next, i, leader.term) // before its state is another
	n := &next.nodes[i]
	n.applied = leader.applied
	if m.Log > 0 && n.log.common(&leader.log) < leader.applied {
		n.log = leader.log
		n.log.cut(leader.applied)
	}
	m.report(next, i)
	emit(Step{verb: installs, node: i, leader: l}, next)
}

// commit: an entry of the leader's own term is stored by a majority, and with it all before it.
func (m *Model) commit(s *State, l int, emit emitter) {
	if m.Log == 0 {
		return
	}
	log := &s.nodes[l].log
	for index := log.len; index > s.chosen.len; index-- {
		if log.get(index).term() == int(s.nodes[l].term) && m.storedByMajority(s, l, index) {
			next := m.fork(s)
			next.chosen = *log
			next.chosen.cut(index)
			m.noteChange(next, l, s.chosen.len)
			emit(Step{verb: commits, leader: l}, next)
			return
		}
	}
}

// noteChange tells a leader's core that the voters were changed, if an entry after an index did so.
func (m *Model) noteChange(s *State, l int, after uint8) {
	n := &s.nodes[l]
	for i := after + 1; i <= s.chosen.len; i++ {
		e := s.chosen.get(i)
		if e.term() == int(n.term) && m.changesVoter(e.kind()) {
			n.core.VotersChange(n.reading())
		}
	}
}

func (m *Model) storedByMajority(s *State, l int, index uint8) bool {
	_, voters := m.latest(&s.nodes[l])
	have := 0
	for i := range m.Nodes {
		if voters.has(i) && s.nodes[l].log.common(&s.nodes[i].log) >= index {
			have++
		}
	}
	return have >= voters.majority()
}

// apply: a node's FSM takes the next committed entry that it is sent, and its leader hears of that.
// A leader's own FSM is looked at when E moves.
func (m *Model) apply(s *State, i int, emit emitter) {
	index := s.chosen.nextSent(s.nodes[i].applied)
	if index == 0 || !m.has(s, &s.nodes[i], index) {
		return
	}
	next := m.fork(s)
	next.nodes[i].applied = index
	m.report(next, i)
	emit(Step{verb: applies, node: i}, next)
}

// has says whether a node has a committed entry.
func (m *Model) has(s *State, n *node, index uint8) bool {
	if m.Log == 0 {
		return int(n.term) >= s.chosen.get(index).term()
	}
	return n.log.common(&s.chosen) >= index
}
