package cluster

import (
	"context"
	"time"

	"keyquorum/cluster/lease"
	"keyquorum/fsm"
)

// A Look is the moment at which a node made sure that it may answer a read, on its own lease clock.
type Look struct{ at time.Duration }

// Read shows decide a view that holds everything acknowledged before the call, and returns when
// whatever decide read there is everywhere where it may be read, so that no later reader misses it.
// Under a lease that takes no message; without one, or when the caller wants it fenced, the leader
// is asked. What took too long is drawn anew: decide may be called several times, the last call
// counts. The answer may leave while Fresh says so of the Look. Errors: ErrUnavailable, ErrBusy,
// ErrDiverged, ErrRemoved or the context's.
func (c *Cluster) Read(ctx context.Context, fenced bool, decide func(fsm.View)) (Look, error) {
	r := lease.Read{Must: fenced}
	for range maxLate {
		view, err := c.currentView(ctx, &r)
		if err == nil {
			err = c.show(ctx, &r, view, decide)
		}
		if err != nil {
			return Look{}, err
		}
		if r.Left(c.clock(), c.life()) {
			return Look{r.Look}, nil
		}
	}
	return Look{}, ErrUnavailable
}

// maxLate bounds how often a read that took too long is begun again.
const maxLate = 3

// currentView brings a read to its view.
func (c *Cluster) currentView(ctx context.Context, r *lease.Read) (fsm.View, error) {
	if err := c.unfit(); err != nil {
		return fsm.View{}, err
	}
	if c.lookForLease(r); r.Stage == lease.Viewing {
		c.counts.leased.Add(1)
		return c.fsm.View(), nil
	}
	begun := time.Now()
	view, err := c.fencedView(ctx, r)
	c.counts.fenced(time.Since(begun), err)
	return view, err
}

// lookForLease is a read's look at the clock, and after it at the term.
func (c *Cluster) lookForLease(r *lease.Read) {
	now, term, tenure := c.clock(), c.raft.CurrentTerm(), *c.leases.tenure.Load()
	if c.behindTrust(c.fsm.View()) {
		tenure = lease.Tenure{}
	}
	r.Looked(now, term, tenure)
}

// fencedView waits for the leader's word; unless it must be that, for a lease too: after an
// election either may come first.
func (c *Cluster) fencedView(ctx context.Context, r *lease.Read) (fsm.View, error) {
	for {
		waiting, stop := ctx, func() {}
		if !r.Must {
			waiting, stop = c.leases.arrival.bind(ctx)
			if c.lookForLease(r); r.Stage == lease.Viewing {
				stop()
				return c.fsm.View(), nil
			}
		}
		f, err := c.fence(waiting)
		leased := waiting.Err() != nil && ctx.Err() == nil
		stop()
		if err == nil {
			return f.view, reach(r, f)
		} else if !leased {
			return fsm.View{}, err
		}
	}
}

// reach has a read take a fenced view, which must have got to the fence (F3). The round has waited
// for that, once for all who share it.
func reach(r *lease.Read, f fenced) error {
	r.Fenced(f.look.at, f.index)
	if r.Applied(f.view.Index()); r.Stage != lease.Viewing {
		return ErrUnavailable
	}
	return nil
}

// Fresh says whether an answer may still leave. The zero Look is that of an answer that read
// nothing.
func (c *Cluster) Fresh(l Look) bool {
	return l == Look{} || lease.Fresh(l.at, c.clock(), c.life())
}

// show draws the decision and waits for E. What is being written at this moment is waited for, and
// nothing else.
func (c *Cluster) show(
	ctx context.Context, r *lease.Read, view fsm.View, decide func(fsm.View),
) error {
	e := &c.leases.everywhere
	if e.reached(view.Index()) {
		decide(view)
		r.Viewed(view.Index()) // or earlier
	} else {
		var seen fsm.Seen
		decide(view.Watched(&seen))
		r.Viewed(seen.Index)
	}
	if r.Shown(e.index.Load()); r.Stage == lease.Leaving {
		return nil
	}
	c.checkInNow.give()
	waiting, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	if c.awaitEverywhere(waiting, r.Need) != nil {
		return ErrUnavailable
	}
	r.Shown(e.index.Load())
	return nil
}
