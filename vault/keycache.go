package vault

import (
	"sync"
	"sync/atomic"
)

// keyCacheBytes bounds what opened keys may take: some five thousand RSA-2048 keys.
const keyCacheBytes = 32 << 20

// A keyCache holds opened versions of keys. An entry answers only for the restore generation, path
// and mod index that it was opened at, so it can't outlive a change; what the bound pushes out is
// chosen by a clock hand.
//
// A hit takes no lock. close drops everything, and nothing can be kept after it.
type keyCache struct {
	max     int64
	entries sync.Map // path → *cachedKey

	mu     sync.Mutex   // guards what follows and every change of entries
	ring   []*cachedKey // what entries holds, in the order of the clock
	hand   int
	bytes  int64 // sum of the sizes in ring, never above max
	closed bool
}

type cachedKey struct {
	path string
	stamp
	key  *openedKey
	size int64
	used atomic.Bool // since the hand came by
	slot int         // index in ring; guarded by keyCache.mu
}

func newKeyCache(maxBytes int64) *keyCache { return &keyCache{max: maxBytes} }

// find returns the key opened from exactly this record.
func (c *keyCache) find(path string, s stamp) (*openedKey, bool) {
	v, ok := c.entries.Load(path)
	if !ok {
		return nil, false
	}
	e := v.(*cachedKey)
	if e.stamp != s {
		return nil, false
	}
	if !e.used.Load() { // a hot entry is read by all processors: don't write to it each time
		e.used.Store(true)
	}
	return e.key, true
}

// keep remembers a key opened from this record, in the place of one opened from an older record at
// the path.
func (c *keyCache) keep(path string, s stamp, key *openedKey) {
	e := &cachedKey{path: path, stamp: s, key: key, size: key.size + int64(len(path))}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || e.size > c.max {
		return
	}
	if v, ok := c.entries.Load(path); ok {
		old := v.(*cachedKey)
		if !old.before(s) {
			return
		}
		c.dropLocked(old)
	}
	for c.bytes+e.size > c.max {
		c.evictLocked()
	}
	e.slot = len(c.ring)
	c.ring = append(c.ring, e)
	c.bytes += e.size
	c.entries.Store(path, e)
}

func (s stamp) before(t stamp) bool {
	return s.generation < t.generation || s.generation == t.generation && s.mod < t.mod
}

// evictLocked drops the first entry that was not used since the hand came by it. The ring must not
// be empty.
func (c *keyCache) evictLocked() {
	for {
		c.hand %= len(c.ring)
		e := c.ring[c.hand]
		if !e.used.Swap(false) {
			c.dropLocked(e)
			return
		}
		c.hand++
	}
}

func (c *keyCache) dropLocked(e *cachedKey) {
	last := len(c.ring) - 1
	c.ring[e.slot] = c.ring[last]
	c.ring[e.slot].slot = e.slot
	c.ring[last] = nil // or the key would stay reachable
	c.ring = c.ring[:last]
	c.bytes -= e.size
	c.entries.Delete(e.path)
}

// close drops every key. Those in use end with their calls.
func (c *keyCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.entries.Clear()
	c.ring, c.hand, c.bytes = nil, 0, 0
}
