package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A member checks in with the leader four times in the life of a lease, and whenever it has applied something that writers may be
// waiting for. One exchange does everything: it tells what the member has applied, proves to the leader that a voter was in its
// term a moment ago, asks for a lease, and brings back E.
type checkInCall struct {
	_         struct{} `cbor:",toarray"`
	Term      uint64
	Process   uint64        // of the asker: another one is another holder
	Epoch     uint64        // leases of lower ones are dropped
	Applied   uint64        // the asker's FSM has at least this
	AtLeast   uint64        // not 0: answer when E is there, or half a life later
	Echo      time.Duration // token of an earlier answer of this term; 0 for none
	Promised  time.Duration // for how long yet leaders of older terms may build on the asker's word
	Idle      bool          // the asker serves no reads
	RoundTrip time.Duration // the shortest of the latest exchanges of this term, 0 when not known
}

type checkInAnswer struct {
	_     struct{}      `cbor:",toarray"`
	Shown uint64        // E
	Life  time.Duration // of leases in this term
	Token time.Duration // to be echoed: until when the leader may build on that
	Grant time.Duration // of a lease, from when the check-in was prepared; 0 for none
	Held  time.Duration // how long the leader kept the question
}

// maxCheckIns are under way at once: over a long way each entry that is applied makes one. A member without a lease makes one at a
// time: nobody waits for it, and a link that brings no answer in time must not be loaded with more questions.
const maxCheckIns = 64

// soon is how long a member without a lease waits before it asks again, at first.
const soon = 20 * time.Millisecond

// checkIns ends with the member, when the last exchange has.
func (c *Cluster) checkIns() {
	elected, forget := c.observeLeader()
	defer forget()
	var ending sync.WaitGroup
	defer ending.Wait()
	underWay := new(atomic.Int32) // to the leader of now: questions to the last one may hang, and do not count
	timer := time.NewTimer(0)
	defer timer.Stop()
	without := 0 // how often there was no lease, since there was one
	for {
		waits, plain := false, true
		select {
		case <-c.checkInNow:
			waits, plain = true, false
		case <-elected:
			c.followed.next(c.ctx)
			underWay, without = new(atomic.Int32), 0
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		if c.Leases.Off || c.mayRead(Look{c.clock()}) {
			if plain { // these go on beside those that wait: they take the time
				timer.Reset(baseLife / 4)
			}
			without = 0
		} else {
			timer.Reset(min(soon<<without, baseLife/4))
			without = min(without+1, 8)
			waits = false
		}
		if n := underWay.Load(); n >= maxCheckIns || without > 0 && n > 0 {
			continue // the next one tells as much
		}
		count := underWay
		count.Add(1)
		ending.Go(func() {
			more := c.checkIn(waits)
			count.Add(-1)
			if more {
				c.nudgeCheckIn()
			}
		})
	}
}

// nudgeCheckIn has a check-in made now.
func (c *Cluster) nudgeCheckIn() {
	select {
	case c.checkInNow <- struct{}{}:
	default: // one is about to be made
	}
}

// checkIn is one exchange. more: the answer was the first of a term, and the next exchange can bring a lease.
func (c *Cluster) checkIn(waits bool) (more bool) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	_, leader := c.raft.LeaderWithID()
	if leader == "" {
		return false
	}
	asked, call := c.prepare()
	if waits {
		call.AtLeast = call.Applied
	}
	var answer checkInAnswer
	var err error
	if string(leader) == c.id {
		answer, err = c.serveCheckIn(ctx, c.id, call)
	} else if answer, err = ask[checkInCall, checkInAnswer](ctx, c, string(leader), "/v1/checkin", call); err == nil {
		c.tenure.took(call.Term, c.clock()-asked-answer.Held)
	}
	if err != nil {
		return false // the next one comes by itself
	}
	c.accept(asked, call, answer)
	return call.Echo == 0 && !call.Idle
}
