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

func nodeID(n int) string { return fmt.Sprintf("%032x", n) }

// lost is the state of three members, one of which was removed before, and the key that signs.
func lost(t *testing.T) (*fsm.FSM, *testkey.Key) {
	t.Helper()
	key := testkey.New(1, 0)
	var members fsm.Members
	for n := 1; n <= 3; n++ {
		members = members.With(fsm.Member{ID: nodeID(n), Address: fmt.Sprintf("host%d:1", n),
			Voter: true})
	}
	founding, err := key.Found(members)
	if err != nil {
		t.Fatal(err)
	}
	f := fsm.New(fsm.Options{})
	f.ApplyBatch([]*raft.Log{
		{Index: 1, Type: raft.LogCommand, Data: founding},
		{Index: 2, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(members.Configuration())},
	})
	apply := func(txn fsm.Txn) {
		signed, err := txn.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		index := f.View().Index() + 1
		o := f.Apply(&raft.Log{Index: index, Type: raft.LogCommand, Data: signed}).(fsm.Outcome)
		if o.Kind != fsm.Applied {
			t.Fatalf("%+v", o)
		}
	}
	txn := f.View().Begin(fsm.Ordinary)
	writeTo(&txn, f.View(), "note", "kept")
	apply(txn)
	apply(f.View().Begin(fsm.Checkpoint))
	txn = f.View().Begin(fsm.Ordinary)
	writeTo(&txn, f.View(), "note", "changed")
	apply(txn)
	return f, key
}

// twin is another FSM in the same state.
func twin(t *testing.T, f *fsm.FSM) *fsm.FSM {
	t.Helper()
	var file bytes.Buffer
	if err := f.View().WriteSnapshot(&file); err != nil {
		t.Fatal(err)
	}
	g, err := fsm.ReadSnapshot(&file)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func writeTo(txn *fsm.Txn, view fsm.View, path, value string) {
	c, logical := fsm.Condition{Kind: fsm.Absent, Path: path}, view.Index()
	if r, ok := view.Get(path); ok {
		c, logical = fsm.Condition{Kind: fsm.Unchanged, Path: path, Index: r.Mod}, r.Mod
	}
	txn.Conditions = append(txn.Conditions, c)
	txn.Writes = append(txn.Writes, fsm.Write{Path: path, Logical: logical, Value: []byte(value)})
}

// recovery is the transaction that makes member 9 all there is, after change has had it.
func recovery(t *testing.T, view fsm.View, key *testkey.Key, change func(*fsm.Txn)) []byte {
	t.Helper()
	line, err := key.Extend(view.Line(), testkey.New(2, 0)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	members, err := fsm.Members{{ID: nodeID(9), Address: "new:1", Voter: true}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	txn := view.Begin(fsm.Recover)
	writeTo(&txn, view, fsm.PathKeyring, "wrapped anew")
	writeTo(&txn, view, fsm.PathKeys, string(line))
	writeTo(&txn, view, fsm.PathMembers, string(members))
	for _, m := range view.Members() {
		writeTo(&txn, view, fsm.RemovedDir+m.ID, "\x01")
	}
	if change != nil {
		change(&txn)
	}
	signed, err := txn.Sign(key)
	if err != nil {
		signed = fsm.Unchecked(txn, key)
	}
	return signed
}

func checkpoint(view fsm.View) ([]byte, error) {
	return view.Begin(fsm.Checkpoint).Sign(testkey.New(2, 0))
}

// A cluster of one goes on from where the other was, in the next generation, under a new key, and
// whoever has nothing but its snapshot sees that it was recovered rightly.
func TestRecovery(t *testing.T) {
	f, key := lost(t)
	before := f.View()
	if err := f.Recover(recovery(t, before, key, nil), checkpoint); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := f.View().WriteSnapshot(&file); err != nil {
		t.Fatal(err)
	}
	g, err := fsm.ReadSnapshot(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	view := g.View()
	if view.Generation() != before.Generation()+1 || view.Index() != before.Index()+3 ||
		view.Line().Newest().Term != 2 || view.Digest() != f.View().Digest() {
		t.Errorf("generation %d, index %d, key of term %d", view.Generation(), view.Index(),
			view.Line().Newest().Term)
	}
	if m := view.Members(); len(m) != 1 || m[0].ID != nodeID(9) {
		t.Errorf("the members are %v", m)
	}
	for n := 1; n <= 3; n++ {
		if _, ok := view.Get(fsm.RemovedDir + nodeID(n)); !ok {
			t.Errorf("member %d may come back", n)
		}
	}
	if r, _ := view.Get("note"); string(r.Value) != "changed" {
		t.Errorf("the record is %q", r.Value)
	}
	joins := fsm.New(fsm.Options{Anchor: view.Line()})
	if _, err := joins.Vet(bytes.NewReader(file.Bytes())); err != nil {
		t.Errorf("a member that joins does not take it: %v", err)
	}
	late := before.Begin(fsm.Ordinary)
	writeTo(&late, before, "late", "1")
	signed, err := late.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	o := g.Apply(&raft.Log{Index: view.Index() + 1, Type: raft.LogCommand, Data: signed}).(fsm.Outcome)
	if o.Kind == fsm.Applied {
		t.Error("a transaction of the generation before is applied")
	}
}

// No log holds a recovery, whoever signed it, and no member of before takes a snapshot with one:
// the others may go on without whoever recovers.
func TestRecoveryIsNothingForALiveCluster(t *testing.T) {
	f, key := lost(t)
	signed := recovery(t, f.View(), key, nil)
	live, other := twin(t, f), twin(t, f)
	live.Apply(&raft.Log{Index: live.View().Index() + 1, Type: raft.LogCommand, Data: signed})
	if refused, _ := live.View().Refused(); refused != 1 || live.View().Generation() != 0 ||
		len(live.View().Members()) != 3 {
		t.Errorf("a log recovers %v in generation %d", live.View().Members(), live.View().Generation())
	}
	if err := f.Recover(signed, checkpoint); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := f.View().WriteSnapshot(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Vet(bytes.NewReader(file.Bytes())); err == nil ||
		!strings.Contains(err.Error(), "restore generation 1") {
		t.Errorf("a member of before takes the new cluster's snapshot: %v", err)
	}
}

func TestRecoveriesThatBreakARule(t *testing.T) {
	write := func(txn *fsm.Txn, path string) *fsm.Write {
		for i := range txn.Writes {
			if txn.Writes[i].Path == path {
				return &txn.Writes[i]
			}
		}
		return nil
	}
	drop := func(txn *fsm.Txn, path string) {
		for i, w := range txn.Writes {
			if w.Path == path {
				txn.Writes = append(txn.Writes[:i:i], txn.Writes[i+1:]...)
				txn.Conditions = append(txn.Conditions[:i:i], txn.Conditions[i+1:]...)
				return
			}
		}
	}
	set := func(txn *fsm.Txn, members fsm.Members) {
		b, err := members.Encode()
		if err != nil {
			t.Fatal(err)
		}
		write(txn, fsm.PathMembers).Value = b
	}
	for name, change := range map[string]func(*fsm.Txn){
		"a member of before is not removed": func(txn *fsm.Txn) { drop(txn, fsm.RemovedDir+nodeID(2)) },
		"nobody is removed": func(txn *fsm.Txn) {
			for n := 1; n <= 3; n++ {
				drop(txn, fsm.RemovedDir+nodeID(n))
			}
		},
		"a member of before stays": func(txn *fsm.Txn) {
			set(txn, fsm.Members{{ID: nodeID(1), Address: "host1:1", Voter: true}})
		},
		"two members": func(txn *fsm.Txn) {
			set(txn, fsm.Members{{ID: nodeID(8), Address: "a:1", Voter: true},
				{ID: nodeID(9), Address: "b:1", Voter: true}})
		},
		"the keys stay":     func(txn *fsm.Txn) { drop(txn, fsm.PathKeys) },
		"the keyring stays": func(txn *fsm.Txn) { drop(txn, fsm.PathKeyring) },
		"a record is changed": func(txn *fsm.Txn) {
			writeTo(txn, fsm.New(fsm.Options{}).View(), "x", "1")
			txn.Writes[len(txn.Writes)-1].Logical = txn.Base
		},
		"a stranger is removed in the place of a member": func(txn *fsm.Txn) {
			drop(txn, fsm.RemovedDir+nodeID(2))
			writeTo(txn, fsm.New(fsm.Options{}).View(), fsm.RemovedDir+nodeID(7), "\x01")
			last := len(txn.Writes) - 1
			txn.Writes[last].Logical = txn.Base
		},
		"another generation":     func(txn *fsm.Txn) { txn.Generation = 1 },
		"another state was seen": func(txn *fsm.Txn) { txn.Digest[0] ^= 1 },
		"the seal changes":       func(txn *fsm.Txn) { write(txn, fsm.PathKeyring).Path = fsm.PathSeal },
		"another verb":           func(txn *fsm.Txn) { txn.Verb = fsm.Change },
	} {
		f, key := lost(t)
		if err := f.Recover(recovery(t, f.View(), key, change), checkpoint); err == nil {
			t.Errorf("%s: it is applied", name)
		}
	}
	f, key := lost(t)
	if err := f.Recover(recovery(t, f.View(), key, nil), func(view fsm.View) ([]byte, error) {
		return view.Begin(fsm.Checkpoint).Sign(key)
	}); err == nil {
		t.Error("the key of before makes the checkpoint")
	}
	f, _ = lost(t)
	if err := f.Recover(recovery(t, f.View(), testkey.New(1, 1), nil), checkpoint); err == nil {
		t.Error("a stranger's key recovers")
	}
}
