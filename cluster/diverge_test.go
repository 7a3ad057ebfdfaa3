package cluster_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/storage"
)

// TestAlteredSnapshotIsFoundOut is I9: somebody with a member's disk writes a snapshot with another value in it, with every
// checksum and digest made anew. The member must find out, by comparing digests, before it answers anything.
func TestAlteredSnapshotIsFoundOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		victim := (g.leader() + 1) % 3
		must(t, g.put(victim, "a", "genuine"))
		must(t, g.put(victim, "b", "other"))
		for i := range 3 { // all hold the same now
			_, err := g.get(i, "a", 5*time.Second)
			must(t, err)
		}
		index := g.members[victim].View().Index()
		g.stop(victim)
		alter(t, g.configs[victim].About.Label, index)

		found := make(chan error, 1)
		g.configs[victim].Diverged = func(err error) { found <- err }
		g.open(victim)
		if got, err := g.get(victim, "a", 20*time.Second); !errors.Is(err, cluster.ErrDiverged) {
			t.Fatalf("a member with an altered snapshot answered %q, %v", got, err)
		}
		if err := <-found; strings.Count(err.Error(), "digest is") != 1 || !strings.Contains(err.Error(), "another's") {
			t.Fatalf("the report does not say both digests: %v", err)
		}
		if err := g.put(victim, "c", "x"); !errors.Is(err, cluster.ErrDiverged) {
			t.Fatalf("a diverged member wrote: %v", err)
		}
		must(t, g.put((victim+1)%3, "c", "the others go on"))
	})
}

// alter replays a member's log with "genuine" replaced and leaves the result as its newest snapshot, its log gone.
func alter(t *testing.T, dir string, upTo uint64) {
	t.Helper()
	store, err := storage.Open(dir)
	must(t, err)
	defer store.Close()
	forged := fsm.New(fsm.Options{OnFatal: func(err error) { t.Error(err) }})
	var configuration raft.Configuration
	var last raft.Log
	for i := uint64(1); i <= upTo; i++ {
		var entry raft.Log
		must(t, store.Logs().GetLog(i, &entry))
		if entry.Type == raft.LogConfiguration {
			configuration = raft.DecodeConfiguration(entry.Data)
		}
		if entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration {
			entry.Data = bytes.ReplaceAll(entry.Data, []byte("genuine"), []byte("FORGED!"))
			forged.ApplyBatch([]*raft.Log{&entry})
		}
		last = entry
	}
	snapshot, err := forged.Snapshot()
	must(t, err)
	sink, err := store.Snapshots().Create(1, last.Index, last.Term, configuration, 1, nil)
	must(t, err)
	must(t, snapshot.Persist(sink))
	must(t, sink.Close())
	if r, _ := forged.View().Get("a"); string(r.Value) != "FORGED!" {
		t.Fatalf("nothing was forged: %q", r.Value)
	}
	first, err := store.Logs().FirstIndex()
	must(t, err)
	end, err := store.Logs().LastIndex()
	must(t, err)
	must(t, store.Logs().DeleteRange(first, end))
}
