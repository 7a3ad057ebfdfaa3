// Package statespace searches everything that a small model can do, and prints what it found. The
// models of protocols stand on it: internal/leasemodel and internal/thiefmodel.
package statespace

// A Space is a model as the search sees it: places, and the steps from each to the next ones.
type Space[K comparable] struct {
	First K
	Hash  func(*K) uint64
	// Next emits the place that each possible step leads to. A wrong step is one that must not
	// happen; where it leads does not matter.
	Next func(from K, emit func(to K, wrong bool))
	// Farthest says whether something is wrong with a place that takes the most steps to get to.
	// Each of them is shown to it when all places were seen. It may be nil.
	Farthest func(at K) (wrong bool)
}

// A Result is what a search came to.
type Result[K comparable] struct {
	States   int
	Depth    int  // steps from the beginning to the farthest place
	Complete bool // every place that can be reached was seen, and no step was wrong
	// Way is a shortest way to the place from which a wrong step goes, both ends included, nil
	// when there was none.
	Way []K
}

// Search goes breadth first through all that can happen, until it meets a wrong step or has seen
// limit places. So the first wrong step it meets is one that took the fewest steps. progress hears
// of the places seen and the depth, now and then.
func (s Space[K]) Search(limit int, progress func(states, depth int)) Result[K] {
	seen := newVisited(s.Hash)
	seen.add(s.First, 0)
	depth, begin, end := 0, 0, 1 // the places from begin to end are as deep
	for at := 0; at < seen.n; at++ {
		if at == end {
			depth, begin, end = depth+1, end, seen.n
			progress(seen.n, depth)
		}
		met := false
		s.Next(seen.at(at).key, func(to K, wrong bool) {
			met = met || wrong
			if !met {
				seen.add(to, at)
			}
		})
		if met {
			return Result[K]{States: seen.n, Depth: depth + 1, Way: seen.way(at)}
		}
		if seen.n > limit {
			return Result[K]{States: seen.n, Depth: depth}
		}
	}
	for at := begin; at < end && s.Farthest != nil; at++ {
		if s.Farthest(seen.at(at).key) {
			return Result[K]{States: seen.n, Depth: depth + 1, Way: seen.way(at)}
		}
	}
	return Result[K]{States: seen.n, Depth: depth, Complete: true}
}

// visited holds the places seen, in the order in which they were met: the queue of a search is a
// walk through it.
type visited[K comparable] struct {
	hash   func(*K) uint64
	blocks [][]visit[K]
	n      int
	table  []uint32 // open addressing: 1 + number of a place, 0 is free
}

// A visit is a place and the one from which it was first reached.
type visit[K comparable] struct {
	key    K
	parent uint32
}

const blockSize = 1 << 14

func newVisited[K comparable](hash func(*K) uint64) *visited[K] {
	return &visited[K]{hash: hash, table: make([]uint32, 1<<12)}
}

func (v *visited[K]) at(i int) *visit[K] { return &v.blocks[i/blockSize][i%blockSize] }

// way is the first way to a place.
func (v *visited[K]) way(at int) []K {
	if at == 0 {
		return []K{v.at(0).key}
	}
	return append(v.way(int(v.at(at).parent)), v.at(at).key)
}

// add adds a place that was not seen before.
func (v *visited[K]) add(k K, parent int) {
	slot := v.find(&k)
	if v.table[slot] != 0 {
		return
	}
	if v.n%blockSize == 0 {
		v.blocks = append(v.blocks, make([]visit[K], blockSize))
	}
	v.n++
	*v.at(v.n - 1) = visit[K]{k, uint32(parent)}
	v.table[slot] = uint32(v.n)
	if v.n > len(v.table)/4*3 {
		v.grow()
	}
}

// find is where a place is in the table, or would be.
func (v *visited[K]) find(k *K) uint64 {
	mask := uint64(len(v.table) - 1)
	slot := v.hash(k) & mask
	for v.table[slot] != 0 && v.at(int(v.table[slot]-1)).key != *k {
		slot = (slot + 1) & mask
	}
	return slot
}

func (v *visited[K]) grow() {
	v.table = make([]uint32, 2*len(v.table))
	for i := range v.n {
		v.table[v.find(&v.at(i).key)] = uint32(i + 1)
	}
}
