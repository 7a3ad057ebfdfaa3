package vault

import (
	"context"
	"sync"
)

// maxInLine bounds how many writers of one object wait on this node.
const maxInLine = 1024

// lines let one writer of each object at a time decide and commit on this node. Of two that decide
// at once one meets the other and decides again; of sixty, most would do so until they gave up.
// With lines, only nodes meet. Nothing but that rests on them.
type lines struct {
	mu      sync.Mutex
	waiting map[string]*line // by object
}

type line struct {
	turn chan struct{} // holds one while somebody writes; Go serves who waits in order
	n    int           // who waits and who writes; guarded by lines.mu
}

// join waits for a place at the front of an object's line. leave must be called once it is taken.
func (l *lines) join(ctx context.Context, object string) (leave func(), err error) {
	q := l.enter(object)
	if q == nil {
		return nil, unavailable("Busy", "Too many requests wait to write this object.")
	}
	if !q.front(ctx) {
		l.exit(object, q)
		return nil, unavailable("Busy",
			"Others were writing this object for as long as this request may take.")
	}
	return func() { <-q.turn; l.exit(object, q) }, nil
}

// front waits until nobody is before it in line. Who finds nobody there never waits.
func (q *line) front(ctx context.Context) bool {
	select {
	case q.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case q.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lines) enter(object string) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.waiting[object]
	if q == nil {
		q = &line{turn: make(chan struct{}, 1)}
		l.waiting[object] = q
	}
	if q.n == maxInLine {
		return nil
	}
	q.n++
	return q
}

func (l *lines) exit(object string, q *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.n--; q.n == 0 {
		delete(l.waiting, object)
	}
}
