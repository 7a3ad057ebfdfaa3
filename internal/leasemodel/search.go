package leasemodel

import (
	"fmt"

	"keyquorum/internal/statespace"
)

// A Result is what a search came to.
type Result struct {
	States   int
	Depth    int      // steps from the beginning to the farthest state
	Complete bool     // every state that can be reached was seen, and nothing was wrong
	Schedule []string // a shortest way to something wrong, nil when there was none
}

// String is the result in a few words.
func (r Result) String() string {
	switch {
	case r.Schedule != nil:
		return fmt.Sprintf("%d steps", len(r.Schedule))
	case r.Complete:
		return "complete, nothing wrong"
	}
	return "too large, nothing wrong so far"
}

// Limit is how many states a search may see: about two gigabytes and a half.
const Limit = 30_000_000

// Search goes through all that can happen, until it meets something wrong or has seen limit states.
// progress hears of the states seen and the depth, now and then.
func (m *Model) Search(limit int, progress func(states, depth int)) Result {
	space := statespace.Space[key]{
		First: m.pack(m.first()), Hash: (*key).hash, Next: m.nextKeys, Farthest: m.stuckAt,
	}
	found := space.Search(limit, progress)
	r := Result{States: found.States, Depth: found.Depth, Complete: found.Complete}
	if found.Way != nil {
		r.Schedule = m.schedule(found.Way)
	}
	return r
}

func (m *Model) nextKeys(from key, emit func(to key, wrong bool)) {
	m.unpack(&from, &m.at)
	if away, tried := m.triedFrom(&from); tried && !m.goesOn(&m.at, away) {
		emit(from, true)
		return
	}
	m.steps(&m.at, func(_ Step, next *State) {
		if next.verdict != right {
			emit(from, true)
			return
		}
		emit(m.pack(next), false)
	})
}

// stuckAt says whether the group can't go on from a state, with somebody away or with nobody.
func (m *Model) stuckAt(k key) bool {
	m.unpack(&k, &m.at)
	for away := Nobody; away < m.Nodes && m.Lively > 0; away++ {
		if !m.goesOn(&m.at, away) {
			return true
		}
	}
	return false
}

// schedule tells the steps of a way, and what is wrong at its end. It makes them again, because of
// two nodes that are twins a key does not say which is which.
func (m *Model) schedule(way []key) (told []string) {
	at := m.first()
	for len(way) > 0 {
		way = way[1:]
		step, next := "", new(State)
		m.steps(at, func(s Step, to *State) {
			wrong := to.verdict != right
			if step == "" && (len(way) == 0 && wrong || len(way) > 0 && !wrong && m.pack(to) == way[0]) {
				step = m.tell(s, at, to)
				m.copyTo(to, next)
			}
		})
		if step == "" {
			step = m.tellStuck(at)
		}
		told, at = append(told, step), next
	}
	return told
}

// tellStuck says why the group can't go on from a state.
func (m *Model) tellStuck(s *State) string {
	for away := Nobody; away < m.Nodes; away++ {
		if !m.goesOn(s, away) {
			told := fmt.Sprintf("%v: %s", stuck, m.keeps(s, away))
			if away != Nobody {
				told += " while " + ids[away] + " is away"
			}
			return told
		}
	}
	return stuck.String()
}

// triedFrom says whether a state is one from which the group is tried for whether it can go on, and
// who is away then.
func (m *Model) triedFrom(k *key) (away int, tried bool) {
	if m.Lively == 0 {
		return Nobody, false
	}
	h := k.hash()
	away = int(h >> 32 % uint64(m.Nodes+1))
	if away == m.Nodes {
		away = Nobody
	}
	return away, h%uint64(m.Lively) == 0
}
