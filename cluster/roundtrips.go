package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// roundTrips are this node's to other members over the cluster port. Status, plans and the leader's
// place rest on them; nothing that must be true does.
type roundTrips struct {
	mu   sync.Mutex
	byID map[string]*samples
}

// samples are the latest round trips to one member. The shortest of them is the way itself; the
// others met a queue, or opened the connection.
type samples struct {
	latest [4]time.Duration
	count  int
}

const (
	measureEvery = time.Second
	// maxMeasured bounds the members that are measured, the first by id: a status holds the round
	// trips of all.
	maxMeasured = 32
)

// A RoundTrip is the shortest of the latest round trips to a member.
type RoundTrip struct {
	_    struct{} `cbor:",toarray"`
	To   string   // node id
	Took time.Duration
}

// measure says hello to one member after the other, and takes the time. It ends with the member.
func (c *Cluster) measure() {
	every := time.NewTicker(measureEvery)
	defer every.Stop()
	for next := 0; ; next++ {
		select {
		case <-every.C:
		case <-c.ctx.Done():
			return
		}
		others := c.others()
		measured := others[:min(len(others), maxMeasured)]
		c.roundTrips.keep(measured)
		c.greetNew(others)
		if len(others) > 0 {
			at := next % len(others)
			c.measureOne(others[at], at < len(measured))
		}
	}
}

func (c *Cluster) measureOne(nodeID string, noted bool) {
	ctx, cancel := context.WithTimeout(c.ctx, measureEvery)
	defer cancel()
	begun := time.Now()
	if c.greet(ctx, nodeID) == nil && noted {
		c.roundTrips.add(nodeID, time.Since(begun))
	}
}

func (t *roundTrips) add(nodeID string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[string]*samples{}
	}
	s := t.byID[nodeID]
	if s == nil {
		s = new(samples)
		t.byID[nodeID] = s
	}
	s.add(took)
}

func (s *samples) add(took time.Duration) {
	s.latest[s.count%len(s.latest)] = took
	s.count++
}

// shortest is 0 without any.
func (s *samples) shortest() time.Duration {
	if s.count == 0 {
		return 0
	}
	return slices.Min(s.latest[:min(s.count, len(s.latest))])
}

// keep forgets who is no member any more.
func (t *roundTrips) keep(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.byID {
		if !slices.Contains(ids, id) {
			delete(t.byID, id)
		}
	}
}

// list is ordered by node id.
func (t *roundTrips) list() []RoundTrip {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []RoundTrip
	for id, s := range t.byID {
		all = append(all, RoundTrip{To: id, Took: s.shortest()})
	}
	slices.SortFunc(all, func(a, b RoundTrip) int { return strings.Compare(a.To, b.To) })
	return all
}

// roundTripsInTerm are the latest round trips to the leader of a term; those of the last term count
// until there is one of this.
type roundTripsInTerm struct {
	mu     sync.Mutex
	term   uint64
	latest samples
}

// took notes how long an exchange took. The shortest of the latest counts: others met a queue, or a
// leader that had just been elected.
func (t *roundTripsInTerm) took(term uint64, trip time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.term != term {
		t.term, t.latest = term, samples{}
	}
	t.latest.add(trip)
}

func (t *roundTripsInTerm) shortest() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest.shortest()
}
