package mover

import (
	"context"
	"sync"
)

// each does something with n items, several at the same time, until one fails or an end is asked
// for; then no other is begun. It gives the first error, context.Canceled where the end was asked
// for.
func each(
	outer context.Context, n, parallel int, do func(ctx context.Context, i int) error,
) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	items := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, n) {
		workers.Go(func() {
			for i := range items {
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case items <- i:
		case <-ctx.Done():
		}
	}
	close(items)
	workers.Wait()
	if outer.Err() != nil {
		return outer.Err()
	}
	return context.Cause(ctx)
}
