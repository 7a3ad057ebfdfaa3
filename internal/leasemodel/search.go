package main

// A Result is what a search came to.
type Result struct {
	States   int
	Depth    int  // steps from the beginning to the farthest state
	Complete bool // every state that can be reached was seen, and no answer was wrong
	// Schedule is a shortest way to a wrong answer, nil when there was none.
	Schedule []Scene
}

// Search goes breadth first through all that can happen, until it meets a wrong answer or has seen limit states. So the
// first wrong answer it meets is one that took the fewest steps. progress hears of the states seen and the depth, now and then.
func (m *Model) Search(limit int, progress func(states, depth int)) Result {
	seen := newVisited()
	seen.add(m.pack(new(m.first())), 0)
	depth, end := 0, 1 // states before end are no deeper than depth
	for at := 0; at < seen.len(); at++ {
		if at == end {
			depth, end = depth+1, seen.len()
			progress(seen.len(), depth)
		}
		state := m.unpack(seen.at(at).key)
		wrong := false
		var last Scene
		m.steps(&state, func(step Step, next State) {
			if wrong {
				return
			}
			if next.verdict != right {
				wrong, last = true, Scene{step, state, next}
				return
			}
			seen.add(m.pack(&next), at)
		})
		if wrong {
			return Result{States: seen.len(), Depth: depth + 1, Schedule: append(m.schedule(seen, at), last)}
		}
		if seen.len() > limit {
			return Result{States: seen.len(), Depth: depth}
		}
	}
	return Result{States: seen.len(), Depth: depth, Complete: true}
}

// schedule is the way to a state, found again from the keys on it.
func (m *Model) schedule(seen *visited, at int) []Scene {
	if at == 0 {
		return nil
	}
	v := seen.at(at)
	before := m.unpack(seen.at(int(v.parent)).key)
	scene := Scene{Before: before, After: m.unpack(v.key)}
	found := false
	m.steps(&before, func(step Step, next State) {
		if !found && m.pack(&next) == v.key {
			scene.Step, found = step, true
		}
	})
	return append(m.schedule(seen, int(v.parent)), scene)
}

// visited holds the states seen, in the order in which they were met: the queue of a search is a walk through it.
type visited struct {
	blocks [][]visit
	n      int
	table  []uint32 // open addressing: 1 + place of a key, 0 is free
}

// A visit is a state and the one from which it was first reached.
type visit struct {
	key    key
	parent uint32
}

const blockSize = 1 << 14

func newVisited() *visited { return &visited{table: make([]uint32, 1<<12)} }

func (v *visited) len() int { return v.n }

func (v *visited) at(i int) *visit { return &v.blocks[i/blockSize][i%blockSize] }

// add adds a state that was not seen before.
func (v *visited) add(k key, parent int) {
	slot := v.find(&k)
	if v.table[slot] != 0 {
		return
	}
	if v.n%blockSize == 0 {
		v.blocks = append(v.blocks, make([]visit, blockSize))
	}
	v.n++
	*v.at(v.n - 1) = visit{k, uint32(parent)}
	v.table[slot] = uint32(v.n)
	if v.n > len(v.table)/4*3 {
		v.grow()
	}
}

// find is where a key is in the table, or would be.
func (v *visited) find(k *key) uint64 {
	mask := uint64(len(v.table) - 1)
	slot := k.hash() & mask
	for v.table[slot] != 0 && v.at(int(v.table[slot]-1)).key != *k {
		slot = (slot + 1) & mask
	}
	return slot
}

func (v *visited) grow() {
	v.table = make([]uint32, 2*len(v.table))
	for i := range v.n {
		v.table[v.find(&v.at(i).key)] = uint32(i + 1)
	}
}
