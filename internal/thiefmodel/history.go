package main

// A history is all that a state machine has applied, from the empty state on. It stands for the
// state that it leads to, and for that state's digest: two histories of one digest are one.
type history uint32

const (
	nothing      history = 0
	maxHistories         = 1 << 22
)

// A state is what a history leads to.
type state struct {
	before history // all but its last step
	last   step

	index      uint8
	value      uint8 // of the record x, 0 for none
	logical    uint8 // version that it was sealed for
	mod        uint8 // index of its last change
	deleted    uint8 // index of its last deletion
	line       uint8 // how many transaction keys there are
	members    changes
	membersMod uint8   // index of the last change of members
	configured changes // what Raft was told of that
	idle       uint8   // entries that changed nothing

	// The judge's.
	gone     values // what stood at x and was deleted or overwritten
	top      uint8  // the greatest version that stood at x and was deleted
	reopened bool   // x was created for a version that something deleted had
	forged   bool   // something in it was signed by the thief, or by nobody
}

// changes are what was done to the members that the cluster was founded with.
type changes uint8

const (
	promoted changes = 1 << iota // a non-voter got a vote
	expelled                     // the thief's node was removed
	rekeyed                      // the thief's node has another key
	forced                       // something that no verb does

	inRaft = promoted | expelled | forced // what a configuration of Raft says
)

func (c changes) has(d changes) bool { return c&d != 0 }

// A step is an entry at an index, and what became of it.
type step struct {
	before  history
	entry   entry
	index   uint8
	outcome outcome
}

// An entry is what stands in a log.
type entry struct {
	kind kind
	txn  txn
}

type kind uint8

const (
	founding      kind = iota // the first transaction
	falseFounding             // one under a key of the thief's
	command
	junk      // a command that nobody signed
	following // a configuration that is what the members say
	straying  // one that is not
	invented  // a state that the thief made up
)

type outcome uint8

const (
	applied outcome = iota
	conflict
	waits // a conflict: Raft has not followed the last change of members
	tooOld
	foreign // decided on another past
	retired // signed by a key that has a successor
	refused
	repeated // its id has an outcome already
)

// decided says whether an outcome is the outcome of an id.
func (o outcome) decided() bool { return o <= foreign }

// then is the history with a step more.
func (m *Model) then(h history, s step) history {
	s.before = h
	if next, ok := m.known[s]; ok {
		return next
	}
	if len(m.states) == maxHistories {
		panic("too many histories")
	}
	next := history(len(m.states))
	m.known[s] = next
	m.states = append(m.states, m.work(h, s))
	return next
}

// work is the state after a step.
func (m *Model) work(h history, s step) state {
	next := m.states[h]
	next.before, next.last, next.index, next.reopened = h, s, s.index, false
	switch {
	case s.outcome > foreign:
		next.idle++
	case s.outcome == applied:
		m.perform(&next, s.entry)
	}
	return next
}

func (m *Model) perform(s *state, e entry) {
	switch e.kind {
	case founding, falseFounding:
		s.line, s.membersMod = 1, s.index
		s.forged = e.kind == falseFounding
	case following:
		s.configured = s.members & inRaft
	case straying:
		s.configured ^= forced
	case invented:
		s.forged, s.line = true, max(s.line, 1)
	case command, junk:
		t := &m.txns[e.txn]
		s.forged = s.forged || t.thief
		m.performVerb(s, t)
	}
}

func (m *Model) performVerb(s *state, t *transaction) {
	switch t.verb {
	case create:
		s.logical = m.states[t.base].index
		s.reopened = s.top > 0 && s.logical <= s.top
		s.value, s.mod = t.value, s.index
	case overwrite:
		s.gone.add(s.value)
		s.value, s.logical, s.mod = t.value, s.mod, s.index
	case remove:
		s.gone.add(s.value)
		s.top = max(s.top, s.logical)
		s.value, s.logical, s.mod, s.deleted = 0, 0, 0, s.index
	case rotate:
		s.line++
	case promote, expel, rekey, meddle:
		s.members |= memberVerbs[t.verb]
		s.membersMod = s.index
	}
}

var memberVerbs = [verbs]changes{promote: promoted, expel: expelled, rekey: rekeyed, meddle: forced}

// begins says whether h is a beginning of, or the same as, other: whether the state that h leads
// to is in the past of the other one.
func (m *Model) begins(other, h history) bool {
	return m.at(other, m.states[h].index) == h
}

// at is what a history was at an index; nothing when it was never there.
func (m *Model) at(h history, index uint8) history {
	for m.states[h].index > index {
		h = m.states[h].before
	}
	if m.states[h].index != index {
		return nothing
	}
	return h
}

// next is the step of a history that follows one of its beginnings.
func (m *Model) next(h, beginning history) history {
	for m.states[h].before != beginning {
		h = m.states[h].before
	}
	return h
}

// outcomeOf looks for the first outcome of a transaction in a history, from an index on.
func (m *Model) outcomeOf(h history, t txn, from uint8) (o outcome, decided bool) {
	for ; h != nothing && m.states[h].index >= from; h = m.states[h].before {
		last := &m.states[h].last
		if last.entry == (entry{command, t}) && last.outcome.decided() {
			o, decided = last.outcome, true
		}
	}
	return o, decided
}
