package cluster

import (
	"context"
	"sync"
)

// An epoch is a context that ends when the next epoch begins.
type epoch struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

// next ends what is bound to the epoch before.
func (e *epoch) next(parent context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel != nil {
		e.cancel()
	}
	e.ctx, e.cancel = context.WithCancel(parent)
}

// bind gives a context that ends with the epoch as well. stop must be called.
func (e *epoch) bind(ctx context.Context) (_ context.Context, stop func()) {
	e.mu.Lock()
	now := e.ctx
	e.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(now, cancel)
	return ctx, func() { unlink(); cancel() }
}
