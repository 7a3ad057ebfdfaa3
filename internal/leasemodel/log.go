package main

// The log, as Raft keeps it. Without logs of their own an entry is committed in the step that proposes it, and any node in the
// entry's term or a later one may apply it then.

// propose: the leader of t puts a write into its log.
func (m *Model) propose(s *State, t int, emit emitter) {
	if s.writes == 0 {
		return
	}
	for _, k := range m.Kinds {
		next := *s
		next.writes--
		if m.put(&next, t, k) {
			emit(Step{verb: proposes, term: t, kind: k}, next)
		}
	}
}

// put says whether an entry has a place in the leader's log, and puts it there.
func (m *Model) put(s *State, t int, k kind) bool {
	if m.Log == 0 {
		return m.putChosen(s, t, k)
	}
	log := &s.leaderNode(t).log
	if int(log.len) == m.Log {
		return false
	}
	log.append(newEntry(t, k))
	return true
}

// putChosen has an entry committed at once, if a majority follows.
func (m *Model) putChosen(s *State, t int, k kind) bool {
	_, voters := m.latest(s.leaderNode(t))
	if s.chosen.len == maxLog || (voters&m.in(s, t)).size() < voters.majority() {
		return false
	}
	s.chosen.append(newEntry(t, k))
	return true
}

// store: a node takes the next entry of its leader, in the place of whatever it had there.
func (m *Model) store(s *State, t, i int, emit emitter) {
	if m.Log == 0 || !s.leads(t) || s.ledBy(t, i) || s.nodes[i].term > uint8(t) {
		return
	}
	members, _ := m.latest(s.leaderNode(t))
	log := &s.leaderNode(t).log
	same := log.common(&s.nodes[i].log)
	if same == log.len || !members.has(i) {
		return
	}
	next := *s
	m.enterTerm(&next, i, t)
	n := &next.nodes[i]
	n.log.cut(same)
	n.unmarked = min(n.unmarked, same)
	n.log.append(log.get(same + 1))
	emit(Step{verb: stores, node: i, term: t}, next)
}

// commit: an entry of the leader's own term is stored by a majority, and with it all before it.
func (m *Model) commit(s *State, t int, emit emitter) {
	if m.Log == 0 {
		return
	}
	log := &s.leaderNode(t).log
	for index := log.len; index > s.chosen.len && log.get(index).term() == t; index-- {
		if m.storedByMajority(s, t, index) {
			next := *s
			next.chosen = *log
			next.chosen.cut(index)
			emit(Step{verb: commits, term: t}, next)
			return
		}
	}
}

func (m *Model) storedByMajority(s *State, t int, index uint8) bool {
	_, voters := m.latest(s.leaderNode(t))
	have := 0
	for i := range m.Nodes {
		if voters.has(i) && s.leaderNode(t).log.common(&s.nodes[i].log) >= index {
			have++
		}
	}
	return have >= voters.majority()
}

// apply: a node's FSM takes the next committed entry.
func (m *Model) apply(s *State, i int, emit emitter) {
	if s.nodes[i].applied == s.chosen.len || !m.hasNext(s, &s.nodes[i]) {
		return
	}
	next := *s
	next.nodes[i].applied++
	next.nodes[i].unmapped = !m.rules.MapBeforeView
	emit(Step{verb: applies, node: i}, next)
}

// hasNext says whether a node has the entry that its FSM would take.
func (m *Model) hasNext(s *State, n *node) bool {
	e := s.chosen.get(n.applied + 1)
	if m.Log == 0 {
		return n.term >= uint8(e.term())
	}
	return n.log.len > n.applied && n.log.get(n.applied+1) == e
}
