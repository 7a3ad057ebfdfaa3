package leasemodel

import "keyquorum/cluster/lease"

// fence: a read asks a leader, which notes where it stands and then has a majority of voters say
// what term they are in.
func (m *Model) fence(s *State, l, i int, emit emitter) {
	if !m.mayFence(s, i) {
		return
	}
	index, ok := m.proved(s, l)
	if !ok {
		return
	}
	for _, p := range m.questions() {
		next := m.fork(s)
		m.fenced(next, i, p, index)
		if m.joinsLate {
			next.nodes[l].last = uint8(index) + 1
		}
		emit(Step{verb: fences, node: i, leader: l, paths: p}, next)
	}
}

func (m *Model) mayFence(s *State, i int) bool {
	n := &s.nodes[i]
	return s.reads > 0 && s.fences > 0 && !n.read.on && !m.Sealed.has(i) && !n.rotten
}

// proved is the index of a fence of the leader l, if it gets through.
func (m *Model) proved(s *State, l int) (index uint64, ok bool) {
	n := &s.nodes[l]
	members, voters := m.latest(n)
	servers := m.servers[members][voters]
	opened := uint64(0)
	if n.core.Table.Open {
		opened = n.core.Table.Term
	}
	if lease.Alone(ids[l], servers) {
		return uint64(n.applied), opened == uint64(n.term)
	}
	f, ok := lease.BeginFence(n.reading(), opened, servers)
	if !ok {
		return 0, false
	}
	for i := range m.Nodes {
		f.Hear(ids[i], m.saysTerm(s, l, i))
	}
	return f.Index, f.Proves(uint64(n.term))
}

// fenced begins a read whose fence has this index.
func (m *Model) fenced(s *State, i int, p paths, index uint64) {
	n := &s.nodes[i]
	s.reads--
	s.fences--
	n.read = read{on: true, paths: p, must: s.shown}
	n.read.steps.Must = true
	n.read.steps.Looked(n.now, uint64(n.term), n.core.Tenure)
	n.read.steps.Fenced(n.now, index)
}

// joinLate: a read takes the answer to a fence that was sent before, if the core lets it.
func (m *Model) joinLate(s *State, l, i int, emit emitter) {
	if s.nodes[l].last == 0 || !m.mayFence(s, i) {
		return
	}
	for _, p := range m.questions() {
		next := m.fork(s)
		m.fenced(next, i, p, uint64(s.nodes[l].last-1))
		emit(Step{verb: joins, node: i, leader: l, paths: p}, next)
	}
}
