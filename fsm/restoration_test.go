package fsm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/testkey"
)

// A board is an FSM of a cluster, and who signs for it.
type board struct {
	*testing.T
	fsm *fsm.FSM
	key *testkey.Key
}

func (b *board) apply(txn fsm.Txn) fsm.Outcome {
	b.Helper()
	signed, err := txn.Sign(b.key)
	if err != nil {
		signed = fsm.Unchecked(txn, b.key)
	}
	index := b.fsm.View().Index() + 1
	return b.fsm.Apply(&raft.Log{Index: index, Type: raft.LogCommand, Data: signed}).(fsm.Outcome)
}

func (b *board) write(path, value string) {
	b.Helper()
	txn := b.fsm.View().Begin(fsm.Ordinary)
	writeTo(&txn, b.fsm.View(), path, value)
	if o := b.apply(txn); o.Kind != fsm.Applied {
		b.Fatalf("%s: %+v", path, o)
	}
}

// staged has records wait for their restoration, which is returned.
func (b *board) staged(records map[string]string) fsm.Restoration {
	b.Helper()
	r := fsm.Restoration{Number: 1, ID: fsm.NewID(), Records: uint64(len(records)),
		Dirs: []string{"vault/"}}
	for path, value := range records {
		b.write(fsm.StagePath(r.ID, path), value)
	}
	return r
}

func (b *board) restoring(r fsm.Restoration) fsm.Txn {
	b.Helper()
	value, err := r.Encode()
	if err != nil {
		b.Fatal(err)
	}
	txn := b.fsm.View().Begin(fsm.Restore)
	writeTo(&txn, b.fsm.View(), fsm.PathRestored, string(value))
	return txn
}

// values are all records but the cluster's own.
func (b *board) values() string {
	var all []string
	for path, r := range b.fsm.View().Scan("", "") {
		if !strings.HasPrefix(path, "sys/") || strings.HasPrefix(path, "sys/restoring/") {
			all = append(all, path+"="+string(r.Value))
		}
	}
	return strings.Join(all, " ")
}

func newBoard(t *testing.T) *board {
	f, key := lost(t)
	b := &board{t, f, key}
	b.write("vault/1/a", "now")
	b.write("vault/1/b", "now")
	return b
}

// All records of the directories that are restored are those that were staged, at once, and the
// others stay.
func TestRestoration(t *testing.T) {
	b := newBoard(t)
	b.write(fsm.StagePath(fsm.NewID(), "vault/1/left"), "by one that did not end")
	r := b.staged(map[string]string{"vault/1/a": "then", "vault/1/gone": "then"})
	before := b.fsm.View()
	o := b.apply(b.restoring(r))
	if o.Kind != fsm.Applied {
		t.Fatalf("%+v", o)
	}
	if got := b.values(); got != "note=changed vault/1/a=then vault/1/gone=then" {
		t.Errorf("the records are %s", got)
	}
	view := b.fsm.View()
	for path, record := range view.Scan("vault/", "") {
		if record.Mod != o.Index {
			t.Errorf("%s was changed at %d, not at %d", path, record.Mod, o.Index)
		}
	}
	if got, at := view.Restored(); at != o.Index || fmt.Sprint(got) != fmt.Sprint(r) {
		t.Errorf("it is remembered as %+v at %d", got, at)
	}
	if view.Erased() != o.Index {
		t.Error("folders keep what it has replaced")
	}
	requireRecomputed(t, view)
	seen := fsm.Seen{}
	if _, ok := view.Watched(&seen).Get("vault/1/b"); ok || seen.Index != o.Index {
		t.Errorf("who finds nothing at vault/1/b has seen %d only", seen.Index)
	}

	late := before.Begin(fsm.Ordinary)
	writeTo(&late, before, "vault/2/new", "late")
	if o := b.apply(late); o.Kind != fsm.WrongGeneration {
		t.Errorf("what was decided before is applied: %+v", o)
	}
	if o := b.apply(before.Begin(fsm.Checkpoint)); o.Kind != fsm.Applied {
		t.Errorf("a checkpoint from before: %+v", o)
	}
	b.write("vault/1/b", "again")
}

// A member that was away takes the snapshot of a state that was restored: it is the same cluster's.
func TestRestorationReachesThoseWhoWereAway(t *testing.T) {
	b := newBoard(t)
	away := twin(t, b.fsm)
	if o := b.apply(b.restoring(b.staged(map[string]string{"vault/1/a": "then"}))); o.Kind !=
		fsm.Applied {
		t.Fatalf("%+v", o)
	}
	for range 2 { // the second one vouches for the first
		b.apply(b.fsm.View().Begin(fsm.Checkpoint))
	}
	var file bytes.Buffer
	if err := b.fsm.View().WriteSnapshot(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := away.Vet(bytes.NewReader(file.Bytes())); err != nil {
		t.Error(err)
	}
	read, err := fsm.ReadSnapshot(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if _, at := read.View().Restored(); at == 0 {
		t.Error("its snapshot does not know of the restoration")
	}
}

func TestRestorationsThatBreakARule(t *testing.T) {
	for name, change := range map[string]func(b *board, r *fsm.Restoration){
		"the number of another": func(_ *board, r *fsm.Restoration) { r.Number = 2 },
		"a record of elsewhere": func(b *board, r *fsm.Restoration) {
			b.write(fsm.StagePath(r.ID, "token/1"), "then")
			r.Records++
		},
		"a record of the cluster": func(b *board, r *fsm.Restoration) {
			b.write(fsm.StagePath(r.ID, "sys/members"), "then")
			r.Records++
		},
		"the cluster's records": func(_ *board, r *fsm.Restoration) {
			r.Dirs = []string{"sys/", "vault/"}
		},
		"no directory": func(_ *board, r *fsm.Restoration) { r.Dirs = nil },
		"no order":     func(_ *board, r *fsm.Restoration) { r.Dirs = []string{"vault/", "app/"} },
		"no slash":     func(_ *board, r *fsm.Restoration) { r.Dirs = []string{"vault"} },
	} {
		b := newBoard(t)
		r := b.staged(map[string]string{"vault/1/a": "then"})
		change(b, &r)
		before := b.values()
		if o := b.apply(b.restoring(r)); o.Kind != fsm.Refused || b.values() != before {
			t.Errorf("%s: %+v, %s", name, o, b.values())
		}
	}
	b := newBoard(t)
	txn := b.restoring(b.staged(nil))
	writeTo(&txn, b.fsm.View(), "vault/1/a", "more")
	if o := b.apply(txn); o.Kind != fsm.Refused {
		t.Errorf("it writes a record of its own: %+v", o)
	}
	txn = b.restoring(b.staged(nil))
	txn.Verb = fsm.Ordinary
	if o := b.apply(txn); o.Kind != fsm.Refused {
		t.Errorf("an ordinary transaction restores: %+v", o)
	}
}

// The leader sweeps away what a dead restore has left, and may take a slow one for dead. Its entry
// then restores nothing, and nobody is to blame for it.
func TestRestorationsOfWhatWasSweptAway(t *testing.T) {
	for name, change := range map[string]func(r *fsm.Restoration){
		"a record is missing":  func(r *fsm.Restoration) { r.Records++ },
		"a record is too many": func(r *fsm.Restoration) { r.Records-- },
		"all is gone":          func(r *fsm.Restoration) { r.ID = fsm.NewID() },
	} {
		b := newBoard(t)
		r := b.staged(map[string]string{"vault/1/a": "then"})
		change(&r)
		before := b.values()
		o := b.apply(b.restoring(r))
		if o.Kind != fsm.Conflict || o.Path != fsm.PathRestored || b.values() != before {
			t.Errorf("%s: %+v, %s", name, o, b.values())
		}
	}
}

func FuzzDecodeRestoration(f *testing.F) {
	r := fsm.Restoration{Number: 1, ID: fsm.NewID(), Dirs: []string{"app/", "vault/"}}
	b, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := fsm.DecodeRestoration(b)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is read, and written as %x, %v", b, again, err)
		}
	})
}
