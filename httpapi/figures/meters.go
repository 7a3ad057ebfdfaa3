package figures

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"keyquorum/internal/tally"
)

// Meters count requests. What a route counts into is bound to it when the tables are built: a
// request looks nothing up.
type Meters struct {
	operations []*Meter // ordered by name
	classes    []*class // ordered by name
	Unknown    *Meter   // of requests that no route matches
	InFlight   atomic.Int64
	Throttled  atomic.Uint64
	Glass      atomic.Uint64 // requests through the break-glass socket
}

// A Meter is an operation's. Routes with the same operation share one.
type Meter struct {
	operation string
	class     *class
	statuses  [6]atomic.Uint64 // by the first digit of the answer's status
}

// A class is a group of operations that take about as long as each other.
type class struct {
	name string
	took tally.Durations
}

// NewMeters returns meters for the operations that Of is asked for, and for what is none.
func NewMeters() *Meters {
	m := new(Meters)
	m.Unknown = m.Of("unknown", "unknown")
	return m
}

// Of is the meter of an operation, in a class of operations that take about as long.
func (m *Meters) Of(operation, className string) *Meter {
	i, there := slices.BinarySearchFunc(m.operations, operation,
		func(x *Meter, name string) int { return strings.Compare(x.operation, name) })
	if !there {
		m.operations = slices.Insert(m.operations, i,
			&Meter{operation: operation, class: m.class(className)})
	}
	return m.operations[i]
}

func (m *Meters) class(name string) *class {
	i, there := slices.BinarySearchFunc(m.classes, name,
		func(x *class, name string) int { return strings.Compare(x.name, name) })
	if !there {
		m.classes = slices.Insert(m.classes, i, &class{name: name})
	}
	return m.classes[i]
}

// Count notes a request that is answered, and the time from its headers to its answer.
func (m *Meter) Count(status int, start time.Time) {
	m.statuses[status/100%len(m.statuses)].Add(1)
	m.class.took.Note(time.Since(start))
}
