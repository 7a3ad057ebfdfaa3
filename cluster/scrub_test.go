package cluster_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/internal/heavy"
)

const deleted = "the value that was deleted"

// holds says which files of member i's folder hold bytes.
func (g *group) holds(i int, wanted string) (files []string) {
	g.t.Helper()
	must(g.t, filepath.WalkDir(g.configs[i].About.Label,
		func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if bytes.Contains(b, []byte(wanted)) {
				files = append(files, filepath.Base(path))
			}
			return err
		}))
	return files
}

// erase deletes what is at path, through member i.
func (g *group) erase(i int, path string) {
	g.t.Helper()
	view := g.members[i].View()
	r, ok := view.Get(path)
	if !ok {
		g.t.Fatalf("nothing at %s", path)
	}
	txn := view.Begin(fsm.Ordinary)
	txn.Conditions = []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: r.Mod}}
	txn.Writes = []fsm.Write{{Path: path, Delete: true}}
	outcome, err := g.members[i].Commit(g.t.Context(), txn)
	must(g.t, err)
	if outcome.Kind != fsm.Applied {
		g.t.Fatalf("%+v", outcome)
	}
}

// Minutes after a deletion no folder holds what was deleted, on sealed members neither, and what
// was written around it is there.
func TestWhatIsDeletedLeavesTheFolders(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		sealed := (leader + 2) % 3
		must(t, g.put(leader, "kept/before", "kept before"))
		must(t, g.put(leader, "secret/version", deleted))
		must(t, g.put(leader, "secret/version", deleted+", changed"))
		must(t, g.put(leader, "kept/after", "kept after"))
		for i := range 3 {
			must(t, g.members[i].Wait(t.Context(), g.members[leader].View().Index()))
			if len(g.holds(i, deleted)) == 0 {
				t.Fatalf("member %d never held it: the test shows nothing", i)
			}
		}
		g.members[sealed].Seal()
		g.erase(leader, "secret/version")
		for range 6 {
			time.Sleep(time.Minute)
			must(t, g.put(leader, "kept/later", "kept later"))
		}
		for i := range 3 {
			if files := g.holds(i, deleted); len(files) > 0 {
				t.Errorf("member %d still holds it in %v", i, files)
			}
			for _, kept := range []string{"kept before", "kept after", "kept later"} {
				if len(g.holds(i, kept)) == 0 {
					t.Errorf("member %d lost %q", i, kept)
				}
			}
		}
		for i := range 3 {
			g.stop(i)
		}
		for i := range 3 {
			g.open(i)
		}
		got, err := g.get(g.leader(), "kept/before", 20*time.Second)
		if err != nil || got != "kept before" {
			t.Errorf("after a restart it reads %q, %v", got, err)
		}
	})
}

// reseal has member i write both records that a change of the shares writes.
func (g *group) reseal(i int, record, keyring string) {
	g.t.Helper()
	view := g.members[i].View()
	txn := view.Begin(fsm.Reseal)
	cluster.Put(&txn, view, fsm.PathSeal, []byte(record))
	cluster.Put(&txn, view, fsm.PathKeyring, []byte(keyring))
	outcome, err := g.members[i].Commit(g.t.Context(), txn)
	must(g.t, err)
	if outcome.Kind != fsm.Applied {
		g.t.Fatalf("%+v", outcome)
	}
}

// Minutes after a rekey no folder holds what the shares of before open, though something stands at
// both paths all the time and the log is short.
func TestOldSealLeavesTheFolders(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 2)
		leader := g.leader()
		g.members[1-leader].Seal()
		g.reseal(leader, "the first seal record", "the first keyring")
		must(t, g.put(leader, "kept/before", "kept before"))
		g.reseal(leader, "the second seal record", "the second keyring")
		for i := range 2 {
			must(t, g.members[i].Wait(t.Context(), g.members[leader].View().Index()))
			if len(g.holds(i, "the first seal record")) == 0 {
				t.Fatalf("member %d never held it: the test shows nothing", i)
			}
		}
		for range 6 {
			time.Sleep(time.Minute) // fake time
			must(t, g.put(leader, "kept/later", "kept later"))
		}
		for i := range 2 {
			for _, old := range []string{"the first seal record", "the first keyring"} {
				if files := g.holds(i, old); len(files) > 0 {
					t.Errorf("member %d still holds %s in %v", i, old, files)
				}
			}
			for _, now := range []string{"the second seal record", "the second keyring",
				"kept before"} {
				if len(g.holds(i, now)) == 0 {
					t.Errorf("member %d lost %q", i, now)
				}
			}
		}
	})
}

// A member that was away rids its folder of what was deleted meanwhile before it serves, also when
// it is the only one left to vouch for a state from after the deletion.
func TestWhatWasDeletedMeanwhile(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		away := (leader + 1) % 3
		must(t, g.put(leader, "secret/version", deleted))
		must(t, g.members[away].Wait(t.Context(), g.members[leader].View().Index()))
		g.stop(away)
		g.erase(leader, "secret/version")
		time.Sleep(7 * time.Minute)
		if len(g.holds(away, deleted)) == 0 {
			t.Fatal("the member that is away does not hold it: the test shows nothing")
		}
		g.open(away)
		must(t, g.members[away].Cleanse(t.Context()))
		if files := g.holds(away, deleted); len(files) > 0 {
			t.Errorf("it serves, and holds it in %v", files)
		}
	})
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 1)
		g.leader()
		must(t, g.put(0, "secret/version", deleted))
		g.erase(0, "secret/version")
		g.stop(0)
		g.open(0)
		must(t, g.members[0].Cleanse(t.Context()))
		if files := g.holds(0, deleted); len(files) > 0 {
			t.Errorf("the only member holds it in %v", files)
		}
	})
}

// Who asks for a clean folder waits no longer than he will for whoever scrubs it already, and whose
// disk hangs.
func TestCleanseEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 1)
		g.leader()
		must(t, g.put(0, "secret/version", deleted))
		g.erase(0, "secret/version")
		g.stop(0)
		hangs, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		g.openGated(0, func(op, path string) error {
			if op == "create" && strings.HasSuffix(path, "raft.db.tmp") {
				once.Do(func() { close(hangs) })
				<-release
			}
			return nil
		})
		first := make(chan error, 1)
		go func() { first <- g.members[0].Cleanse(t.Context()) }()
		<-hangs
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		second := make(chan error, 1)
		go func() { second <- g.members[0].Cleanse(ctx) }()
		time.Sleep(2 * time.Second)
		select {
		case err := <-second:
			if err == nil {
				t.Error("the folder is clean while the disk hangs")
			}
		default:
			t.Error("it waits for longer than it was told")
		}
		close(release)
		must(t, <-first)
	})
}
