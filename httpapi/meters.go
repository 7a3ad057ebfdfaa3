package httpapi

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"keyquorum/internal/tally"
)

// meters count requests. What a route counts into is bound to it when the tables are built: a
// request looks nothing up.
type meters struct {
	operations []*meter // ordered by name
	classes    []*class // ordered by name
	unknown    *meter   // of requests that no route matches
	inFlight   atomic.Int64
	throttled  atomic.Uint64
	glass      atomic.Uint64 // requests through the break-glass socket
}

// A meter is an operation's. Routes with the same operation share one.
type meter struct {
	operation string
	class     *class
	statuses  [6]atomic.Uint64 // by the first digit of the answer's status
}

// A class is a group of operations that take about as long as each other.
type class struct {
	name string
	took tally.Durations
}

func newMeters() *meters {
	m := new(meters)
	m.unknown = m.of("unknown", "unknown")
	return m
}

func (m *meters) of(operation, className string) *meter {
	i, there := slices.BinarySearchFunc(m.operations, operation,
		func(x *meter, name string) int { return strings.Compare(x.operation, name) })
	if !there {
		m.operations = slices.Insert(m.operations, i,
			&meter{operation: operation, class: m.class(className)})
	}
	return m.operations[i]
}

func (m *meters) class(name string) *class {
	i, there := slices.BinarySearchFunc(m.classes, name,
		func(x *class, name string) int { return strings.Compare(x.name, name) })
	if !there {
		m.classes = slices.Insert(m.classes, i, &class{name: name})
	}
	return m.classes[i]
}

// count notes a request that is answered, and the time from its headers to its answer.
func (m *meter) count(status int, start time.Time) {
	m.statuses[status/100%len(m.statuses)].Add(1)
	m.class.took.Note(time.Since(start))
}
