package cluster

import (
	"context"
	"time"

	"keyquorum/fsm"
)

// The state that a node snapshots is one that an unsealed member vouched for, and the entries
// behind it (fsm.Checkpoint). So that those are few, and that what was erased is in no such state
// for long, an unsealed member makes a checkpoint now and then, and vouches for it. It does so too
// when a new transaction key has signed nothing yet, and new members would need a snapshot. The
// leader does, if it is unsealed; the others do what it has left undone for a while. Twice does no
// harm.

const (
	checkpointWeight = 1 << 20 // bytes of entries behind the vouched state that are worth a checkpoint
	checkpointLook   = 500 * time.Millisecond
	checkpointErased = 30 * time.Second // after something was erased at the latest
	checkpointDefer  = 10 * time.Second // for which a member leaves it to the leader
)

// checkpoints ends with the member.
func (c *Cluster) checkpoints() {
	every := time.NewTicker(checkpointLook)
	defer every.Stop()
	var erased, due stretch
	for {
		select {
		case <-every.C:
		case <-c.ctx.Done():
			return
		}
		view := c.View()
		b := view.Backing()
		erased.note(view.Erased() > b.Vouched)
		due.note(c.signer.Load() != nil &&
			(b.Candidate != 0 || b.Tail >= c.tailWorth() || erased.longerThan(checkpointErased) ||
				b.Assured == 0 && c.snapshotIndex() > 0))
		if due.longerThan(0) && c.leads() || due.longerThan(checkpointDefer) {
			c.checkpoint(view)
			due = stretch{}
		}
	}
}

// A stretch is the time since when something has been so.
type stretch struct{ begun time.Time } // zero: it is not

func (s *stretch) note(is bool) {
	switch {
	case !is:
		s.begun = time.Time{}
	case s.begun.IsZero():
		s.begun = time.Now()
	}
}

func (s *stretch) longerThan(d time.Duration) bool {
	return !s.begun.IsZero() && time.Since(s.begun) >= d
}

// tailWorth is a part of the log that is worth a snapshot.
func (c *Cluster) tailWorth() int64 {
	return min(checkpointWeight, or(c.Compact.Weight, compactWeight)/4)
}

// checkpoint makes one, if there is no candidate yet, and vouches for it.
func (c *Cluster) checkpoint(view fsm.View) {
	ctx, cancel := context.WithTimeout(c.ctx, leaderWait)
	defer cancel()
	if view.Backing().Candidate == 0 {
		outcome, err := c.Commit(ctx, view.Begin(fsm.Checkpoint))
		if err != nil || outcome.Kind != fsm.Applied {
			return // the next look tries again
		}
		view = c.View()
	}
	b := view.Backing()
	if b.Candidate == 0 {
		return // somebody has vouched for it
	}
	txn := view.Begin(fsm.Ordinary)
	txn.Base, txn.Digest = b.Candidate, b.Digest
	_, _ = c.Commit(ctx, txn)
}
