package main

import (
	"hash/maphash"
	"slices"
)

// Bounds of what a world holds. A setup uses less.
const (
	maxMembers = 3
	maxSigned  = 6
)

// A Setup says how large a world is searched. Everything in it is finite, so a search can be
// complete.
type Setup struct {
	Members  int  // honest ones, n0 and so on; the thief holds the key and the disk of one more
	Unsealed int  // of them sign: the first ones
	Joiner   bool // the last one begins with an empty folder
	Stranger bool // the thief's node was never a member, but was about to join

	Signs    [verbs]uint8 // how often each verb is signed, at most
	Restarts uint8
	Leak     bool // the thief gets the first transaction key once the second has taken its place
	Strict   bool // also where he uses it on a member that has not heard of the second

	Length uint8 // the highest index
	Window uint8 // for how many indexes ids and deletions are remembered
	Idle   uint8 // entries in one history, at most, that change nothing but the index
}

// A Model is the protocol in a world of some size.
type Model struct {
	Setup
	rules Rules

	states []state          // by history
	known  map[step]history // where an entry leads
	txns   []transaction    // by txn
	txnOf  map[transaction]txn
	seed   maphash.Seed
}

// A world is everything at one moment.
type world struct {
	members  [maxMembers]member
	signed   [maxSigned]txn // by honest members, ascending; the thief has them all
	told     txn            // that was not applied, as its signer was told (only without OwnAnswer)
	leaked   bool           // the thief has the first transaction key
	restarts uint8          // that may still happen
}

// A member is an honest one: what is on its disk and in its memory, and what the judge remembers
// of it.
type member struct {
	in      bool
	joining bool    // has not come to the state that its sponsor had
	state   history // what its state machine has applied
	floor   history // what it must have applied before it shows anything
	since   uint8   // from which index on it knows digests (only without PastInState)
	trust   uint8   // the newest transaction key that it knows of

	// The judge's.
	gone    values // what was deleted or overwritten in histories that it stood on
	cut     bool   // it has applied the removal of the thief's node
	rekeyed bool   // it has applied that the thief's key is not its node's any more
	excused bool   // it knew of no newer key when the thief signed with the first one
}

// newModel makes the histories that every search begins with.
func newModel(s Setup, r Rules) *Model {
	return &Model{
		Setup: s, rules: r,
		states: []state{{}}, known: map[step]history{},
		txns: []transaction{{}}, txnOf: map[transaction]txn{},
		seed: maphash.MakeSeed(),
	}
}

// first is the world in which a search begins: every member but the joiner has applied the
// founding.
func (m *Model) first() (w world) {
	w.restarts = m.Restarts
	founded := m.then(nothing, step{entry: entry{kind: founding}, index: 1, outcome: applied})
	for i := range m.Members {
		if !m.Joiner || i < m.Members-1 {
			w.members[i] = member{in: true, state: founded, floor: founded, trust: 1}
		}
	}
	return w
}

func (m *Model) hash(w *world) uint64 { return maphash.Comparable(m.seed, *w) }

// stands says whether a member's state has come as far as it must before it is shown.
func (m *Model) stands(n *member) bool { return m.begins(n.state, n.floor) }

// shows says whether a member, once it is unsealed, shows what it has and signs on top of it.
func (m *Model) shows(n *member) bool {
	switch {
	case !n.in || n.joining && !m.stands(n):
		return false
	case m.rules.KnownKeys && m.states[n.state].line < n.trust:
		return false
	}
	return m.stands(n) || !m.rules.UpToFloor
}

// hears says whether a member takes Raft's messages from the thief.
func (m *Model) hears(n *member) bool {
	s := &m.states[n.state]
	switch {
	case !n.in:
		return false
	case m.rules.PortWaits && !n.joining && !m.stands(n):
		return false
	case s.members.has(expelled) || m.rules.Marks && n.cut:
		return false
	}
	return !m.rules.Pinned || !s.members.has(rekeyed)
}

// serves says whether a member serves the thief's calls.
func (m *Model) serves(n *member) bool {
	return m.hears(n) && (!m.rules.MembersCall || m.isMember(n))
}

// isMember says whether the thief's node is a member by a member's state.
func (m *Model) isMember(n *member) bool {
	s := &m.states[n.state]
	return s.line > 0 && !m.Stranger && !s.members.has(expelled)
}

// with is the world with a transaction more, and whether there was room for one.
func (w world) with(t txn) (world, bool) {
	if slices.Contains(w.signed[:], t) || w.signed[0] != 0 {
		return w, false
	}
	w.signed[0] = t
	slices.Sort(w.signed[:])
	return w, true
}

// each yields the transactions that honest members have signed.
func (w *world) each(yield func(txn) bool) {
	for _, t := range w.signed {
		if t != 0 && !yield(t) {
			return
		}
	}
}

// values is a set of the values that x may have.
type values uint16

func (v values) has(value uint8) bool { return v&(1<<value) != 0 }
func (v *values) add(value uint8)     { *v |= 1 << value }
