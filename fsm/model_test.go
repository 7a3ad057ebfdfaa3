package fsm_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"keyquorum/fsm"
)

// A model is the state machine as one would explain it: it remembers everything for ever, looks at
// all of it for each question, and hashes all of it for each digest, in the words of
// docs/formats-fsm.md.
type model struct {
	index         uint64
	configuration raft.Configuration
	configured    uint64
	records       map[string]fsm.Record
	changes       []change // creations and deletions
	deleted       map[string]uint64
	erased        uint64
	decisions     []decision
	digests       map[uint64][32]byte
	restored      uint64
}

type change struct {
	path  string
	index uint64
}

type decision struct {
	id      fsm.ID
	outcome fsm.Outcome
}

func newModel() *model {
	m := &model{records: make(map[string]fsm.Record), deleted: make(map[string]uint64),
		digests: make(map[uint64][32]byte)}
	m.digests[0] = m.digest()
	return m
}

func (m *model) recent(index uint64) bool { return index+fsm.IDWindow >= m.index }

func (m *model) outcome(id fsm.ID) (fsm.Outcome, bool) {
	for _, d := range m.decisions {
		if d.id == id && m.recent(d.outcome.Index) {
			return d.outcome, true
		}
	}
	return fsm.Outcome{}, false
}

// lastChange is the index of the last change that matches and is recent, else 0.
func (m *model) lastChange(matches func(path string) bool) (last uint64) {
	for _, c := range m.changes {
		if matches(c.path) && m.recent(c.index) {
			last = max(last, c.index)
		}
	}
	return last
}

func (m *model) apply(index uint64, x fsm.Txn) fsm.Outcome {
	before := m.index
	m.index = index
	defer func() { m.digests[index] = m.digest() }()
	if o, ok := m.outcome(x.ID); ok {
		return o
	}
	o := m.judge(index, before, x)
	m.decisions = append(m.decisions, decision{x.ID, o})
	if o.Kind != fsm.Applied {
		return o
	}
	if x.Verb == fsm.Restore {
		m.restore(index, x)
		return o
	}
	for _, w := range x.Writes {
		_, existed := m.records[w.Path]
		if w.Delete || !existed {
			m.changes = append(m.changes, change{w.Path, index})
		}
		delete(m.records, w.Path)
		if w.Delete {
			m.deleted[w.Path], m.erased = index, index
		} else {
			m.records[w.Path] = fsm.Record{Value: w.Value, Logical: w.Logical, Mod: index}
		}
	}
	return o
}

// restore has everything that is staged in the place of all that is in its directories.
func (m *model) restore(index uint64, x fsm.Txn) {
	w := x.Writes[0]
	r, err := fsm.DecodeRestoration(w.Value)
	if err != nil {
		panic(err)
	}
	next := map[string]fsm.Record{w.Path: {Value: w.Value, Logical: w.Logical, Mod: index}}
	for path, old := range m.records {
		if place, staged := strings.CutPrefix(path, fsm.StageDir(r.ID)); staged {
			next[place] = fsm.Record{Value: old.Value, Logical: old.Logical, Mod: index}
			delete(m.deleted, place)
		} else if !r.Covers(path) && path != w.Path && !strings.HasPrefix(path, "sys/restoring/") {
			next[path] = old
		} else {
			delete(m.deleted, path) // what it had before the record is forgotten as well
		}
	}
	if _, again := m.records[w.Path]; !again {
		m.changes = append(m.changes, change{w.Path, index})
	}
	m.records, m.restored, m.erased = next, index, index
}

func (m *model) judge(index, before uint64, x fsm.Txn) fsm.Outcome {
	if x.Generation != 0 || x.Base < m.restored {
		return fsm.Outcome{Kind: fsm.WrongGeneration, Index: index}
	}
	if x.Base >= index || x.Base+fsm.IDWindow < index {
		return fsm.Outcome{Kind: fsm.TooOld, Index: index}
	}
	for _, c := range x.Conditions {
		if c.Kind == fsm.DirUnchanged && c.Index+fsm.IDWindow < index {
			return fsm.Outcome{Kind: fsm.TooOld, Index: index}
		}
	}
	for _, c := range x.Conditions {
		r, exists := m.records[c.Path]
		at, holds := before, false
		switch {
		case c.Kind == fsm.DirUnchanged:
			at = max(m.restored,
				m.lastChange(func(p string) bool { return strings.HasPrefix(p, c.Path) }))
			holds = at <= c.Index
		case exists:
			at, holds = r.Mod, c.Kind == fsm.Unchanged && r.Mod == c.Index
		case c.Kind == fsm.Absent:
			at = 0
			if m.recent(m.deleted[c.Path]) {
				at = m.deleted[c.Path]
			}
			holds = at <= x.Base
		}
		if !holds {
			return fsm.Outcome{Kind: fsm.Conflict, Index: index, Path: c.Path, At: at}
		}
	}
	return fsm.Outcome{Kind: fsm.Applied, Index: index}
}

func (m *model) configure(index uint64, c raft.Configuration) {
	m.index, m.configuration, m.configured = index, c, index
	m.digests[index] = m.digest()
}

// elements are the parts of the state, each in the bytes that the format prescribes.
func (m *model) elements() [][]byte {
	e := fmt.Appendf(nil, "C%s%s", u64(m.configured), u16(len(m.configuration.Servers)))
	for _, s := range m.configuration.Servers {
		e = fmt.Appendf(e, "%c%s%s%s%s", s.Suffrage, u16(len(s.ID)), s.ID, u16(len(s.Address)), s.Address)
	}
	all := [][]byte{e}
	for at, digest := range m.digests {
		if at < m.index && m.recent(at) {
			all = append(all, fmt.Appendf(nil, "P%s%s", u64(at), digest[:]))
		}
	}
	all = append(all, fmt.Appendf(nil, "A%s%s%s", u64(0), u64(0), u64(m.erased)))
	for path, at := range m.deleted {
		if _, there := m.records[path]; !there && m.recent(at) {
			all = append(all, fmt.Appendf(nil, "G%s%s%s", u16(len(path)), path, u64(at)))
		}
	}
	for path, r := range m.records {
		all = append(all, fmt.Appendf(nil, "R%s%s%s%s%s%s", u16(len(path)), path, u64(r.Logical),
			u64(r.Mod), u64(uint64(len(r.Value)))[4:], r.Value))
	}
	directories := make(map[string]bool)
	for _, c := range m.changes {
		directories[parent(c.path)] = true
	}
	for d := range directories {
		if own := m.lastChange(func(p string) bool { return parent(p) == d }); own != 0 && d != "" {
			all = append(all, fmt.Appendf(nil, "D%s%s%s", u16(len(d)), d, u64(own)))
		}
	}
	for _, d := range m.decisions {
		if o := d.outcome; m.recent(o.Index) {
			all = append(all, fmt.Appendf(nil, "I%s%s%c%s%s%s", u64(o.Index), d.id[:], o.Kind, u64(o.At),
				u16(len(o.Path)), o.Path))
		}
	}
	return all
}

func parent(path string) string { return path[:strings.LastIndexByte(path, '/')+1] }

func u64(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
func u16(n int) string    { return string(binary.BigEndian.AppendUint16(nil, uint16(n))) }

func (m *model) digest() [32]byte {
	var lanes [1024]uint16
	for _, e := range m.elements() {
		key := sha256.Sum256(e)
		block, err := aes.NewCipher(key[:])
		if err != nil {
			panic(err)
		}
		var pad [2048]byte
		cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(pad[:], pad[:])
		for i := range lanes {
			lanes[i] += uint16(pad[2*i]) | uint16(pad[2*i+1])<<8
		}
	}
	b := []byte("keyquorum state digest v1\n" + u64(m.index) + u64(0))
	for _, lane := range lanes {
		b = append(b, byte(lane), byte(lane>>8))
	}
	return sha256.Sum256(b)
}

// A machine drives the model and two FSMs with the same log: one takes every entry alone; the other
// takes it in batches and is thrown away for its own snapshot, which may lie back in the log, at
// random.
type machine struct {
	model    *model
	single   *fsm.FSM
	batched  *fsm.FSM
	log      []*raft.Log
	outcomes []any // of the model, by position in log
	taken    int   // by batched
	saved    []byte
	savedAt  int // position in log
}

var modelPaths = []string{"top", "d/a", "d/b", "d/e/a", "d/e/b", "d/e/f/a", "g/a"}
var modelDirectories = []string{"d/", "d/e/", "d/e/f/", "g/", "h/"}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{model: newModel(), single: newFSM(t), batched: newFSM(t)}
		t.Repeat(map[string]func(*rapid.T){
			"transaction":   m.transaction,
			"transaction 2": m.transaction,
			"transaction 3": m.transaction,
			"restoration":   m.restoration,
			"configuration": m.configuration,
			"batch": func(t *rapid.T) {
				m.batch(t,
					rapid.IntRange(0, len(m.log)-m.taken).Draw(t, "entries"))
			},
			"save":    m.save,
			"restart": m.restart,
			"":        m.check,
		})
		m.batch(t, len(m.log)-m.taken)
		m.check(t)
		requireSame(t, m.single, m.batched)
		requireRecomputed(t, m.batched.View())
	})
}

// nextIndex leaves gaps, as no-ops do, and jumps so far now and then that the window passes.
func (m *machine) nextIndex(t *rapid.T) uint64 {
	gap := rapid.SampledFrom([]uint64{1, 1, 1, 1, 1, 1, 2, 5, 30_000, fsm.IDWindow - 1, fsm.IDWindow,
		fsm.IDWindow + 1}).Draw(t, "gap")
	return m.model.index + gap
}

func (m *machine) transaction(t *rapid.T) {
	index := m.nextIndex(t)
	x := fsm.Txn{ID: m.anyID(t), Base: m.anyBase(t),
		Generation: rapid.SampledFrom([]uint64{0, 0, 0, 0, 0, 0, 0, 1}).Draw(t, "generation")}
	for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelPaths), 0, 4, rapid.ID).Draw(t,
		"paths") {
		m.useRecord(t, &x, path)
	}
	for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelDirectories), 0, 2,
		rapid.ID).Draw(t, "directories") {
		at := min(x.Base, m.model.lastChange(func(p string) bool { return strings.HasPrefix(p, path) })+
			rapid.SampledFrom([]uint64{0, 0, 1, 100}).Draw(t, "since"))
		x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.DirUnchanged, Path: path, Index: at})
	}
	m.append(command(t, index, x), m.model.apply(index, x))
}

// restoration stages some records, and has them restored, with or without something between.
func (m *machine) restoration(t *rapid.T) {
	stage := fsm.Txn{ID: m.anyID(t), Base: m.model.index}
	r := fsm.Restoration{Number: 1, ID: fsm.ID{0: 2, 8: byte(len(m.log) >> 8), 9: byte(len(m.log))},
		Dirs: []string{"d/e/", "g/"}}
	own := fsm.Condition{Kind: fsm.Absent, Path: fsm.PathRestored}
	if old, ok := m.model.records[fsm.PathRestored]; ok {
		last, err := fsm.DecodeRestoration(old.Value)
		if err != nil {
			t.Fatal(err)
		}
		r.Number = last.Number + 1
		own = fsm.Condition{Kind: fsm.Unchanged, Path: fsm.PathRestored, Index: old.Mod}
	}
	places := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"d/e/a", "d/e/f/a", "g/a", "g/new"}),
		0, 4, rapid.ID)
	for _, place := range places.Draw(t, "places") {
		path := fsm.StagePath(r.ID, place)
		stage.Conditions = append(stage.Conditions, fsm.Condition{Kind: fsm.Absent, Path: path})
		stage.Writes = append(stage.Writes, fsm.Write{Path: path, Logical: stage.Base,
			Value: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "value")})
	}
	index := m.nextIndex(t)
	staged := m.model.apply(index, stage)
	m.append(command(t, index, stage), staged)
	if staged.Kind != fsm.Applied || staged.Index != index {
		return // of an id that had an outcome, or too old
	}
	r.Records = uint64(len(stage.Writes))
	if rapid.Bool().Draw(t, "something between") {
		m.transaction(t)
	}
	value, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	x := fsm.Txn{ID: fsm.ID{0: 3, 8: byte(len(m.log) >> 8), 9: byte(len(m.log))}, Verb: fsm.Restore,
		Base: m.model.index, Conditions: []fsm.Condition{own}}
	logical := own.Index
	if own.Kind == fsm.Absent {
		logical = x.Base
	}
	x.Writes = []fsm.Write{{Path: fsm.PathRestored, Logical: logical, Value: value}}
	index = m.nextIndex(t)
	m.append(command(t, index, x), m.model.apply(index, x))
}

// useRecord adds a condition on path, mostly a true one, and a write that fits it.
func (m *machine) useRecord(t *rapid.T, x *fsm.Txn, path string) {
	r, exists := m.model.records[path]
	truthful := rapid.SampledFrom([]bool{true, true, true, false}).Draw(t, "truthful")
	mod := r.Mod
	if !truthful {
		mod = x.Base
	}
	if exists != truthful || mod == 0 || mod > x.Base {
		x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.Absent, Path: path})
		mod = x.Base
	} else {
		x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.Unchanged, Path: path, Index: mod})
		if rapid.Bool().Draw(t, "delete") {
			x.Writes = append(x.Writes, fsm.Write{Path: path, Delete: true})
			return
		}
	}
	if rapid.Bool().Draw(t, "put") {
		x.Writes = append(x.Writes, fsm.Write{Path: path, Logical: mod,
			Value: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "value")})
	}
}

func (m *machine) anyID(t *rapid.T) fsm.ID {
	if n := len(m.model.decisions); n > 0 && rapid.IntRange(0, 4).Draw(t, "again") == 0 {
		return m.model.decisions[n-1-rapid.IntRange(0, min(n-1, 5)).Draw(t, "which")].id
	}
	return fsm.ID{0: 1, 8: byte(len(m.log) >> 8), 9: byte(len(m.log))}
}

func (m *machine) anyBase(t *rapid.T) uint64 {
	back := rapid.SampledFrom([]uint64{0, 0, 0, 0, 1, 2, 30_000, fsm.IDWindow - 1,
		fsm.IDWindow}).Draw(t, "back")
	return m.model.index - min(back, m.model.index) +
		rapid.SampledFrom([]uint64{0, 0, 0, 0, 0, 0, 0, 0, 2}).Draw(t, "ahead")
}

func (m *machine) configuration(t *rapid.T) {
	index := m.nextIndex(t)
	var c raft.Configuration
	for n := range rapid.IntRange(0, 3).Draw(t, "servers") {
		c.Servers = append(c.Servers,
			raft.Server{ID: raft.ServerID(fmt.Sprint("n", n)), Address: "127.0.0.1:8201"})
	}
	m.model.configure(index, c)
	m.append(configuration(index, c.Servers...), nil)
}

func (m *machine) append(l *raft.Log, outcome any) {
	m.log, m.outcomes = append(m.log, l), append(m.outcomes, outcome)
}

// batch gives the batched FSM its next entries.
func (m *machine) batch(t *rapid.T, n int) {
	for i, got := range m.batched.ApplyBatch(m.log[m.taken : m.taken+n]) {
		if want := m.outcomes[m.taken+i]; got != want {
			t.Fatalf("entry %d: got %+v, want %+v", m.log[m.taken+i].Index, got, want)
		}
	}
	m.taken += n
}

func (m *machine) save(t *rapid.T) {
	if rapid.Bool().Draw(t, "vouched for") {
		fsm.Vouch(m.batched)
	}
	m.saved, m.savedAt = persisted(t, m.batched), m.taken
}

// restart restores the last snapshot and replays the log from somewhere at or before it, as Raft
// may.
func (m *machine) restart(t *rapid.T) {
	if m.saved == nil {
		t.Skip("nothing saved")
	}
	m.batched = restored(t, m.saved)
	requireRecomputed(t, m.batched.View())
	from := rapid.IntRange(0, m.savedAt).Draw(t, "replay from")
	at := m.batched.View().Digest()
	m.batched.ApplyBatch(m.log[from:m.savedAt])
	if m.batched.View().Digest() != at {
		t.Fatalf("entries that were in the snapshot changed the state")
	}
	m.taken = m.savedAt
}

// check lets the single FSM catch up and compares everything.
func (m *machine) check(t *rapid.T) {
	for i, l := range m.log {
		if l.Index > m.single.View().Index() {
			if got := m.single.Apply(l); got != m.outcomes[i] {
				t.Fatalf("entry %d: got %+v, want %+v", l.Index, got, m.outcomes[i])
			}
		}
	}
	m.compare(t, m.single.View())
	for index, want := range m.model.digests {
		if got, ok := m.single.DigestAt(index); !ok || got != want {
			t.Fatalf("digest at %d: got %x, %v, want %x", index, got, ok, want)
		}
	}
	if v := m.batched.View(); v.Digest() != m.model.digests[v.Index()] {
		t.Fatalf("batched digest at %d: got %x, want %x", v.Index(), v.Digest(),
			m.model.digests[v.Index()])
	}
}

func (m *machine) compare(t *rapid.T, v fsm.View) {
	if v.Index() != m.model.index {
		t.Fatalf("index %d, want %d", v.Index(), m.model.index)
	}
	var got []string
	for path, r := range v.Scan("", "") {
		got = append(got, fmt.Sprint(path, r))
		if one, ok := v.Get(path); !ok || fmt.Sprint(one) != fmt.Sprint(r) {
			t.Fatalf("Get(%q) = %v, %v, Scan has %v", path, one, ok, r)
		}
	}
	var want []string
	for path, r := range m.model.records {
		want = append(want, fmt.Sprint(path, r))
	}
	sort.Strings(want)
	if !slices.Equal(got, want) {
		t.Fatalf("records %q, want %q", got, want)
	}
	for _, d := range m.model.decisions {
		got, gotAny := v.Outcome(d.id)
		if want, wantAny := m.model.outcome(d.id); got != want || gotAny != wantAny {
			t.Fatalf("outcome of %x: %v, %v, want %v, %v", d.id, got, gotAny, want, wantAny)
		}
	}
}
