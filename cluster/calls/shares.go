package calls

import (
	"context"
	"sync"
)

// Each node has a share of what this one does for others, so that none takes it all: of each call
// so many at once, long bodies, and connections. What is above waits, as many again; who waits has
// had no body read. The shares of two calls are apart: a write waits until check-ins have come.

// A limit is how many of something a node may have under way.
type limit struct {
	most   int
	mu     sync.Mutex
	byNode map[string]*share // of nodes that have some
}

// A share is one node's part.
type share struct {
	slots chan struct{}
	users int // of the share, who wait for a slot too; guarded by the limit's mu
}

func newLimit(most int) *limit { return &limit{most: most, byNode: map[string]*share{}} }

// enter waits for a slot of a node's. leave gives it back. It fails with TooMany where as many
// wait already as there are slots, and with Failed when the call is over.
func (l *limit) enter(ctx context.Context, node string) (leave func(), err error) {
	s := l.join(node, 2*l.most)
	if s == nil {
		return nil, TooMany
	}
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots; l.quit(node, s) }, nil
	case <-ctx.Done():
		l.quit(node, s)
		return nil, Failed
	}
}

// join is nil where a node's share has so many users.
func (l *limit) join(node string, most int) *share {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.byNode[node]
	if s == nil {
		s = &share{slots: make(chan struct{}, l.most)}
		l.byNode[node] = s
	}
	if s.users == most {
		return nil
	}
	s.users++
	return s
}

func (l *limit) quit(node string, s *share) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(l.byNode, node)
	}
}
