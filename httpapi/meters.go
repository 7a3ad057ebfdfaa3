package httpapi

import (
	"net/http"
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

// metered binds routes to their meters.
func (m *meters) metered(routes []route) []route {
	for i := range routes {
		routes[i].meter = m.of(routes[i].operation, classOf(&routes[i]))
	}
	return routes
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

// classOf: the collection, and whether the route reads, writes or uses a key. What belongs to no
// vault is one class for each plane.
func classOf(r *route) string {
	collection, _, _ := strings.Cut(r.operation, "/")
	switch {
	case collection != "secrets" && collection != "keys":
		return collection
	case slices.Contains(r.methods, http.MethodGet):
		return collection + "_read"
	case strings.Contains(r.shape, "[version]/"):
		return collection + "_use"
	default:
		return collection + "_write"
	}
}

// count notes a request that is answered, and the time from its headers to its answer.
func (m *meters) count(c *call) {
	meter := m.unknown
	if c.route != nil {
		meter = c.route.meter
	}
	meter.statuses[c.status/100%len(meter.statuses)].Add(1)
	meter.class.took.Note(time.Since(c.req.Start))
}
