package cluster

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"
)

// followed is a context that lives as long as this node follows the same leader. A call to a leader that this node has given up need not
// be waited for: a connection into a partition may take seconds to be noticed.
type followed struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

// change ends the calls to the leader of before.
func (f *followed) change(parent context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		f.cancel()
	}
	f.ctx, f.cancel = context.WithCancel(parent)
}

// whileFollowing gives a call to the leader a context that ends with its leadership as well. stop must be called.
func (c *Cluster) whileFollowing(ctx context.Context) (_ context.Context, stop func()) {
	c.followed.mu.Lock()
	leads := c.followed.ctx
	c.followed.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(leads, cancel)
	return ctx, func() { unlink(); cancel() }
}

// WhileLeading gives what only the leader is to do a context that ends when this node ceases to lead, and says whether it leads. That
// another may lead already before this one knows is not ruled out: what is done must stand it. stop must be called.
func (c *Cluster) WhileLeading(ctx context.Context) (_ context.Context, stop func(), leads bool) {
	ctx, stop = c.whileFollowing(ctx) // first: a change after this ends it
	return ctx, stop, c.leads() && c.unfit() == nil
}

// observeLeader tells when this node begins or ceases to follow somebody.
func (c *Cluster) observeLeader() (changed <-chan raft.Observation, forget func()) {
	observed := make(chan raft.Observation, 1)
	observer := raft.NewObserver(observed, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	c.raft.RegisterObserver(observer)
	return observed, func() { c.raft.DeregisterObserver(observer) }
}
