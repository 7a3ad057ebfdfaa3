package leasemodel

import "keyquorum/cluster/lease"

// A Model is the protocol in a world of some size. One goroutine uses it.
type Model struct {
	Setup
	limits    *lease.Limits
	servers   [1 << maxNodes][1 << maxNodes][]lease.Server // by members and voters
	joinsLate bool                                         // readers may join a round that has begun
	voters    bool                                         // they change
	departs   bool                                         // somebody is to leave
	twins     bool                                         // n1 and n2 are

	at, next, fair State // what steps work on
}

// New is the model of a setup.
func New(setup Setup) *Model {
	m := &Model{Setup: setup, limits: setup.limits(), joinsLate: joinsLate()}
	m.voters = setup.changesVoters()
	for _, c := range setup.Changes {
		m.departs = m.departs || c.How == lease.Depart
	}
	m.twins = setup.haveTwins() && !setup.Remember
	for members := range NodeSet(1 << setup.Nodes) {
		for voters := range members + 1 {
			for i := range setup.Nodes {
				if members.has(i) {
					s := lease.Server{ID: ids[i], Voter: voters.has(i)}
					m.servers[members][voters] = append(m.servers[members][voters], s)
				}
			}
		}
	}
	return m
}

// joinsLate asks the core.
func joinsLate() bool {
	var r lease.Rounds
	begun := r.Begin()
	return r.Join() <= begun
}

// first is the state in which a search begins: a group that has run for a while.
func (m *Model) first() *State {
	s := new(State)
	s.shared = shared{
		won: 1, writes: uint8(m.Writes), reads: uint8(m.Reads), fences: uint8(m.Fences),
		crashes: uint8(m.Crashes), changes: uint8(len(m.Changes)), gives: uint8(m.GiveBacks),
	}
	members, voters := m.initial()
	for i := range m.Nodes {
		n := &s.nodes[i]
		n.member = member{now: start(i), term: 1}
		if !members.has(i) {
			n.term = 0
		}
		n.core = lease.New(m.limits, ids[i], 1, n.reading())
		n.core.Promise = lease.Promise{}
		n.core.NoteCompared()
	}
	leader := &s.nodes[0]
	leader.core.Elected(leader.reading(), m.servers[members][voters])
	leader.core.Opened(leader.reading())
	for i := range m.Nodes {
		m.report(s, i)
	}
	m.settle(s)
	if !m.Remember {
		m.forget(s)
	}
	return s
}

// An emitter takes a step that can be taken and the state after it, which lives until it returns.
type emitter func(Step, *State)

// steps emits whatever can happen in s. Each step may be put off for as long as one likes, which is
// what a pause, a slow network or a late goroutine do.
func (m *Model) steps(s *State, emit emitter) {
	if s.over {
		return
	}
	settled := func(step Step, next *State) {
		m.settle(next)
		if !m.Remember {
			m.forget(next)
		}
		emit(step, next)
	}
	for l := range m.Nodes {
		if s.nodes[l].core.Table.Term > 0 {
			m.leaderSteps(s, l, settled)
		}
	}
	m.elect(s, settled)
	for i := range m.Nodes {
		m.nodeSteps(s, i, settled)
	}
	m.passTime(s, settled)
}

// leaderSteps are those of a node that was elected, and maybe deposed since without its knowledge,
// and of who hears it.
func (m *Model) leaderSteps(s *State, l int, emit emitter) {
	m.moveE(s, l, emit)
	leads := s.nodes[l].leads()
	if leads {
		m.propose(s, l, emit)
		m.change(s, l, emit)
		m.commit(s, l, emit)
		m.confirm(s, l, emit)
	}
	for i := range m.Nodes {
		m.ask(s, l, i, emit)
		m.lie(s, l, i, emit)
		if leads {
			m.hear(s, l, i, emit)
			m.store(s, l, i, emit)
			m.install(s, l, i, emit)
			m.fence(s, l, i, emit)
			m.joinLate(s, l, i, emit)
		}
	}
}

func (m *Model) nodeSteps(s *State, i int, emit emitter) {
	m.apply(s, i, emit)
	m.receive(s, i, emit)
	m.giveBack(s, i, emit)
	m.begin(s, i, emit)
	m.view(s, i, emit)
	m.answer(s, i, emit)
	m.compare(s, i, emit)
	m.crash(s, i, emit)
}
