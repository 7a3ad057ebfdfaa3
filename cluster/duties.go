package cluster

import (
	"context"
	"time"
)

// What a member does once a second. Each duty has a goroutine of its own, does one thing at a time,
// and ends with the member: a snapshot on a slow disk takes minutes, an address is told to members
// that don't answer, and none of that may keep a sealed leader in office, or this member's state
// from being compared with the leader's.

const (
	dutyEvery = time.Second
	dutyTime  = 10 * time.Second // for a duty that asks others
)

func (c *Cluster) beginDuties() {
	for _, duty := range []func(context.Context){
		c.compareStates, c.tellAddress, c.askForVote, c.giveUpLead, c.tellRoom, c.watchMembers,
		c.raiseLevel,
	} {
		c.tasks.begin(func() { c.every(dutyEvery, func() { c.withinDutyTime(duty) }) })
	}
	c.tasks.begin(func() { c.every(dutyEvery, c.follow) })
	c.tasks.begin(func() { c.every(dutyEvery, c.snapshotWhenDue) })
}

// every does a duty again and again, and ends with the member. What takes longer than the interval
// is done again when it is through.
func (c *Cluster) every(interval time.Duration, duty func()) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			duty()
		case <-c.ctx.Done():
			return
		}
	}
}

// A nudge has a loop look now. However often it was given, the loop looks once more.
type nudge chan struct{}

func newNudge() nudge { return make(nudge, 1) }

func (n nudge) give() {
	select {
	case n <- struct{}{}:
	default: // it is about to look
	}
}

func (c *Cluster) withinDutyTime(duty func(context.Context)) {
	ctx, cancel := context.WithTimeout(c.ctx, dutyTime)
	defer cancel()
	duty(ctx)
}

// compareStates holds this member's digest against the leader's, which a fence does (I9).
func (c *Cluster) compareStates(ctx context.Context) { _, _ = c.fence(ctx) }
