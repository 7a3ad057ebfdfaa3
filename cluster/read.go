package cluster

import (
	"context"
	"time"

	"keyquorum/fsm"
)

// A Look is the moment at which a node made sure that it may answer a read, on its own lease clock.
type Look struct{ at time.Duration }

// Read shows decide a view that holds everything acknowledged before the call, and returns when whatever decide read there is
// everywhere where it may be read, so that no later reader misses it. Under a lease that takes no message; without one, or when
// the caller wants it fenced, the leader is asked. What took too long is drawn anew: decide may be called several times, the last call counts.
// The answer may leave while Fresh says so of the Look. Errors: ErrUnavailable, ErrBusy, ErrDiverged, ErrRemoved or the context's.
func (c *Cluster) Read(ctx context.Context, fenced bool, decide func(fsm.View)) (Look, error) {
	for range maxLate {
		view, look, err := c.currentView(ctx, fenced)
		if err == nil {
			err = c.show(ctx, view, decide)
		}
		if err != nil {
			return Look{}, err
		}
		if c.Fresh(look) {
			return look, nil
		}
	}
	return Look{}, ErrUnavailable
}

// Leased says whether a read that begins now would be answered under a lease, and not wait for the leader.
func (c *Cluster) Leased() bool { return c.mayRead(Look{c.clock()}) }

// maxLate bounds how often a read that took too long is begun again.
const maxLate = 3

// currentView takes a view. The clock is looked at before that: a view from before the lease would be a stale one.
func (c *Cluster) currentView(ctx context.Context, fenced bool) (fsm.View, Look, error) {
	if err := c.unfit(); err != nil {
		return fsm.View{}, Look{}, err
	}
	if look := (Look{c.clock()}); !fenced && c.mayRead(look) {
		c.counts.leased.Add(1)
		return c.fsm.View(), look, nil
	}
	begun := time.Now()
	view, look, err := c.fencedView(ctx, fenced)
	c.counts.fenced(time.Since(begun), err)
	return view, look, err
}

// fencedView waits for the leader's word; unless it must be that, for a lease too: after an election either may come first.
func (c *Cluster) fencedView(ctx context.Context, fenced bool) (fsm.View, Look, error) {
	if fenced {
		return c.fence(ctx)
	}
	for {
		waiting, stop := c.tenure.leaseless.bind(ctx)
		if look := (Look{c.clock()}); c.mayRead(look) {
			stop()
			return c.fsm.View(), look, nil
		}
		view, look, err := c.fence(waiting)
		leased := waiting.Err() != nil && ctx.Err() == nil
		stop()
		if err == nil || !leased {
			return view, look, err
		}
	}
}

// Fresh says whether an answer may still leave: less than a lease has passed since the look. It bounds how long an answer lives that
// was right when it was drawn. The zero Look is that of an answer that read nothing.
func (c *Cluster) Fresh(l Look) bool {
	return l == Look{} || c.clock()-l.at < time.Duration(c.life.Load())
}

// show draws the decision and waits for E. What is being written at this moment is waited for, and nothing else.
func (c *Cluster) show(ctx context.Context, view fsm.View, decide func(fsm.View)) error {
	if c.shown.reached(view.Index()) {
		decide(view)
		return nil
	}
	var seen fsm.Seen
	decide(view.Watched(&seen))
	if c.shown.reached(seen.Index) {
		return nil
	}
	c.nudgeCheckIn()
	waiting, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	if c.awaitShown(waiting, seen.Index) != nil {
		return ErrUnavailable
	}
	return nil
}
