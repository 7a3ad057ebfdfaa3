package main

import "fmt"

// An event is one thing that happens. With the model it can be told in words.
type event struct {
	act     act
	who     int     // whose state it concerns
	other   int     // who else has part in it
	txn     txn     // that is signed, or lied about
	history history // where who gets to
	from    history // the state in a snapshot
	how     how
}

type act uint8

const (
	signs act = iota
	restarts
	replays
	joins
	carries
	carriesSnapshot
	leaks
	gives
	leads
	installs
	rewrites
	lies
	calls
	streams
	poses
	blames
)

// how is what is wrong with a snapshot.
type how uint8

const (
	byNobody how = iota + 1
	byOwnKey
	byOldKey
	beside
)

// tell tells what happens.
func (m *Model) tell(e event) string {
	who := fmt.Sprintf("n%d", e.who)
	switch e.act {
	case signs:
		return fmt.Sprintf("%s signs %s", who, m.decision(e.txn))
	case restarts:
		return who + " restarts"
	case replays:
		return fmt.Sprintf("%s replays %s from its own log", who, m.arrival(e.history))
	case joins:
		return fmt.Sprintf("n%d admits %s, which has an empty folder", e.other, who)
	case carries:
		return fmt.Sprintf("n%d leads, and %s applies %s", e.other, who, m.arrival(e.history))
	case carriesSnapshot:
		has := m.has(e.history)
		return fmt.Sprintf("n%d leads, and %s takes its snapshot, and has %s", e.other, who, has)
	case leaks:
		return "the thief comes by the first transaction key"
	case blames:
		return fmt.Sprintf("n%d leads with what the thief gave it, and %s accuses it", e.other, who)
	case calls, streams, poses:
		return m.tellSpeech(e, who)
	case lies:
		return fmt.Sprintf("the thief, leading, answers that %s came too late", m.decision(e.txn))
	}
	return m.tellThief(e, who)
}

func (m *Model) tellSpeech(e event, who string) string {
	switch e.act {
	case calls:
		return "the thief calls " + who + ", and is served"
	case streams:
		return "the thief speaks Raft with " + who + ", and is heard"
	}
	return fmt.Sprintf("the thief speaks Raft in the name of n%d, whom %s accuses", e.other, who)
}

func (m *Model) tellThief(e event, who string) string {
	switch e.act {
	case leads:
		return fmt.Sprintf("an honest member leads, and %s %s", who, m.taking(e.history))
	case gives:
		return fmt.Sprintf("the thief leads, and %s %s", who, m.taking(e.history))
	case rewrites:
		index := m.states[e.history].index
		return fmt.Sprintf("the thief leads, and %s drops entry %d, which it has applied", who, index)
	}
	switch e.how {
	case byNobody:
		return "the thief sends " + who + " a snapshot of a state that nobody vouched for"
	case byOwnKey:
		return "the thief sends " + who + " a snapshot that a key of his vouches for, last in its line"
	case byOldKey:
		return "the thief vouches for a state with the first key, and " + who + " takes the snapshot"
	case beside:
		return "the thief sends " + who + " a snapshot, and a configuration of his own beside it"
	}
	const sends = "the thief sends %s a snapshot, the state at %d and %s behind it, and it has %s"
	return fmt.Sprintf(sends, who, m.states[e.from].index, m.tail(e.from, e.history), m.has(e.history))
}

// taking is what a member makes of an entry.
func (m *Model) taking(h history) string {
	s := &m.states[h]
	what := m.content(s.last.entry)
	switch s.last.outcome {
	case applied:
		return fmt.Sprintf("applies %s at %d", what, s.index)
	case conflict, waits:
		return fmt.Sprintf("finds a conflict with %s at %d", what, s.index)
	case tooOld:
		return fmt.Sprintf("finds %s too old at %d", what, s.index)
	case repeated:
		return fmt.Sprintf("hears %s again at %d", what, s.index)
	}
	return fmt.Sprintf("refuses %s at %d", what, s.index)
}

// arrival is the last entry of a history.
func (m *Model) arrival(h history) string {
	return fmt.Sprintf("%s at %d", m.content(m.states[h].last.entry), m.states[h].index)
}

func (m *Model) tail(from, to history) string {
	if m.states[to].before == from {
		return m.arrival(to)
	}
	return m.tail(from, m.states[to].before) + ", " + m.arrival(to)
}

// has is what a state shows.
func (m *Model) has(h history) string {
	s := &m.states[h]
	if s.value == 0 {
		return fmt.Sprintf("no x at %d", s.index)
	}
	return fmt.Sprintf("x%d at %d", s.value, s.index)
}

func (m *Model) content(e entry) string {
	switch e.kind {
	case founding:
		return "the founding"
	case falseFounding:
		return "a founding of the thief's own"
	case junk:
		return "an entry that nobody signed"
	case invented:
		return "what the thief made up"
	case following:
		return "the configuration of the members"
	case straying:
		return "a configuration that the members are not"
	}
	return m.decision(e.txn)
}

// decision names a transaction by what it does and on what it was decided.
func (m *Model) decision(id txn) string {
	t := m.txns[id]
	what := [...]string{
		create: "the creation of x%d", overwrite: "the change to x%d", remove: "the deletion of x",
		touch: "a checkpoint", rotate: "the second transaction key", promote: "a vote for a member",
		expel: "the removal of the thief's node", rekey: "another key for the thief's node",
		meddle: "an ordinary write to the member list",
	}[t.verb]
	if t.value != 0 {
		what = fmt.Sprintf(what, t.value)
	}
	if t.thief {
		return fmt.Sprintf("%s, made by the thief", what)
	}
	if t.key == 2 {
		return fmt.Sprintf("%s (seen %d, second key)", what, m.states[t.base].index)
	}
	return fmt.Sprintf("%s (seen %d)", what, m.states[t.base].index)
}

// String says what is wrong.
func (v verdict) String() string {
	return [...]string{
		right:         "",
		unsigned:      "P1: it applies what no unsealed member signed",
		builtOn:       "P1: it shows a state in which something was signed by nobody",
		mixed:         "P1: who signed that saw something else at x",
		resurrected:   "P2: it has seen that go",
		opened:        "P2: what was deleted at x was sealed for the version that x has now",
		served:        "P3: by all that it has applied it must not hear him",
		unmarked:      "P3: the mark or the key that it has seen is gone",
		misconfigured: "P3: nobody signed for that configuration",
		leapt:         "P3: Raft's configuration changes by more than one server",
		restored:      "P4: no unsealed member vouched for that state",
		missed:        "P5: who signed that has seen what this state lacks, and nobody notices",
		turned:        "P6: it had another outcome here before",
		lied:          "P6: its signer was told that it was not applied",
		blamed:        "P7: the accused has done nothing",
	}[v]
}

// property is the number of the property that a verdict breaks.
func (v verdict) property() string { return v.String()[:2] }
