package node

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/testkey"
	"keyquorum/seal"
)

// history is what the folders of members are left with: a state to which entries are added.
type history struct {
	t     *testing.T
	key   *testkey.Key
	f     *fsm.FSM
	index uint64
}

func begun(t *testing.T, voters int) *history {
	t.Helper()
	h := &history{t: t, key: testkey.New(1, 0), f: fsm.New(fsm.Options{})}
	var members fsm.Members
	for n := 1; n <= voters; n++ {
		members = members.With(memberNumber(n))
	}
	founding, err := h.key.Found(members)
	if err != nil {
		t.Fatal(err)
	}
	h.add(raft.LogCommand, founding)
	h.configure()
	return h
}

func memberNumber(n int) fsm.Member {
	return fsm.Member{ID: fmt.Sprintf("%032x", n), Address: fmt.Sprintf("host%d:1", n), Voter: true}
}

func (h *history) add(kind raft.LogType, data []byte) {
	h.index++
	h.f.Apply(&raft.Log{Index: h.index, Type: kind, Data: data})
}

func (h *history) configure() {
	h.add(raft.LogConfiguration, raft.EncodeConfiguration(h.f.View().Members().Configuration()))
}

func (h *history) commit(txn fsm.Txn) {
	h.t.Helper()
	signed, err := txn.Sign(h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.add(raft.LogCommand, signed)
}

// change makes the members others; Raft's configuration does not follow yet.
func (h *history) change(members fsm.Members) {
	h.t.Helper()
	b, err := members.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	view := h.f.View()
	r, _ := view.Get(fsm.PathMembers)
	txn := view.Begin(fsm.Change)
	txn.Conditions = []fsm.Condition{{Kind: fsm.Unchanged, Path: fsm.PathMembers, Index: r.Mod}}
	txn.Writes = []fsm.Write{{Path: fsm.PathMembers, Logical: r.Mod, Value: b}}
	h.commit(txn)
}

// folder is that of member n, which knows the log to be committed up to an index.
func (h *history) folder(n int, term, committed uint64) *Remnant {
	r := &Remnant{
		LockedState: LockedState{Cluster: "one", fsm: h.f}, Path: fmt.Sprint("folder", n),
		NodeID: memberNumber(n).ID, Index: h.index, Term: term, committed: committed,
	}
	for _, m := range h.f.View().Members() {
		if m.Voter {
			r.Voters = append(r.Voters, m.ID)
		}
	}
	return r
}

func judged(t *testing.T, all ...*Remnant) Judgement {
	t.Helper()
	j, err := Judge(all)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// While the voters are changed nobody is told that nothing is missing.
func TestVotersThatAreBeingChanged(t *testing.T) {
	h := begun(t, 3)
	if d := judged(t, h.folder(1, 1, 2), h.folder(2, 1, 0)).Doubt; d != Complete {
		t.Errorf("two of three folders: doubt %d", d)
	}
	fourth := memberNumber(4)
	fourth.Voter = false
	h.change(h.f.View().Members().With(fourth))
	h.configure()
	h.change(h.f.View().Members().With(memberNumber(4))) // it gets a vote
	three := func(committed uint64) Doubt {
		return judged(t, h.folder(1, 1, committed), h.folder(2, 1, 0), h.folder(4, 1, 0)).Doubt
	}
	if d := three(h.index); d != Changing {
		t.Errorf("the list of members is ahead of the configuration: doubt %d", d)
	}
	h.configure()
	if d := three(h.index - 1); d != Changing {
		t.Errorf("the configuration may not be committed: doubt %d", d)
	}
	if d := three(h.index); d != Complete {
		t.Errorf("all is settled: doubt %d", d)
	}
}

// A longer log that nobody knows to be committed gives way; two histories of which each is
// committed are refused.
func TestHistoriesThatPart(t *testing.T) {
	one := begun(t, 3)
	settled := one.index
	other := &history{t: t, key: one.key, f: twinOf(t, one.f), index: one.index}
	for range 3 {
		other.commit(other.f.View().Begin(fsm.Ordinary))
	}
	one.commit(one.f.View().Begin(fsm.Ordinary))
	if best := judged(t, one.folder(1, 2, one.index),
		other.folder(2, 1, settled)).Best; best.Term != 2 {
		t.Errorf("the best is of term %d", best.Term)
	}
	_, err := Judge([]*Remnant{one.folder(1, 2, one.index), other.folder(2, 1, other.index)})
	if err == nil || !strings.Contains(err.Error(), "different histories") {
		t.Errorf("two histories: %v", err)
	}
}

func twinOf(t *testing.T, f *fsm.FSM) *fsm.FSM {
	t.Helper()
	read, write := io.Pipe()
	go func() { write.CloseWithError(f.View().WriteSnapshot(write)) }()
	twin, err := fsm.ReadSnapshot(read)
	if err != nil {
		t.Fatal(err)
	}
	return twin
}

// Every transaction key of a state has to be the cluster's: the newest may stand behind one that
// somebody made.
func TestKeyringHoldsEveryKeyOfALine(t *testing.T) {
	_, _, root, err := seal.Init([16]byte{1}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := root.NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	defer seal.CloseBoth(root, keyring)
	first, _ := keyring.Public(1)
	if err := keyring.Rotate(); err != nil {
		t.Fatal(err)
	}
	second, _ := keyring.Public(2)
	stranger := testkey.New(1, 9)
	for name, c := range map[string]struct {
		line fsm.Line
		want bool
	}{
		"the cluster's":        {fsm.NewLine(1, first).Extend(2, second, nil), true},
		"one key too few":      {fsm.NewLine(1, first), false},
		"a stranger's, and it": {stranger.Line().Extend(2, second, nil), false},
	} {
		if got := holdsAll(keyring, c.line); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
