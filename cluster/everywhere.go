package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"keyquorum/cluster/lease"
)

// appliedEverywhere is E as this node knows it, and who waits for it. Only steps of the protocol
// raise it.
type appliedEverywhere struct {
	index atomic.Uint64
	mu    sync.Mutex
	moved chan struct{} // closed when index moves; nil while nobody waits
}

func (a *appliedEverywhere) reached(index uint64) bool { return a.index.Load() >= index }

func (a *appliedEverywhere) raise(index uint64) {
	if a.reached(index) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reached(index) {
		return
	}
	a.index.Store(index)
	if a.moved != nil {
		close(a.moved)
		a.moved = nil
	}
}

// next is closed when the index moves the next time. Look at the index after asking for it.
func (a *appliedEverywhere) next() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.moved == nil {
		a.moved = make(chan struct{})
	}
	return a.moved
}

// wait returns when the index is reached, or with the context's error.
func (a *appliedEverywhere) wait(ctx context.Context, index uint64) error {
	for !a.reached(index) {
		moved := a.next()
		if a.reached(index) {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// awaitEverywhere returns when E has reached index, or with the context's error. On the leader it
// sees to it that leases that ran out are not waited for; elsewhere check-ins bring E.
func (c *Cluster) awaitEverywhere(ctx context.Context, index uint64) error {
	for {
		wait := c.advance()
		if c.leases.everywhere.reached(index) {
			return nil
		}
		moving, cancel := context.WithTimeout(ctx, wait)
		err := c.leases.everywhere.wait(moving, index)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// advance moves E as far as it goes, and returns after how long looking again is worth while.
func (c *Cluster) advance() (wait time.Duration) {
	c.step(func(n lease.Steps, now lease.Reading) {
		n.MoveE(now)
		wait = c.leases.node.NextMove(now, now.Now+lease.Standard.Base/4) - now.Now
	})
	return max(wait, time.Millisecond)
}
