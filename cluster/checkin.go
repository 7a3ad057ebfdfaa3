package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"keyquorum/cluster/lease"
)

// maxCheckIns are under way at once: over a long way each entry that is applied makes one. A member
// without a lease makes one at a time: nobody waits for it, and a link that brings no answer in
// time must not be loaded with more questions.
const maxCheckIns = 64

// soon is how long a member without a lease waits before it asks again, at first.
const soon = 20 * time.Millisecond

// checkIns ends with the member, when the last exchange has.
func (c *Cluster) checkIns() {
	elected, forget := c.observeLeader()
	defer forget()
	var ending sync.WaitGroup
	defer ending.Wait()
	underWay := new(atomic.Int32) // to the leader of now: those to the last one may hang
	timer := time.NewTimer(0)
	defer timer.Stop()
	without := 0 // how often there was no lease, since there was one
	for {
		waits, plain := false, true
		select {
		case <-c.checkInNow:
			waits, plain = true, false
		case <-elected:
			c.leaderEpoch.next(c.ctx)
			underWay, without = new(atomic.Int32), 0
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		if c.Leases.Off || c.Leased() {
			if plain { // these go on beside those that wait: they take the time
				timer.Reset(lease.Standard.Base / 4)
			}
			without = 0
		} else {
			timer.Reset(min(soon<<without, lease.Standard.Base/4))
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
				c.checkInNow.give()
			}
		})
	}
}

// checkIn is one exchange. more: the answer was the first of a term, and the next exchange can
// bring a lease.
func (c *Cluster) checkIn(waits bool) (more bool) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	var asked lease.Reading
	var call lease.CheckIn
	c.step(func(n lease.Steps, now lease.Reading) {
		asked, call = now, n.Ask(now, c.serves(), c.leases.roundTrips.shortest())
	})
	if waits {
		call.AtLeast = call.Applied
	}
	here := false
	answer, err := atLeader(ctx, c, "/v1/checkin", call,
		func(ctx context.Context, from string, in lease.CheckIn) (lease.Answer, error) {
			here = true
			return c.serveCheckIn(ctx, from, in)
		})
	if err != nil {
		return false // the next one comes by itself
	}
	c.leases.answered.Store(int64(c.clock()))
	if !here {
		c.leases.roundTrips.took(call.Term, c.clock()-asked.Now-answer.Held)
	}
	c.take(asked, call, answer)
	return call.Echo == 0 && !call.Idle
}

// take takes an answer, and tells who waits for a lease when one has come.
func (c *Cluster) take(asked lease.Reading, call lease.CheckIn, answer lease.Answer) {
	leased := false
	c.step(func(n lease.Steps, now lease.Reading) {
		leased = n.Take(asked, now, c.serves(), call, answer)
	})
	if leased {
		c.leases.arrival.next(context.Background())
	}
}
