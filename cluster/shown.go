package cluster

import (
	"context"
	"sync"
	"sync/atomic"
)

// shown is E as far as this node knows it: every node that may serve reads has applied the entries up to here, and every
// one that ever will has applied them before it begins. It only grows, and stays true whoever leads.
type shown struct {
	index atomic.Uint64
	mu    sync.Mutex
	moved chan struct{} // closed when index moves; nil while nobody waits
}

func (s *shown) reached(index uint64) bool { return s.index.Load() >= index }

func (s *shown) raise(index uint64) {
	if s.reached(index) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reached(index) {
		return
	}
	s.index.Store(index)
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// next is closed when the index moves the next time. Look at the index after asking for it.
func (s *shown) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved == nil {
		s.moved = make(chan struct{})
	}
	return s.moved
}

// wait returns when the index is reached, or with the context's error.
func (s *shown) wait(ctx context.Context, index uint64) error {
	for !s.reached(index) {
		moved := s.next()
		if s.reached(index) {
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
