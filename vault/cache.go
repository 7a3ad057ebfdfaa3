package vault

import "sync"

// A stamp names one version of a record for ever: mod indexes repeat only after a restore, which
// makes a new generation.
type stamp struct{ generation, mod uint64 }

// A cache remembers what records decode to, one version of each path. It holds at most twice limit
// entries: when the young half is full it becomes the old one, and what is not asked for again is
// forgotten with it.
type cache[T any] struct {
	limit  int
	decode func([]byte) (T, error)

	mu         sync.RWMutex
	young, old map[string]cached[T] // nil after drop
}

type cached[T any] struct {
	stamp
	value T
}

func newCache[T any](limit int, decode func([]byte) (T, error)) *cache[T] {
	return &cache[T]{limit: limit, decode: decode, young: make(map[string]cached[T])}
}

func (c *cache[T]) find(path string, s stamp) (value T, ok bool) {
	c.mu.RLock()
	e, young := c.young[path]
	if !young {
		e, ok = c.old[path]
	}
	c.mu.RUnlock()
	if !young && !ok || e.stamp != s {
		return value, false
	}
	if !young {
		c.keep(path, s, e.value)
	}
	return e.value, true
}

func (c *cache[T]) keep(path string, s stamp, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil {
		return
	}
	if len(c.young) >= c.limit {
		c.young, c.old = make(map[string]cached[T]), c.young
	}
	c.young[path] = cached[T]{s, value}
}

// drop forgets everything, and whatever is kept afterwards.
func (c *cache[T]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = nil, nil
}
