package fsm

import (
	"sort"
	"sync"
)

// historyLength is how many entries back a digest can be asked for (decision 19).
const historyLength = 4096

// A history holds the digests after the last entries, in the order of their indexes.
type history struct {
	mu      sync.Mutex
	entries [historyLength]struct {
		index  uint64
		digest [32]byte
	}
	noted int // ever since the last reset; entry n is at n modulo the length
}

func (h *history) note(s *state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := &h.entries[h.noted%historyLength]
	e.index, e.digest = s.index, s.digest
	h.noted++
}

// restart forgets everything but s: another history begins there.
func (h *history) restart(s *state) {
	h.mu.Lock()
	h.noted = 0
	h.mu.Unlock()
	h.note(s)
}

// goesThrough says whether the state was at a place.
func (h *history) goesThrough(p Place) bool {
	own, known := h.at(p.Index)
	return known && own == p.Digest
}

func (h *history) at(index uint64) ([32]byte, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := max(0, h.noted-historyLength)
	n := first + sort.Search(h.noted-first, func(i int) bool {
		return h.entries[(first+i)%historyLength].index >= index
	})
	e := h.entries[n%historyLength]
	if n == h.noted || e.index != index {
		return [32]byte{}, false
	}
	return e.digest, true
}
