package cluster

import (
	"context"
	"sync"

	"keyquorum/cluster/lease"
)

// Bounds of rounds: callers that wait on one node, and rounds that are under way at once.
const (
	maxWaiting = 1000
	maxRounds  = 2
)

// rounds lets many callers share one answer: all that wait take part in the next round, and nobody
// joins one that was begun already. That rule is what makes a fence a fence: an answer to a
// question put before a reader came proves nothing to it.
type rounds[T any] struct {
	begin func(func()) bool // as of tasks

	mu      sync.Mutex
	numbers lease.Rounds
	next    *round[T] // the latest that somebody joined; nil when nobody waits
	waiting int
	running int
}

type round[T any] struct {
	number uint64
	done   chan struct{}
	value  T
	err    error
}

// join waits for a round that begins after the call. run must end by itself.
func (r *rounds[T]) join(ctx context.Context, run func() (T, error)) (T, error) {
	var none T
	r.mu.Lock()
	if r.waiting >= maxWaiting {
		r.mu.Unlock()
		return none, ErrBusy
	}
	if r.running < maxRounds {
		if !r.begin(func() { r.drive(run) }) {
			r.mu.Unlock()
			return none, ErrUnavailable
		}
		r.running++
	}
	if number := r.numbers.Join(); r.next == nil || r.next.number != number {
		r.next = &round[T]{number: number, done: make(chan struct{})}
	}
	mine := r.next
	r.waiting++
	r.mu.Unlock()
	defer r.leave()
	select {
	case <-mine.done:
		return mine.value, mine.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func (r *rounds[T]) leave() {
	r.mu.Lock()
	r.waiting--
	r.mu.Unlock()
}

// drive runs rounds until nobody waits.
func (r *rounds[T]) drive(run func() (T, error)) {
	for {
		r.mu.Lock()
		current := r.next
		r.next = nil
		if current == nil {
			r.running--
			r.mu.Unlock()
			return
		}
		r.numbers.Begin()
		r.mu.Unlock()
		current.value, current.err = run()
		close(current.done)
	}
}
