package main

import (
	"fmt"

	"keyquorum/internal/statespace"
)

// A Result is what a search came to.
type Result struct {
	States   int
	Depth    int  // steps from the beginning to the farthest world
	Complete bool // every world that can be reached was seen, and nothing was wrong
	// Way is a shortest way to something wrong, in words, empty when there was none.
	Way   []string
	Wrong verdict
}

// search goes through all that can happen, until something is wrong or limit worlds were seen.
func (m *Model) search(limit int, progress func(states, depth int)) Result {
	space := statespace.Space[world]{First: m.first(), Hash: m.hash, Next: m.reach}
	found := space.Search(limit, progress)
	r := Result{States: found.States, Depth: found.Depth, Complete: found.Complete}
	for i := range found.Way {
		var told string
		told, r.Wrong = m.happening(found.Way[i:])
		r.Way = append(r.Way, told)
	}
	return r
}

func (m *Model) reach(from world, emit func(to world, wrong bool)) {
	m.events(&from, func(_ event, to world, v verdict) { emit(to, v != right) })
}

// happening tells of the event that leads from the first world of a way to the second, or from the
// last one to something wrong.
func (m *Model) happening(way []world) (told string, wrong verdict) {
	m.events(&way[0], func(e event, to world, v verdict) {
		if told != "" || (v != right) != (len(way) == 1) || v == right && to != way[1] {
			return
		}
		told, wrong = m.tell(e), v
		if v != right {
			told += ": WRONG, " + v.String()
		}
	})
	return told, wrong
}

// String is the result in a few words.
func (r Result) String() string {
	switch {
	case len(r.Way) == 1:
		return r.Wrong.property() + " in 1 step"
	case r.Way != nil:
		return fmt.Sprintf("%s in %d steps", r.Wrong.property(), len(r.Way))
	case r.Complete:
		return "complete, nothing wrong"
	}
	return "too large, nothing found so far"
}
