package main

import "keyquorum/internal/statespace"

// A Result is what a search came to.
type Result struct {
	States   int
	Depth    int  // steps from the beginning to the farthest state
	Complete bool // every state that can be reached was seen, and no answer was wrong
	// Schedule is a shortest way to a wrong answer, nil when there was none.
	Schedule []Scene
}

// Search goes through all that can happen, until it meets a wrong answer or has seen limit states.
func (m *Model) Search(limit int, progress func(states, depth int)) Result {
	found := statespace.Space[key]{First: m.pack(new(m.first())), Hash: (*key).hash, Next: m.next}.Search(limit, progress)
	r := Result{States: found.States, Depth: found.Depth, Complete: found.Complete}
	for i := range found.Way {
		r.Schedule = append(r.Schedule, m.scene(found.Way[i:]))
	}
	return r
}

func (m *Model) next(from key, emit func(to key, wrong bool)) {
	state := m.unpack(from)
	m.steps(&state, func(_ Step, next State) {
		if next.verdict != right {
			emit(from, true)
			return
		}
		emit(m.pack(&next), false)
	})
}

// scene is the step from the first key of a way to the second, or from the last one to a wrong answer.
func (m *Model) scene(way []key) (scene Scene) {
	before := m.unpack(way[0])
	found := false
	m.steps(&before, func(step Step, next State) {
		if found || len(way) == 1 && next.verdict == right {
			return
		}
		if len(way) == 1 || next.verdict == right && m.pack(&next) == way[1] {
			scene, found = Scene{step, before, next}, true
		}
	})
	return scene
}
