package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Read leases: DESIGN.md has the rules and what breaks without each. This file is the holder's side, grants.go the leader's,
// checkin.go the one message between them.

const (
	// baseLife is how long a lease lasts where messages take no time, and how old an answer may get.
	baseLife = 500 * time.Millisecond
	// lifeTrips are how many of the longest round trips come on top.
	lifeTrips = 5
	// maxLife bounds a lease, however far the members are from each other. A voter that starts again may have promised that much.
	maxLife = 2 * time.Second
)

// margin is by how much longer the one who waits for the end of a lease counts than the one who uses it: the clock of the first may be
// faster by a tenth. Members whose clocks differ by nearly that much find it out (drift.go).
func margin(life time.Duration) time.Duration { return life / 10 }

// A lease lets this node answer from its own copy: in one term, until a moment of its own lease clock.
type lease struct {
	term  uint64
	until time.Duration
}

// tenure is what this node holds and has promised.
type tenure struct {
	held      atomic.Pointer[lease] // nil: none
	leaseless era                   // ends when a lease comes

	mu    sync.Mutex
	epoch uint64 // counts how often this process has dropped its leases
	echo  echo   // of the newest answer
	drift drift  // of this node's clock against the leader's
	trips samples
	since uint64 // term of the trips; those of the last one count until there is one of this
	// As a voter: until when leases may live that leaders of older terms than promised.term made from this node's word.
	promised struct {
		term          uint64
		until, before time.Duration // of leaders in term; of leaders before that
	}
}

// An echo proves to the leader of a term that this node was in that term after the answer with that token was sent.
type echo struct {
	term  uint64
	token time.Duration
}

// mayRead says whether this node held a lease at the look. The term is compared each time: a lease dies with its term. Before its first
// answer after a start a node has compared its state with the leader's, which a fence does (I9).
func (c *Cluster) mayRead(l Look) bool {
	held := c.tenure.held.Load()
	return held != nil && l.at < held.until && held.term == c.raft.CurrentTerm() && c.compared.Load() &&
		!c.behindTrust(c.fsm.View())
}

// dropLease gives the lease back. The leader learns of it by the next check-in's epoch.
func (c *Cluster) dropLease() {
	t := &c.tenure
	t.mu.Lock()
	t.epoch++
	t.held.Store(nil)
	t.mu.Unlock()
	c.nudgeCheckIn()
}

// prepare makes the next check-in. The order matters: clock, then term, then index.
func (c *Cluster) prepare() (asked time.Duration, call checkInCall) {
	asked = c.clock()
	idle := c.sealed.Load() || c.unfit() != nil || c.Leases.Off || c.astray.Load()
	t := &c.tenure
	t.mu.Lock()
	defer t.mu.Unlock()
	call = checkInCall{Term: c.raft.CurrentTerm(), Process: c.process, Epoch: t.epoch, Idle: idle, RoundTrip: t.trips.shortest()}
	if t.echo.term == call.Term {
		call.Echo = t.echo.token
	}
	call.Promised = max(0, t.older(call.Term)-asked)
	call.Applied = c.fsm.View().Index()
	return asked, call
}

// took notes how long an exchange with the leader took. The shortest of the latest counts: others met a queue, or a leader that had just been
// elected.
func (t *tenure) took(term uint64, trip time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since != term {
		t.since, t.trips = term, samples{}
	}
	t.trips.add(trip)
}

// older is until when leases of leaders before term may live, from what this node said to them.
func (t *tenure) older(term uint64) time.Duration {
	if t.promised.term < term {
		return max(t.promised.before, t.promised.until)
	}
	return t.promised.before
}

// accept takes what the leader answered to a check-in that was prepared at asked.
func (c *Cluster) accept(asked time.Duration, call checkInCall, answer checkInAnswer) {
	// Not beyond what this member has applied: if it leads later it hands on what it believes, and one leader's lie must not last.
	c.shown.raise(min(answer.Shown, c.fsm.View().Index()))
	received := c.clock()
	t := &c.tenure
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.raft.CurrentTerm() != call.Term || answer.Life <= 0 || answer.Life > maxLife {
		return
	}
	c.life.Store(int64(answer.Life))
	if t.drift.note(reading{call.Term, asked, received, answer.Token - answer.Life}) {
		t.echo = echo{}
		t.held.Store(nil) // it runs out at the leader, who counts longer, and is not renewed
		c.noteDrift(true)
		return
	}
	c.noteDrift(false)
	t.promise(call.Term, received+answer.Life+margin(answer.Life))
	t.echo = echo{call.Term, answer.Token}
	if answer.Grant <= 0 || t.epoch != call.Epoch || c.sealed.Load() {
		return
	}
	granted := lease{call.Term, asked + min(answer.Grant, maxLife)}
	held := t.held.Load()
	if held == nil || held.term != granted.term || held.until < granted.until {
		t.held.Store(&granted)
	}
	if lacked := held == nil || held.term != granted.term || held.until <= received; lacked && granted.until > received {
		t.leaseless.next(context.Background())
	}
}

// promise notes, before this node echoes a leader's answer, until when that leader may build a lease on it.
func (t *tenure) promise(term uint64, until time.Duration) {
	if p := &t.promised; term > p.term {
		p.before = max(p.before, p.until)
		p.term, p.until = term, until
	} else {
		p.until = max(p.until, until)
	}
}
