package fsm

import (
	"container/heap"
	"sync"
)

// Waiters are those who wait for indexes not reached yet. Who waits for the same index shares a
// gate, and a batch touches only the gates that it opens.
type waiters struct {
	mu      sync.Mutex
	byIndex map[uint64]*gate
	next    gates // a heap, the lowest index first
}

type gate struct {
	index   uint64
	open    chan struct{}
	waiting int // 0 or less: opened, or left by all
	slot    int // in the heap
}

// join returns the gate of index. Whoever joined looks at the state once more before waiting: a
// batch may have become visible just before.
func (w *waiters) join(index uint64) *gate {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.byIndex[index]
	if g == nil {
		g = &gate{index: index, open: make(chan struct{})}
		if w.byIndex == nil {
			w.byIndex = make(map[uint64]*gate)
		}
		w.byIndex[index] = g
		heap.Push(&w.next, g)
	}
	g.waiting++
	return g
}

// leave is for who no longer waits; the last one takes the gate away.
func (w *waiters) leave(g *gate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g.waiting--
	if g.waiting == 0 && w.byIndex[g.index] == g {
		heap.Remove(&w.next, g.slot)
		delete(w.byIndex, g.index)
	}
}

// release opens every gate up to index.
func (w *waiters) release(index uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.next) > 0 && w.next[0].index <= index {
		g := heap.Pop(&w.next).(*gate)
		delete(w.byIndex, g.index)
		close(g.open)
	}
}

type gates []*gate

func (g gates) Len() int           { return len(g) }
func (g gates) Less(i, j int) bool { return g[i].index < g[j].index }
func (g gates) Swap(i, j int)      { g[i], g[j] = g[j], g[i]; g[i].slot, g[j].slot = i, j }
func (g *gates) Push(x any) {
	x.(*gate).slot = len(*g)
	*g = append(*g, x.(*gate))
}
func (g *gates) Pop() any {
	last := len(*g) - 1
	x := (*g)[last]
	(*g)[last] = nil
	*g = (*g)[:last]
	return x
}
