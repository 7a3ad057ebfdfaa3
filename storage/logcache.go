package storage

import (
	"sync"

	"github.com/hashicorp/raft"
)

const (
	// cachedEntries is how many of the newest entries are kept: more than followers and the FSM lag
	// behind in health.
	cachedEntries = 512
	// maxCachedData keeps large entries out, so that the cache is bounded by 8 MiB. raft.LogCache has
	// no such bound: 512 transactions of 1 MiB would stay in memory for ever.
	maxCachedData = 16 << 10
)

// A logCache holds the newest entries as Raft gave them: replication and the FSM ask for each of
// them again, and reading one from bolt means a transaction and a decoding. Entries are immutable
// once Raft has stored them.
type logCache struct {
	mu   sync.RWMutex
	ring [cachedEntries]*raft.Log // entry i is at i mod 512
}

func (c *logCache) load(index uint64, l *raft.Log) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	cached := c.ring[index%cachedEntries]
	if cached == nil || cached.Index != index {
		return false
	}
	*l = *cached
	return true
}

// store keeps an entry that is on disk. A large one only pushes out the one whose place it would
// take.
func (c *logCache) store(l *raft.Log) {
	kept := l
	if len(l.Data)+len(l.Extensions) > maxCachedData {
		kept = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ring[l.Index%cachedEntries] = kept
}

// forget drops the entries from low to high.
func (c *logCache) forget(low, high uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, l := range c.ring {
		if l != nil && low <= l.Index && l.Index <= high {
			c.ring[i] = nil
		}
	}
}
