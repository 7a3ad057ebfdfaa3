package main

// A txn names a transaction; 0 is none.
type txn uint16

// A transaction is what was decided on a base. What it has conditions on follows from the verb and
// from what its signer saw there.
type transaction struct {
	verb  verb
	base  history // index and digest of what its signer had
	key   uint8   // number of the key that signed, 0 for none
	value uint8   // that it puts at x
	thief bool    // he made it
}

type verb uint8

const (
	create    verb = iota // x, which must be absent
	overwrite             // x, unchanged
	remove                // x, unchanged
	touch                 // nothing: a checkpoint, or a write somewhere else
	rotate                // the transaction key
	promote               // a non-voter of the cluster
	expel                 // the thief's node, with its mark
	rekey                 // the thief's node
	meddle                // an ordinary write to the member list: no honest member should sign that
	verbs
)

func (m *Model) intern(t transaction) txn {
	if id, ok := m.txnOf[t]; ok {
		return id
	}
	id := txn(len(m.txns))
	m.txns = append(m.txns, t)
	m.txnOf[t] = id
	return id
}

// apply is what a state machine makes of an entry at an index. It knows digests of its past since
// an index.
func (m *Model) apply(h history, e entry, index, since uint8) (history, outcome) {
	o := m.judge(h, e, index, since)
	return m.then(h, step{entry: e, index: index, outcome: o}), o
}

// judge decides on an entry.
func (m *Model) judge(h history, e entry, index, since uint8) outcome {
	s := &m.states[h]
	switch e.kind {
	case founding, falseFounding:
		if h != nothing || e.kind == falseFounding && m.rules.Anchor {
			return refused
		}
		return applied
	case following:
		return applied
	case straying:
		if m.rules.Configuration {
			return refused
		}
		return applied
	case junk:
		if m.rules.Signed {
			return refused
		}
		return applied
	}
	t := &m.txns[e.txn]
	switch {
	case m.rules.Signed && (t.key == 0 || t.key > s.line):
		return refused
	case m.rules.NewestKey && t.key < s.line:
		return retired
	}
	if _, decided := m.remembered(h, e.txn, index); decided {
		return repeated
	}
	return m.decide(h, t, index, since)
}

func (m *Model) remembered(h history, t txn, index uint8) (outcome, bool) {
	if !m.rules.FirstOutcome {
		return 0, false
	}
	return m.outcomeOf(h, t, index-min(index, m.Window))
}

func (m *Model) decide(h history, t *transaction, index, since uint8) outcome {
	base := m.states[t.base].index
	switch {
	case m.rules.TooOld && (base >= index || index-base > m.Window):
		return tooOld
	case m.rules.SamePast && m.differs(h, t.base, since):
		return foreign
	case t.verb == meddle && m.rules.Reserved:
		return refused
	case memberVerbs[t.verb] != 0 && m.rules.OneChange && m.unfollowed(h):
		return waits
	case !m.holds(h, t, index):
		return conflict
	}
	return applied
}

// differs says whether a member at h, which knows the digests of its past since an index, sees
// that base is not in it.
func (m *Model) differs(h, base history, since uint8) bool {
	index := m.states[base].index
	if index < since && !m.rules.PastInState && index <= m.states[h].index {
		return false // it can't say
	}
	return !m.begins(h, base)
}

// unfollowed says whether Raft's configuration lags behind the members.
func (m *Model) unfollowed(h history) bool {
	return m.states[h].configured != m.states[h].members&inRaft
}

// holds says whether the conditions of a transaction hold.
func (m *Model) holds(h history, t *transaction, index uint8) bool {
	s, saw := &m.states[h], &m.states[t.base]
	switch t.verb {
	case create:
		buried := s.deleted > saw.index && index-s.deleted <= m.Window
		return s.value == 0 && !(buried && m.rules.Tombstones)
	case overwrite, remove:
		return s.value != 0 && s.mod == saw.mod
	case rotate:
		return s.line == saw.line
	case promote, expel, rekey, meddle:
		return s.membersMod == saw.membersMod
	}
	return true
}
