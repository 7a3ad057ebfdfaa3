package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/internal/testkey"
	"keyquorum/storage"
)

// A folder leads to all that its member has stored, with a snapshot and without.
func TestReplay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		for _, value := range []string{"1", "2", "3"} {
			must(t, g.put(leader, "x", value))
		}
		member := (leader + 1) % 3
		time.Sleep(2 * time.Second)
		for _, snapshot := range []bool{false, true} {
			if snapshot {
				must(t, g.put(leader, "y", "1"))
				time.Sleep(2 * time.Second)
				must(t, g.members[member].Raft().Snapshot().Error())
				must(t, g.put(leader, "x", "4"))
				time.Sleep(2 * time.Second)
			}
			last, digest := g.members[member].Raft().LastIndex(), g.members[member].View().Digest()
			term := g.members[member].Raft().CurrentTerm()
			g.stop(member)
			store, err := storage.Open(g.configs[member].About.Label)
			must(t, err)
			r, err := cluster.Replay(store, cluster.Trust{Line: g.key.Line()})
			must(t, err)
			if r.Index != last || r.Term != term || r.CurrentTerm != term || r.Appended.IsZero() ||
				r.FSM.View().Digest() != digest {
				t.Errorf("entry %d of term %d, in term %d, appended %v; the member had %d in term %d",
					r.Index, r.Term, r.CurrentTerm, r.Appended, last, term)
			}
			if _, err := cluster.Replay(store, cluster.Trust{Line: testkey.New(1, 1).Line()}); err == nil {
				t.Error("another cluster's folder is replayed")
			}
			must(t, store.Close())
			g.open(member)
		}
	})
}

// What is left of one member makes a cluster of one, which serves and grows.
func TestFoundFrom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		must(t, g.put(leader, "x", "1"))
		time.Sleep(2 * time.Second)
		for i := range g.members {
			g.stop(i)
		}
		store, err := storage.Open(g.configs[0].About.Label)
		must(t, err)
		r, err := cluster.Replay(store, cluster.Trust{Line: g.key.Line()})
		must(t, err)
		must(t, store.Close())

		i := len(g.ids)
		g.ids = append(g.ids, fmt.Sprintf("%032x", i+1))
		g.configs = append(g.configs, g.prepare(i, g.authority, nil))
		g.stores, g.members = append(g.stores, nil), append(g.members, nil)
		next := testkey.New(2, 0)
		view := r.FSM.View()
		txn := recoveryOf(t, g, view, next, fsm.Member{ID: g.ids[i], Address: address(i), Voter: true})
		must(t, r.FSM.Recover(txn, func(view fsm.View) ([]byte, error) {
			return view.Begin(fsm.Checkpoint).Sign(next)
		}))
		store, err = storage.Open(g.configs[i].About.Label)
		must(t, err)
		must(t, cluster.FoundFrom(store, r.FSM, r.CurrentTerm+1))
		must(t, store.Close())
		g.key = next
		g.configs[i].Trust = cluster.Trust{Line: r.FSM.View().Line(), Removed: g.ids[:3]}
		g.open(i)
		if alone := g.leader(); alone != i {
			t.Fatalf("member %d leads", alone)
		}
		if v, err := g.get(i, "x", 5*time.Second); err != nil || v != "1" {
			t.Errorf("it reads %q, %v", v, err)
		}
		must(t, g.put(i, "x", "2"))
		if got := g.members[i].View().Generation(); got != 1 {
			t.Errorf("it is of generation %d", got)
		}

		// A member of before starts again, and neither hears the other.
		g.key = testkey.New(1, 0)
		g.open(0)
		time.Sleep(10 * time.Second)
		if g.members[0].View().Generation() != 0 || len(g.members[i].View().Members()) != 1 ||
			g.members[0].Standing().Leads {
			t.Errorf("a member of before is of generation %d, and %v are members",
				g.members[0].View().Generation(), g.members[i].View().Members())
		}
		must(t, g.put(i, "x", "3"))
	})
}

func recoveryOf(t *testing.T, g *group, view fsm.View, next *testkey.Key, only fsm.Member) []byte {
	t.Helper()
	line, err := g.key.Extend(view.Line(), next).Encode()
	must(t, err)
	members, err := fsm.Members{only}.Encode()
	must(t, err)
	txn := view.Begin(fsm.Recover)
	cluster.Put(&txn, view, fsm.PathKeyring, []byte("wrapped anew"))
	cluster.Put(&txn, view, fsm.PathKeys, line)
	cluster.Put(&txn, view, fsm.PathMembers, members)
	for _, m := range view.Members() {
		cluster.Put(&txn, view, fsm.RemovedDir+m.ID, []byte{1})
	}
	signed, err := txn.Sign(g.key)
	must(t, err)
	return signed
}
