package main

// Bounds of what a key holds. A setup uses less.
const (
	maxNodes = 4
	maxTerms = 3
	maxLog   = 4 // entries
	maxTicks = 3 // of any count of time: a lease and its margin
)

// A Setup says how large a world is searched. Everything in it is finite, so a search can be complete.
type Setup struct {
	Nodes  int // n0 to n(Nodes-1); n0 leads term 1 when the search begins, everybody follows, nothing is written
	Voters int // of them vote: the first ones
	Terms  int // at most; each after the first is won by any voter with any majority that its log allows, at any moment

	Writes  int    // at most
	Kinds   []kind // what a write may be
	Reads   int    // begun at most, each at any node
	Fences  int    // of them fenced at most; the others need a lease
	Crashes int    // of any node, which comes back at once, its state at any older index

	Lease  uint8 // ticks that a lease lasts
	Margin uint8 // ticks that whoever granted it waits longer
	Slow   int   // the node whose clock may lose one tick in each lease and margin; nobody when noSlowClock

	// Log is the capacity of the logs. 0 is Raft in one step: an entry is committed when it is proposed. Otherwise
	// entries are proposed, stored, committed, overwritten.
	Log     int
	Changes int  // of the configuration at most; need a Log
	Change  kind // join, joinAsVoter or leave
	Mover   int  // the node that joins or leaves
	Stored  bool // holders report what they have stored, not what they have applied; needs a Log

	AtOnce   bool // a grant arrives when it is sent, the adverse case while the rules about its way are kept
	NoLeases bool // leases are off: every read is fenced
	Remember bool // nothing is forgotten (forget.go): more states, the same answers
	Timely   bool // also search for answers that come more than a lease after what they miss was acknowledged
}

const noSlowClock = -1

// A Model is the protocol in a world of some size.
type Model struct {
	Setup
	rules Rules
}

// first is the state in which a search begins.
func (m *Model) first() State {
	s := State{
		writes: uint8(m.Writes), reads: uint8(m.Reads), fences: uint8(m.Fences),
		crashes: uint8(m.Crashes), changes: uint8(m.Changes),
	}
	for i := range m.Nodes {
		s.nodes[i].term = 1
		s.nodes[i].silent = m.whole()
	}
	s.leaders[1] = leader{elected: true, alive: true}
	return s
}

// whole is a lease and its margin, in ticks.
func (m *Model) whole() uint8 { return m.Lease + m.Margin }

// An emitter takes a step that can be taken and the state after it.
type emitter func(Step, State)

// steps emits whatever can happen in s. Each step may be put off for as long as one likes, which is what a pause, a slow
// network or a late goroutine do.
func (m *Model) steps(s *State, emit emitter) {
	forgetful := func(step Step, next State) {
		if !m.Remember {
			m.forget(&next)
		}
		emit(step, next)
	}
	for t := range m.Terms {
		if s.leaders[t+1].elected {
			m.leaderSteps(s, t+1, forgetful)
		}
	}
	m.elect(s, forgetful)
	for i := range m.Nodes {
		m.nodeSteps(s, i, forgetful)
	}
	m.tick(s, forgetful)
}

// leaderSteps are those of the leader of term t, whom another may have followed without its knowledge, and of who hears it.
func (m *Model) leaderSteps(s *State, t int, emit emitter) {
	if s.leads(t) {
		m.propose(s, t, emit)
		m.change(s, t, emit)
		m.commit(s, t, emit)
		m.confirm(s, t, emit)
		m.hearAnswers(s, t, emit)
	}
	m.moveE(s, t, emit)
	for i := range m.Nodes {
		m.hear(s, t, i, emit)
		m.store(s, t, i, emit)
		m.ask(s, t, i, emit)
		m.fence(s, t, i, emit)
		m.joinLate(s, t, i, emit)
	}
}

func (m *Model) nodeSteps(s *State, i int, emit emitter) {
	m.apply(s, i, emit)
	m.fillMap(s, i, emit)
	m.grantLate(s, i, emit)
	m.receive(s, i, emit)
	m.clear(s, i, emit)
	m.look(s, i, emit)
	m.view(s, i, emit)
	m.answer(s, i, emit)
	m.crash(s, i, emit)
}
