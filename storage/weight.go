package storage

import "sort"

// weightStep is how exactly the bytes behind an index are known.
const weightStep = 64 << 10

// A weight tells how many bytes of log lie behind the newest snapshot. A snapshot is of an index
// somewhat before the end of the log, so the sum alone would not do, and remembering the size of
// every entry would cost more than it is worth: it remembers the sum at one entry for each 64 KiB.
type weight struct {
	total int64  // bytes of all entries added
	base  int64  // total before the first entry behind the snapshot, or up to a step less
	last  uint64 // index of the newest entry
	marks []mark // ascending in both fields; the first is at or before the first entry behind the snapshot
}

type mark struct {
	index  uint64
	before int64 // total when the entry at index was added
}

// add counts an entry. One at or before the newest takes the place of it and all behind it.
func (w *weight) add(index uint64, bytes int64) {
	if index <= w.last {
		w.cut(index)
	}
	if n := len(w.marks); n == 0 || w.total-w.marks[n-1].before >= weightStep {
		w.marks = append(w.marks, mark{index, w.total})
	}
	w.total += bytes
	w.last = index
}

// cut forgets the entries from index on.
func (w *weight) cut(index uint64) {
	i := sort.Search(len(w.marks), func(i int) bool { return w.marks[i].index >= index })
	if i < len(w.marks) {
		w.total = max(w.marks[i].before, w.base)
		w.marks = w.marks[:i]
	}
}

// snapshot says that the entries up to index are in a snapshot.
func (w *weight) snapshot(index uint64) {
	if index >= w.last {
		w.base, w.marks = w.total, nil
		return
	}
	i := sort.Search(len(w.marks), func(i int) bool { return w.marks[i].index > index+1 })
	if i > 0 {
		w.base = w.marks[i-1].before
		w.marks = append([]mark(nil), w.marks[i-1:]...)
	}
}

func (w *weight) since() int64 { return w.total - w.base }
