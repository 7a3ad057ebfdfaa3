package fsm

import (
	"context"
	"iter"
	"strings"

	"github.com/hashicorp/raft"
)

// A Record is what is stored at a path. Value must not be changed by anyone.
type Record struct {
	Value   []byte
	Logical uint64 // version that the value was sealed for
	Mod     uint64 // log index of the last change
}

// A View is the whole state at one index. It is immutable, cheap to copy, and safe for concurrent
// use; keeping one keeps its records in memory. The zero View is of no use.
type View struct {
	state *state
	seen  *Seen // nil: nobody wants to know
}

// Seen is the newest change among what was read through a view: a record's, the deletion of one
// that is not there, or a creation or deletion under a prefix that was scanned. It is for one
// goroutine.
type Seen struct{ Index uint64 }

func (s *Seen) note(index uint64) {
	if s != nil {
		s.Index = max(s.Index, index)
	}
}

// Watched is the same view; what is read through it is noted in seen.
func (v View) Watched(seen *Seen) View { return View{v.state, seen} }

// Index is that of the last command or configuration in the state, 0 in an empty one.
func (v View) Index() uint64 { return v.state.index }

// Generation tells the histories before and after an operator's restore apart.
func (v View) Generation() uint64 { return v.state.generation }

// Get returns the record at path.
func (v View) Get(path string) (Record, bool) {
	r, ok := v.state.records.Get(path)
	if !ok {
		if v.seen != nil {
			v.seen.note(v.state.changedUnder(path))
		}
		return Record{}, false
	}
	v.seen.note(r.Mod)
	return *r, true
}

// Scan yields the records whose paths start with prefix and sort after `after` ("" for all), in
// order.
func (v View) Scan(prefix, after string) iter.Seq2[string, Record] {
	return func(yield func(string, Record) bool) {
		if v.seen != nil {
			v.seen.note(v.state.changedUnder(prefix))
		}
		v.state.records.Ascend(max(prefix, after), func(path string, r *Record) bool {
			if path <= after {
				return true
			}
			if !strings.HasPrefix(path, prefix) {
				return false
			}
			v.seen.note(r.Mod)
			return yield(path, *r)
		})
	}
}

// Outcome returns the outcome of a transaction within the id window.
func (v View) Outcome(id ID) (Outcome, bool) { return v.state.outcome(id) }

// Digest returns a 32-byte digest of the whole state (decision 19).
func (v View) Digest() [32]byte { return v.state.digest }

// Recompute hashes the whole state anew, which takes seconds for 1 GiB. A result other than Digest
// means that memory was altered. The error is the context's.
func (v View) Recompute(ctx context.Context) ([32]byte, error) {
	var s sum
	n := 0
	for element := range v.state.elements {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return [32]byte{}, ctx.Err()
		}
		s.add(element)
	}
	return s.digest(v.state.index, v.state.generation), ctx.Err()
}

// WasAt says whether the state was, or is, at index with a digest. known is false for an index
// further back than IDWindow.
func (v View) WasAt(p Place) (was, known bool) { return v.state.wasAt(p.Index, p.Digest) }

// PlaceBy is the newest place at or below an index that the state was at; the zero Place where that
// is further back than IDWindow.
func (v View) PlaceBy(index uint64) (p Place) {
	if v.state.index <= index {
		return Place{Index: v.state.index, Digest: v.state.digest}
	}
	v.state.past.Descend(index, func(at uint64, digest [32]byte) bool {
		p = Place{Index: at, Digest: digest}
		return false
	})
	return p
}

// Configuration returns the last committed Raft configuration and its index, 0 when there is none
// yet.
func (v View) Configuration() (raft.Configuration, uint64) {
	return v.state.configuration.Clone(), v.state.configured
}

// Line returns the transaction keys; empty before the cluster is founded. Nobody may change it.
func (v View) Line() Line { return v.state.line }

// Members returns who belongs to the cluster; empty before it is founded. Nobody may change it.
func (v View) Members() Members { return v.state.members }

// Backing says how far the state is vouched for.
func (v View) Backing() Backing { return v.state.backing }

// Refused says how many entries changed nothing because nobody signed them, and the index of the
// newest.
func (v View) Refused() (entries, newest uint64) {
	return v.state.account.refused, v.state.account.refusedAt
}

// Erased is the index of the newest entry that deleted a record, or changed the shares: folders
// still hold what it replaced, for a while.
func (v View) Erased() uint64 { return v.state.account.erasedAt }

// Begin is an empty transaction that is decided on this view.
func (v View) Begin(verb Verb) Txn {
	return Txn{ID: NewID(), Base: v.Index(), Digest: v.Digest(), Generation: v.Generation(),
		Verb: verb}
}

// recordOverhead is what the tree takes for a record beyond its path and value, measured
// (DESIGN.md).
const recordOverhead = 96

// Size returns the approximate size of the records in memory, in bytes, and their number.
func (v View) Size() (bytes int64, records int) {
	n := v.state.records.Len()
	return v.state.bytes + int64(n)*recordOverhead, n
}
