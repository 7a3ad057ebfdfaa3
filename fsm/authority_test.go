package fsm_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/testkey"
)

// A realm is a cluster as its log has it: founded, with one member, each entry signed by the newest
// key.
type realm struct {
	t    *testing.T
	fsm  *fsm.FSM
	log  []*raft.Log
	key  *testkey.Key
	line fsm.Line

	refused []string
	doubts  []uint64
}

const (
	firstNode  = "00000000000000000000000000000001"
	secondNode = "00000000000000000000000000000002"
	thirdNode  = "00000000000000000000000000000003"
)

func newRealm(t *testing.T) *realm {
	k := testkey.New(1, 1)
	r := &realm{t: t, key: k, line: k.Line()}
	r.fsm = r.member(r.line)
	r.must(r.add(founding(t, k, fsm.Members{node(firstNode, true)})), fsm.Applied)
	r.configure(server(firstNode, raft.Voter))
	return r
}

// member is another member's state machine, with nothing in it yet.
func (r *realm) member(anchor fsm.Line) *fsm.FSM {
	return fsm.New(fsm.Options{
		Anchor:  anchor,
		OnFatal: func(err error) { r.t.Errorf("fatal: %v", err) },
		OnRefused: func(l *raft.Log,
			why error) {
			r.refused = append(r.refused, fmt.Sprint(l.Index, ": ", why))
		},
		OnDoubt: func(index uint64) { r.doubts = append(r.doubts, index) },
	})
}

func node(id string, voter bool) fsm.Member {
	return fsm.Member{ID: id, Address: "host" + id[31:] + ":8201", Voter: voter,
		Keys: [][]byte{make([]byte, 32)}}
}

func server(id string, s raft.ServerSuffrage) raft.Server {
	return raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress("host" + id[31:] + ":8201"),
		Suffrage: s}
}

// founding is the first transaction of a cluster.
func founding(t *testing.T, k *testkey.Key, members fsm.Members) []byte {
	b, err := k.Found(members)
	requireError(t, err, "")
	return b
}

func (r *realm) add(data []byte) any {
	l := &raft.Log{Index: r.fsm.View().Index() + 1, Type: raft.LogCommand, Data: data}
	r.log = append(r.log, l)
	return r.fsm.Apply(l)
}

func (r *realm) configure(servers ...raft.Server) {
	l := configuration(r.fsm.View().Index()+1, servers...)
	r.log = append(r.log, l)
	r.fsm.Apply(l)
}

func (r *realm) must(result any, want fsm.OutcomeKind) fsm.Outcome {
	r.t.Helper()
	o, ok := result.(fsm.Outcome)
	if !ok || o.Kind != want {
		r.t.Fatalf("got %+v, want kind %d; refused: %q", result, want, r.refused)
	}
	return o
}

// put is a transaction that writes to a path, whatever is there.
func put(v fsm.View, verb fsm.Verb, path string, value []byte) fsm.Txn {
	x := v.Begin(verb)
	return with(x, v, path, value)
}

func with(x fsm.Txn, v fsm.View, path string, value []byte) fsm.Txn {
	c, logical := fsm.Condition{Kind: fsm.Absent, Path: path}, v.Index()
	if old, ok := v.Get(path); ok {
		c.Kind, c.Index, logical = fsm.Unchanged, old.Mod, old.Mod
	}
	x.Conditions = append(x.Conditions, c)
	x.Writes = append(x.Writes, fsm.Write{Path: path, Logical: logical, Value: value})
	return x
}

func (r *realm) sign(x fsm.Txn) []byte {
	r.t.Helper()
	b, err := x.Sign(r.key)
	requireError(r.t, err, "")
	return b
}

func (r *realm) set(path, value string) fsm.Outcome {
	r.t.Helper()
	return r.must(r.add(r.sign(put(r.fsm.View(), fsm.Ordinary, path, []byte(value)))), fsm.Applied)
}

// rotate gives the transaction key a successor.
func (r *realm) rotate() {
	r.t.Helper()
	next := testkey.New(r.key.Term+1, 1)
	line := r.key.Extend(r.line, next)
	r.must(r.add(r.sign(r.rotation(line))), fsm.Applied)
	r.key, r.line = next, line
}

func (r *realm) rotation(line fsm.Line) fsm.Txn {
	b, err := line.Encode()
	requireError(r.t, err, "")
	v := r.fsm.View()
	return with(put(v, fsm.Rotate, fsm.PathKeyring, []byte("wrapped anew")), v, fsm.PathKeys, b)
}

func (r *realm) change(members fsm.Members) fsm.Txn {
	b, err := members.Encode()
	requireError(r.t, err, "")
	return put(r.fsm.View(), fsm.Change, fsm.PathMembers, b)
}

// checkpoint has the state as it is vouched for.
func (r *realm) checkpoint() {
	r.t.Helper()
	r.must(r.add(r.sign(r.fsm.View().Begin(fsm.Checkpoint))), fsm.Applied)
	r.must(r.add(r.sign(r.fsm.View().Begin(fsm.Ordinary))), fsm.Applied)
}

func (r *realm) requireUnchanged(what string, act func()) {
	r.t.Helper()
	before := fmt.Sprint(records(r.fsm.View()))
	act()
	if now := fmt.Sprint(records(r.fsm.View())); now != before {
		r.t.Errorf("%s changed the state from %s to %s", what, before, now)
	}
}

func records(v fsm.View) (all []string) {
	for path, record := range v.Scan("", "") {
		all = append(all, fmt.Sprintf("%s=%x@%d/%d", path, record.Value, record.Mod, record.Logical))
	}
	c, _ := v.Configuration()
	return append(all, fmt.Sprint(c.Servers, v.Members(), len(v.Line())))
}

// Whatever is in the log, only what a member signed changes anything, and the rest is counted, the
// same on every node.
func TestOnlySignedEntriesChangeAnything(t *testing.T) {
	r := newRealm(t)
	r.set("a", "1")
	x := put(r.fsm.View(), fsm.Ordinary, "a", []byte("2"))
	good := r.sign(x)
	stranger, err := x.Sign(testkey.New(1, 2))
	requireError(t, err, "")
	another, err := x.Sign(testkey.New(7, 1))
	requireError(t, err, "")
	altered := bytes.Replace(bytes.Clone(good), []byte{'2'}, []byte{'3'}, 1)
	unsigned := append(make([]byte, 68), good[68:]...)
	for name, entry := range map[string][]byte{
		"nothing": {}, "a byte": {1}, "noise": bytes.Repeat([]byte{7}, 200), "no signature": unsigned,
		"a stranger's": stranger, "a term that is not there": another, "an altered one": altered,
		"one cut short":                    good[:len(good)-1],
		"a newer release's, by a stranger": fsm.Envelope([]byte{2, 0x80}, testkey.New(1, 2)),
		"a founding":                       founding(t, r.key, fsm.Members{node(secondNode, true)}),
		"a stranger's founding": founding(t, testkey.New(1, 2),
			fsm.Members{node(secondNode, true)}),
		"signed, and no transaction at all": fsm.Envelope([]byte{1, 0x80}, r.key),
	} {
		r.requireUnchanged(name, func() {
			if err := r.fsm.Check(entry); err == nil {
				t.Errorf("%s passes the leader", name)
			}
			r.must(r.add(entry), fsm.Refused)
		})
	}
	entries, newest := r.fsm.View().Refused()
	if entries != 12 || newest != r.fsm.View().Index() || len(r.refused) != 12 {
		t.Fatalf("%d entries refused, the last at %d of %d; told of %d", entries, newest,
			r.fsm.View().Index(), len(r.refused))
	}
	r.must(r.add(good), fsm.Applied)
	again := r.member(r.line)
	again.ApplyBatch(r.log) // in one batch, and founded in it
	requireSame(t, r.fsm, again)
	if len(r.doubts) != 4 { // two name a key that this state may not have heard of yet; two state machines applied them
		t.Fatalf("doubts at %v", r.doubts)
	}
}

// A joiner's history goes through where the member that let it in was, or it is not that cluster's.
func TestPlace(t *testing.T) {
	r := newRealm(t)
	r.set("grant", "old")
	before := len(r.log)
	r.set("grant", "none")
	place := fsm.Place{Index: r.fsm.View().Index(), Digest: r.fsm.View().Digest()}
	r.set("b", "1")
	for name, log := range map[string][]*raft.Log{
		"the truth":    r.log,
		"one left out": append(slices.Clone(r.log[:before]), r.log[before+1:]...),
	} {
		var fatal []error
		joiner := fsm.New(fsm.Options{Anchor: r.line, Place: place,
			OnFatal: func(err error) { fatal = append(fatal, err) }})
		joiner.ApplyBatch(log)
		if want := name != "the truth"; want != (len(fatal) == 1) {
			t.Errorf("%s: %v", name, fatal)
		}
		sent := r.member(r.line)
		sent.ApplyBatch(log)
		fresh := fsm.New(fsm.Options{Anchor: r.line, Place: place})
		if err := vet(fresh, persisted(t, sent)); (err == nil) != (name == "the truth") {
			t.Errorf("%s, as a snapshot: %v", name, err)
		}
	}
}

// A member knows its cluster: no log of another one founds it, nor does one by a key that another
// comes after.
func TestAnchor(t *testing.T) {
	r := newRealm(t)
	r.set("a", "1")
	r.rotate()
	r.set("b", "2")
	joiner := r.member(r.line)
	joiner.ApplyBatch(r.log)
	requireSame(t, r.fsm, joiner)

	other := testkey.New(1, 2)
	forged := r.member(r.line)
	forged.Apply(&raft.Log{Index: 1, Type: raft.LogCommand,
		Data: founding(t, other, fsm.Members{node(firstNode, true)})})
	if len(forged.View().Line()) != 0 {
		t.Fatalf("a stranger founded the cluster of a member that knows better")
	}
	nobody := r.member(nil)
	nobody.ApplyBatch(r.log)
	requireSame(t, r.fsm, nobody)
}

// A key that has a successor signs nothing any more, and nobody but it endorses the successor.
func TestRotation(t *testing.T) {
	r := newRealm(t)
	r.set("a", "1")
	late := put(r.fsm.View(), fsm.Ordinary, "b", []byte("late"))
	signedBefore := r.sign(late)
	old, oldLine := r.key, r.line
	r.rotate()
	r.must(r.add(signedBefore), fsm.Retired)
	r.must(r.add(r.sign(late)), fsm.Applied) // the same one, signed again
	for name, line := range map[string]fsm.Line{
		"a line that forgets": oldLine,
		"the same line":       r.line,
		"two keys at once": testkey.New(3, 1).Extend(r.key.Extend(r.line, testkey.New(3, 1)),
			testkey.New(4, 1)),
		"another second key":    old.Extend(oldLine, testkey.New(2, 9)),
		"endorsed by the first": old.Extend(r.line, testkey.New(3, 1)),
	} {
		r.requireUnchanged(name, func() { r.must(r.add(r.sign(r.rotation(line))), fsm.Refused) })
	}
	r.set("c", "3")
}

func TestReservedPaths(t *testing.T) {
	r := newRealm(t)
	mark := fsm.RemovedDir + secondNode
	for _, path := range []string{fsm.PathKeys, fsm.PathMembers, fsm.PathSeal, fsm.PathKeyring, mark} {
		for _, verb := range []fsm.Verb{
			fsm.Ordinary, fsm.Rotate, fsm.Change, fsm.Checkpoint, fsm.Reseal,
		} {
			x := put(r.fsm.View(), verb, path, []byte{1})
			r.requireUnchanged(fmt.Sprint("verb ", verb, " at ", path), func() {
				if _, err := x.Sign(r.key); err == nil && path != fsm.PathMembers {
					t.Errorf("verb %d writes %s", verb, path)
				}
				r.must(r.add(fsm.Unchecked(x, r.key)), fsm.Refused)
			})
		}
		if old, ok := r.fsm.View().Get(path); ok {
			for _, verb := range []fsm.Verb{fsm.Ordinary, fsm.Rotate, fsm.Change, fsm.Reseal} {
				x := r.fsm.View().Begin(verb)
				x.Conditions = []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: old.Mod}}
				x.Writes = []fsm.Write{{Path: path, Delete: true}}
				r.must(r.add(fsm.Unchecked(x, r.key)), fsm.Refused)
			}
		}
	}
	if r.fsm.View().Erased() != 0 {
		t.Fatalf("something was erased at %d", r.fsm.View().Erased())
	}
}

// The shares change together with what their root key wraps, or not at all, and of two changes that
// were decided on the same shares the second finds them changed.
func TestReseal(t *testing.T) {
	r := newRealm(t)
	reseal := func(value string) fsm.Txn {
		v := r.fsm.View()
		x := put(v, fsm.Reseal, fsm.PathSeal, []byte("record "+value))
		return with(x, v, fsm.PathKeyring, []byte("wrapped "+value))
	}
	first, second := reseal("a"), reseal("b")
	o := r.must(r.add(r.sign(first)), fsm.Applied)
	if lost := r.must(r.add(r.sign(second)), fsm.Conflict); lost.Path != fsm.PathSeal {
		t.Errorf("the second was refused for %q", lost.Path)
	}
	if erased := r.fsm.View().Erased(); erased != o.Index {
		t.Errorf("erased at %d, so folders keep what the old shares open", erased)
	}
	for _, path := range []string{fsm.PathSeal, fsm.PathKeyring} {
		record, _ := r.fsm.View().Get(path)
		if !bytes.HasSuffix(record.Value, []byte(" a")) || record.Mod != o.Index {
			t.Errorf("%s is %q of %d", path, record.Value, record.Mod)
		}
	}
	more := with(reseal("c"), r.fsm.View(), "a", []byte("1"))
	half := reseal("d")
	half.Conditions, half.Writes = half.Conditions[:1], half.Writes[:1]
	for name, x := range map[string]fsm.Txn{"something else": more, "no keyring": half} {
		r.requireUnchanged(name, func() {
			if _, err := x.Sign(r.key); err == nil {
				t.Errorf("%s is signed", name)
			}
			r.must(r.add(fsm.Unchecked(x, r.key)), fsm.Refused)
		})
	}
	r.rotate() // the line of keys goes on from where it was
	again := r.member(r.line)
	again.ApplyBatch(r.log)
	requireSame(t, r.fsm, again)
}

// One member at a time, a new change when Raft has followed the last, and nobody comes back.
func TestMembersChange(t *testing.T) {
	r := newRealm(t)
	first, second := node(firstNode, true), node(secondNode, false)
	moved := first
	moved.Address = second.Address
	refuse := func(name string, members fsm.Members) {
		t.Helper()
		r.requireUnchanged(name, func() { r.must(r.add(r.sign(r.change(members))), fsm.Refused) })
	}
	refuse("nothing", fsm.Members{first})
	refuse("a voter at once", fsm.Members{first, node(secondNode, true)})
	refuse("two at once", fsm.Members{first, second, node(thirdNode, false)})
	r.must(r.add(r.sign(r.change(fsm.Members{first, second}))), fsm.Applied)
	r.must(r.add(r.sign(r.change(fsm.Members{first, node(secondNode, true)}))), fsm.Conflict)
	r.requireUnchanged("a configuration of others",
		func() { r.configure(server(firstNode, raft.Voter), server(thirdNode, raft.Nonvoter)) })
	r.requireUnchanged("a configuration with a vote that nobody gave", func() {
		r.configure(server(firstNode, raft.Voter), server(secondNode, raft.Voter))
	})
	r.configure(server(secondNode, raft.Nonvoter), server(firstNode, raft.Voter))
	if c, _ := r.fsm.View().Configuration(); len(c.Servers) != 2 {
		t.Fatalf("the configuration is %v", c)
	}
	second.Voter = true
	r.must(r.add(r.sign(r.change(fsm.Members{first, second}))), fsm.Applied)
	r.configure(server(firstNode, raft.Voter), server(secondNode, raft.Voter))
	unvoiced := second
	unvoiced.Voter = false
	r.must(r.add(r.sign(r.change(fsm.Members{first, unvoiced}))), fsm.Applied)
	r.requireUnchanged("a vote that was taken away", func() {
		r.configure(server(firstNode, raft.Voter), server(thirdNode, raft.Voter))
	})
	r.configure(server(firstNode, raft.Voter), server(secondNode, raft.Nonvoter))
	first.Voter = false
	refuse("the last vote taken away", fsm.Members{first, unvoiced})
	first.Voter = true
	r.must(r.add(r.sign(r.change(fsm.Members{first, second}))), fsm.Applied)
	r.configure(server(firstNode, raft.Voter), server(secondNode, raft.Voter))
	refuse("an address of another's", fsm.Members{moved, second})
	refuse("removed without a mark", fsm.Members{first})
	removal := func(mark string) []byte {
		return r.sign(with(r.change(fsm.Members{first}), r.fsm.View(), fsm.RemovedDir+mark, []byte{1}))
	}
	r.must(r.add(removal(firstNode)), fsm.Refused)
	r.must(r.add(removal(secondNode)), fsm.Applied)
	r.configure(server(firstNode, raft.Voter))
	second.Voter = false
	refuse("back from the dead", fsm.Members{first, second})
	refuse("nobody left", fsm.Members{})
}

// What stood at a path never opens there again: whoever puts something there has seen the deletion.
func TestGraves(t *testing.T) {
	r := newRealm(t)
	v := r.fsm.View()
	r.set("a", "old")
	old, _ := r.fsm.View().Get("a")
	x := r.fsm.View().Begin(fsm.Ordinary)
	x.Conditions = []fsm.Condition{{Kind: fsm.Unchanged, Path: "a", Index: old.Mod}}
	x.Writes = []fsm.Write{{Path: "a", Delete: true}}
	deleted := r.must(r.add(r.sign(x)), fsm.Applied)

	again := put(v, fsm.Ordinary, "a", old.Value)
	if again.Writes[0].Logical != old.Logical {
		t.Fatalf("the old one was sealed for %d", old.Logical)
	}
	o := r.must(r.add(r.sign(again)), fsm.Conflict)
	if o.Path != "a" || o.At != deleted.Index {
		t.Fatalf("got %+v, deleted at %d", o, deleted.Index)
	}
	r.checkpoint()
	restarted := r.member(r.line)
	requireError(t, restore(restarted, persisted(t, r.fsm)), "")
	requireSame(t, r.fsm, restarted)
	again.ID = fsm.NewID()
	r.fsm = restarted
	r.must(r.add(r.sign(again)), fsm.Conflict)
	r.set("a", "new")
	if a, _ := r.fsm.View().Get("a"); a.Logical <= old.Mod {
		t.Fatalf("sealed for %d, and the old one was changed last at %d", a.Logical, old.Mod)
	}
}

// A signer that has seen another state than this one's past raises doubt: one of the two lacks
// something.
func TestDoubt(t *testing.T) {
	r := newRealm(t)
	r.set("a", "1")
	lacking := r.member(r.line)
	lacking.ApplyBatch(r.log)
	r.set("b", "2")
	r.set("c", "3")
	lacking.Apply(r.log[len(r.log)-1])
	if want := []uint64{r.fsm.View().Index()}; fmt.Sprint(r.doubts) != fmt.Sprint(want) {
		t.Fatalf("doubts at %v, want %v", r.doubts, want)
	}
	r.doubts = nil
	x := put(r.fsm.View(), fsm.Ordinary, "d", []byte("4"))
	x.Digest[0] ^= 1
	r.requireUnchanged("a decision on another state", func() { r.must(r.add(r.sign(x)), fsm.Foreign) })
	if len(r.doubts) != 1 {
		t.Fatalf("doubts at %v", r.doubts)
	}
}

// FuzzClear: what decodes as a line of keys or a list of members encodes back to the same bytes.
func FuzzClear(f *testing.F) {
	k := testkey.New(1, 1)
	line, err := k.Extend(k.Line(), testkey.New(2, 1)).Encode()
	if err != nil {
		f.Fatal(err)
	}
	members, err := fsm.Members{node(firstNode, true), node(secondNode, false)}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(members)
	f.Add([]byte{1, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := fsm.DecodeLine(b); err == nil {
			if again, err := l.Encode(); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%x decodes as a line, but encodes to %x, %v", b, again, err)
			}
		}
		if m, err := fsm.DecodeMembers(b); err == nil {
			if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%x decodes as members, but encodes to %x, %v", b, again, err)
			}
			m.Matches(m.Configuration())
		}
	})
}
