package fsm_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/testkey"
)

// vet is what a member makes of a snapshot that somebody sent to it.
func vet(f *fsm.FSM, snapshot []byte) error {
	_, err := f.Vet(bytes.NewReader(snapshot))
	return err
}

// The vouched state and the entries behind it are the state, and only the entries behind it are
// kept.
func TestSnapshotOfAVouchedState(t *testing.T) {
	r := newRealm(t)
	for i := range 20 {
		r.set("a", string(rune('a'+i)))
		switch i {
		case 3, 7, 12:
			r.checkpoint()
		case 5:
			r.must(r.add([]byte("noise")), fsm.Refused)
		case 15:
			r.rotate()
		case 17:
			r.must(r.add(r.sign(r.fsm.View().Begin(fsm.Checkpoint))), fsm.Applied)
		}
		snapshot := persisted(t, r.fsm)
		restarted := r.member(r.line)
		requireError(t, restore(restarted, snapshot), "")
		requireRecomputed(t, restarted.View())
		before, after := r.fsm.View().Backing(), restarted.View().Backing()
		good := before.Assured > 0
		if err := vet(r.member(r.line), snapshot); (err == nil) != good {
			t.Fatalf("after %d: assured is %t, and to a new member that is %v", i, good, err)
		}
		if after.Assured > r.fsm.View().Index() || (after.Assured > 0) != good {
			t.Fatalf("after %d: assured at %d, restored at %d", i, before.Assured, after.Assured)
		}
		after.Assured = before.Assured // shown by a later entry now, where the first was left out
		if restarted.View().Digest() != r.fsm.View().Digest() || after != before {
			t.Fatalf("after %d: %+v, restored %+v", i, before, after)
		}
		if again := persisted(t, restarted); !bytes.Equal(again, snapshot) {
			t.Fatalf("after %d: restored and written again it is another snapshot", i)
		}
	}
	backing := r.fsm.View().Backing()
	if backing.Vouched == 0 || backing.Candidate != 0 || backing.Tail > 2000 {
		t.Fatalf("%+v", backing) // the last checkpoint was vouched for by the set after it
	}
	if len(r.doubts) > 0 {
		t.Fatalf("doubts at %v", r.doubts)
	}
}

// Nothing gets into a state that nobody vouched for, whoever sends it.
func TestSnapshotsOfLiars(t *testing.T) {
	r := newRealm(t)
	r.set("grant", "old")
	older := persisted(t, r.fsm)
	r.checkpoint()
	r.set("grant", "none")
	r.checkpoint()
	r.set("b", "1")
	good := persisted(t, r.fsm)
	follower := r.member(r.line)
	follower.ApplyBatch(r.log[:len(r.log)-1])
	requireError(t, vet(follower, good), "")
	requireError(t, vet(r.member(r.line), good), "")

	requireError(t, vet(follower, older), "it is of index")
	forged := bytes.Replace(bytes.Clone(good), []byte("none"), []byte("full"), 1)
	requireError(t, vet(follower, resealed(forged)), "no unsealed member vouched")
	stranger := realm{t: t, key: testkey.New(1, 2), line: testkey.New(1, 2).Line()}
	stranger.fsm = stranger.member(nil)
	stranger.add(founding(t, stranger.key, fsm.Members{node(firstNode, true)}))
	stranger.configure(server(firstNode, raft.Voter))
	for range 20 {
		stranger.checkpoint()
	}
	requireError(t, vet(follower, persisted(t, stranger.fsm)), "another cluster's")
	requireError(t, restore(r.member(r.line), persisted(t, stranger.fsm)), "another cluster's")
}

// What a member has applied it does not forget by a snapshot that leaves it out, however far that
// goes on.
func TestSnapshotsThatLeaveOut(t *testing.T) {
	r := newRealm(t)
	r.set("grant", "old")
	r.checkpoint()
	before := len(r.log)
	r.set("grant", "none")
	behind := r.member(r.line)
	behind.ApplyBatch(r.log[:before])
	for name, instead := range map[string]*raft.Log{
		"noise":                  {Type: raft.LogCommand, Data: []byte("noise")},
		"what was applied once":  r.log[before-1],
		"the same configuration": r.log[1],
	} {
		f := r.member(r.line)
		f.ApplyBatch(r.log[:before])
		for range 20 {
			f.Apply(&raft.Log{Index: f.View().Index() + 1, Type: instead.Type, Data: instead.Data})
		}
		snapshot := persisted(t, f)
		t.Log(name)
		requireError(t, vet(r.fsm, snapshot), "another state")
		requireError(t, vet(behind, snapshot), "") // nobody can tell yet
	}
	snapshot := persisted(t, r.fsm)
	for n := range len(r.log) + 1 {
		f := r.member(r.line)
		f.ApplyBatch(r.log[:n])
		requireError(t, vet(f, snapshot), "")
	}
}

// What was decided on the other side of a fork is no state for a member that has applied what is
// missing there, though a signer vouched for it, and however far it has gone on.
func TestSnapshotsOfAFork(t *testing.T) {
	r := newRealm(t)
	r.set("grant", "old")
	before := len(r.log)
	r.set("grant", "none")
	fork := &realm{t: t, key: r.key, line: r.line, fsm: r.member(r.line)}
	fork.fsm.ApplyBatch(r.log[:before])
	for range 5 {
		fork.set("b", "1")
		fork.checkpoint()
	}
	if fork.fsm.View().Backing().Vouched <= r.fsm.View().Index() {
		t.Fatal("nothing is vouched for beyond the member: the test shows nothing")
	}
	requireError(t, vet(r.fsm, persisted(t, fork.fsm)), "another state than this member's")
	restarted := r.member(r.line)
	requireError(t, restore(restarted, persisted(t, r.fsm)), "")
	requireError(t, vet(restarted, persisted(t, fork.fsm)), "another state than this member's")
	late := &raft.Log{Index: r.fsm.View().Index() + 1, Type: raft.LogCommand,
		Data: fork.sign(put(fork.fsm.View(), fsm.Ordinary, "c", nil))}
	r.requireUnchanged("a decision of the fork's", func() { r.fsm.Apply(late) })
}

// resealed mends the digests and the checksum of a snapshot with entries behind its state. The
// digest at the end is that of the state after them, so nothing but the signature is left to tell.
func resealed(snapshot []byte) []byte {
	for range 2 {
		digest, only := fsm.ComputedDigest(fsm.New(fsm.Options{
			OnFatal: func(error) {}}).Restore(io.NopCloser(bytes.NewReader(snapshot))))
		if !only {
			break
		}
		old := fsm.StoredDigest(fsm.New(fsm.Options{}).Restore(io.NopCloser(bytes.NewReader(snapshot))))
		snapshot = bytes.Replace(snapshot, old[:], digest[:], 1)
	}
	return checksummed(snapshot)
}

// Who stole a key that has a successor by now can make no state of it that a member takes.
func TestSnapshotsUnderARetiredKey(t *testing.T) {
	r := newRealm(t)
	r.set("a", "1")
	stolen, before := r.key, len(r.log)
	r.rotate()
	r.must(r.add(r.sign(r.fsm.View().Begin(fsm.Ordinary))), fsm.Applied)
	requireError(t, vet(r.member(r.line), persisted(t, r.fsm)), "")

	for _, c := range []struct {
		name   string
		forged func() []byte
	}{
		{"forged before, and nothing of the successor's",
			func() []byte { return forge(r, stolen, before, false) }},
		{"forged before, and the rotation after it",
			func() []byte { return forge(r, stolen, before, true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			snapshot := c.forged()
			for _, member := range []*fsm.FSM{r.member(r.line), r.fsm} {
				if err := vet(member, snapshot); err == nil {
					t.Fatal("taken")
				}
			}
		})
	}
}

// forge is the log up to before, a write of the thief's in the place of what comes after, and then
// the true rotation or nothing, vouched for by the stolen key as often as it takes to be newer than
// the truth.
func forge(r *realm, stolen *testkey.Key, before int, rotated bool) []byte {
	f := r.member(nil)
	f.ApplyBatch(r.log[:before])
	add := func(data []byte) {
		f.Apply(&raft.Log{Index: f.View().Index() + 1, Type: raft.LogCommand, Data: data})
	}
	signed := func(x fsm.Txn) []byte {
		b, err := x.Sign(stolen)
		requireError(r.t, err, "")
		return b
	}
	add(signed(put(f.View(), fsm.Ordinary, "forged", []byte{1})))
	for range 5 {
		add(signed(f.View().Begin(fsm.Checkpoint)))
		add(signed(f.View().Begin(fsm.Ordinary)))
	}
	if rotated {
		for _, l := range r.log[before:] {
			add(l.Data)
		}
		if len(f.View().Line()) != 2 {
			r.t.Fatal("the rotation was not taken")
		}
	}
	return persisted(r.t, f)
}
