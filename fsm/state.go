package fsm

import (
	"slices"
	"strings"

	"github.com/hashicorp/raft"
	"github.com/tidwall/btree"
)

// A state is the replicated state after one log entry. One that was published is never changed
// again.
type state struct {
	index      uint64 // of the last command or configuration applied
	generation uint64

	configuration raft.Configuration
	configured    uint64 // index of the configuration; 0 when there is none

	records *btree.Map[string, *Record]
	bytes   int64 // of paths and values in records

	directories *btree.Map[string, directory]
	decisions   *btree.Map[uint64,
		decision] // by the index of the outcome; all within IDWindow of index
	ids    *btree.Map[string, uint64] // index of each decision by its id's 16 bytes
	graves *btree.Map[string,
		uint64] // index of the deletion of each path that is gone; all within IDWindow
	past *btree.Map[uint64,
		[32]byte] // digest at each index that the state was at; all within IDWindow

	account account
	line    Line    // what PathKeys holds; empty before the cluster is founded
	members Members // what PathMembers holds

	restored uint64 // index of the newest restoration, which is the mod index of PathRestored; 0: none
	anchor   Line   // checker.anchor

	digest  [32]byte
	backing Backing   // of one that was published
	source  *snapshot // of one that was published: what a snapshot of it is made of
}

// An account is what the state remembers of its past in numbers.
type account struct {
	refused, refusedAt uint64 // entries that changed nothing because nobody signed them; the newest
	erasedAt           uint64 // the newest entry that deleted a record, or changed the shares
}

// wasAt says whether the state was, or is, at index with digest. known is false for an index
// further back than IDWindow.
func (s *state) wasAt(index uint64, digest [32]byte) (was, known bool) {
	if index == s.index {
		return digest == s.digest, true
	}
	own, ok := s.past.Get(index)
	return ok && own == digest, index > s.index || s.index-index <= IDWindow
}

// changedUnder bounds the index at which something was last created or deleted in the directory of
// path, or below it. A directory that is not there any more, or never was, changed further back
// than the window.
func (s *state) changedUnder(path string) uint64 {
	end := strings.LastIndexByte(path, '/') + 1
	if end == 0 { // for everything there is no directory
		return s.index
	}
	dir, ok := s.directories.Get(path[:end])
	if !ok {
		return max(s.restored, s.index-min(s.index, IDWindow))
	}
	return max(s.restored, dir.below)
}

// A directory says when something was last created or deleted below a path that ends in '/'. It is
// forgotten when that is further back than IDWindow: who saw the directory before then is too old
// to be heard.
type directory struct {
	below uint64 // anywhere below; never 0
	own   uint64 // with no directory between; 0 when forgotten or never. Elements hold only these: below is the greatest own in the subtree
}

// A decision is the first outcome of an id, with the directories that the transaction touched and
// the graves that it dug, so that they are forgotten with it.
type decision struct {
	id      ID
	outcome Outcome
	touched []string
	graves  []string
}

// treeDegree: DESIGN.md has the measurements.
const treeDegree = 16

func (s *state) outcome(id ID) (Outcome, bool) {
	index, ok := s.ids.Get(string(id[:]))
	if !ok {
		return Outcome{}, false
	}
	d, _ := s.decisions.Get(index)
	return d.outcome, true
}

// elements yields the bytes of every element in the order of a snapshot. They are good until the
// next one is asked for.
func (s *state) elements(yield func([]byte) bool) {
	b := make([]byte, 0, 4096)
	more := true
	emit := func(element []byte) bool {
		more = more && yield(element)
		b = element[:0]
		return more
	}
	if !emit(appendConfiguration(b, s.configuration, s.configured)) ||
		!emit(appendAccount(b, s.account)) {
		return
	}
	s.records.Scan(func(path string, r *Record) bool { return emit(appendRecord(b, path, r)) })
	if !more {
		return
	}
	s.directories.Scan(func(path string, d directory) bool {
		return d.own == 0 || emit(appendDirectory(b, path, d.own))
	})
	if !more {
		return
	}
	s.decisions.Scan(func(_ uint64,
		d decision) bool {
		return emit(appendDecision(b, d.id, d.outcome))
	})
	if !more {
		return
	}
	s.graves.Scan(func(path string,
		deleted uint64) bool {
		return emit(appendGrave(b, path, deleted))
	})
	if !more {
		return
	}
	s.past.Scan(func(index uint64, digest [32]byte) bool { return emit(appendPast(b, index, digest)) })
}

// A draft is the state that the next batch or a restore is making. It belongs to the goroutine that
// applies.
type draft struct {
	state
	sum     sum    // of the elements of state
	element []byte // scratch
	vouching
}

func newDraft(c *checker) *draft {
	d := &draft{state: state{
		records:     btree.NewMap[string, *Record](treeDegree),
		directories: btree.NewMap[string, directory](treeDegree),
		decisions:   btree.NewMap[uint64, decision](treeDegree),
		ids:         btree.NewMap[string, uint64](treeDegree),
		graves:      btree.NewMap[string, uint64](treeDegree),
		past:        btree.NewMap[uint64, [32]byte](treeDegree),
	}}
	d.add(appendConfiguration(d.element, d.configuration, 0))
	d.add(appendAccount(d.element, d.account))
	d.digest = d.sum.digest(0, 0)
	d.anchor = c.anchor
	if d.free = c.free; c.free {
		d.line = c.anchor
	}
	d.vouched = d.freeze()
	return d
}

// freeze returns the draft as it is now. The trees share nodes with it, which later writes to the
// draft copy first.
func (d *draft) freeze() *state {
	s := d.state
	s.records, s.directories = d.records.Copy(), d.directories.Copy()
	s.decisions, s.ids = d.decisions.Copy(), d.ids.Copy()
	s.graves, s.past = d.graves.Copy(), d.past.Copy()
	return &s
}

func (d *draft) add(element []byte) {
	d.sum.add(element)
	d.element = element[:0]
}

func (d *draft) subtract(element []byte) {
	d.sum.subtract(element)
	d.element = element[:0]
}

// put stores r, and reports whether there was nothing at path.
func (d *draft) put(path string, r *Record) (created bool) {
	if deleted, ok := d.graves.Delete(path); ok {
		d.subtract(appendGrave(d.element, path, deleted))
	}
	old, replaced := d.records.Set(path, r)
	if replaced {
		d.dropped(path, old)
	}
	d.bytes += int64(len(path) + len(r.Value))
	d.add(appendRecord(d.element, path, r))
	return !replaced
}

// remove deletes the record at path. Its grave keeps everybody who has not seen the deletion from
// putting something there, until nobody who has not seen it is heard any more.
func (d *draft) remove(path string, index uint64) {
	if old, ok := d.records.Delete(path); ok {
		d.dropped(path, old)
		d.dig(path, index)
		d.erased(index)
	}
}

func (d *draft) dig(path string, index uint64) {
	d.graves.Set(path, index)
	d.add(appendGrave(d.element, path, index))
}

func (d *draft) erased(index uint64) {
	a := d.account
	a.erasedAt = index
	d.reckon(a)
}

// refuse counts an entry that changes nothing.
func (d *draft) refuse(index uint64) {
	a := d.account
	a.refused, a.refusedAt = a.refused+1, index
	d.reckon(a)
}

func (d *draft) reckon(a account) {
	d.subtract(appendAccount(d.element, d.account))
	d.account = a
	d.add(appendAccount(d.element, a))
}

func (d *draft) dropped(path string, old *Record) {
	d.bytes -= int64(len(path) + len(old.Value))
	d.subtract(appendRecord(d.element, path, old))
}

// touch notes in every directory above path that something was created or deleted there at index,
// and appends those directories that had not noted it yet.
func (d *draft) touch(touched []string, path string, index uint64) []string {
	own := strings.LastIndexByte(path, '/') + 1
	for end := own; end > 0; end = strings.LastIndexByte(path[:end-1], '/') + 1 {
		dir, _ := d.directories.Get(path[:end])
		if dir.below != index {
			touched = append(touched, path[:end])
		}
		dir.below = index
		if end == own && dir.own != index {
			d.move(path[:end], dir.own, index)
			dir.own = index
		}
		d.directories.Set(path[:end], dir)
	}
	return touched
}

// move replaces a directory's element; 0 stands for none.
func (d *draft) move(path string, from, to uint64) {
	if from != 0 {
		d.subtract(appendDirectory(d.element, path, from))
	}
	if to != 0 {
		d.add(appendDirectory(d.element, path, to))
	}
}

func (d *draft) decide(id ID, o Outcome, touched, graves []string) {
	d.decisions.Set(o.Index, decision{id, o, slices.Clip(touched), graves})
	d.ids.Set(string(id[:]), o.Index)
	d.add(appendDecision(d.element, id, o))
}

func (d *draft) configure(c raft.Configuration, index uint64) {
	d.subtract(appendConfiguration(d.element, d.configuration, d.configured))
	d.configuration, d.configured = c, index
	d.add(appendConfiguration(d.element, c, index))
}

// advance takes the state to a later index: where it was is past, and what is further back than
// IDWindow is forgotten.
func (d *draft) advance(index uint64) {
	d.remind(d.index, d.digest)
	d.index = index
	d.forget()
}

// remind notes that the state was at index with digest.
func (d *draft) remind(index uint64, digest [32]byte) {
	d.past.Set(index, digest)
	d.add(appendPast(d.element, index, digest))
}

// forget drops what is further back than IDWindow.
func (d *draft) forget() {
	for {
		index, digest, ok := d.past.Min()
		if !ok || d.index-index <= IDWindow {
			break
		}
		d.past.Delete(index)
		d.subtract(appendPast(d.element, index, digest))
	}
	for {
		index, old, ok := d.decisions.Min()
		if !ok || index >= d.index || d.index-index <= IDWindow {
			return
		}
		d.decisions.Delete(index)
		d.ids.Delete(string(old.id[:]))
		d.subtract(appendDecision(d.element, old.id, old.outcome))
		for _, path := range old.touched {
			d.forgetDirectory(path, index)
		}
		for _, path := range old.graves {
			d.forgetGrave(path, index)
		}
	}
}

// forgetGrave drops what path still has from index.
func (d *draft) forgetGrave(path string, index uint64) {
	if deleted, ok := d.graves.Get(path); ok && deleted == index {
		d.graves.Delete(path)
		d.subtract(appendGrave(d.element, path, index))
	}
}

// forgetDirectory drops what path still has from index.
func (d *draft) forgetDirectory(path string, index uint64) {
	dir, ok := d.directories.Get(path)
	if !ok {
		return
	}
	if dir.own == index {
		d.move(path, index, 0)
		dir.own = 0
		d.directories.Set(path, dir)
	}
	if dir.below == index { // then own, which is never above it, is gone too
		d.directories.Delete(path)
	}
}
