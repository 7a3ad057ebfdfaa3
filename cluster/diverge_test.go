package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/storage"
)

// TestAlteredSnapshotIsFoundOut is I9: somebody with a member's disk writes a snapshot that leaves
// a signed transaction out, with every checksum and digest made anew. The member must find out, by
// comparing digests, before it answers anything.
func TestAlteredSnapshotIsFoundOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.fenced = true
		victim := (g.leader() + 1) % 3
		must(t, g.put(victim, "a", "revoked"))
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
		if err := <-found; strings.Count(err.Error(), "digest is") != 1 ||
			!strings.Contains(err.Error(), "another's") {
			t.Fatalf("the report does not say both digests: %v", err)
		}
		if err := g.put(victim, "c", "x"); !errors.Is(err, cluster.ErrDiverged) {
			t.Fatalf("a diverged member wrote: %v", err)
		}
		if s := g.members[victim].Stats(); !s.Diverged || s.Mismatches == 0 {
			t.Errorf("its figures say nothing of it: %+v", s)
		}
		must(t, g.put((victim+1)%3, "c", "the others go on"))
	})
}

// alter replays a member's log without the entry that holds "genuine" and leaves the result as its
// newest snapshot, its log gone.
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
			if !bytes.Contains(entry.Data, []byte("genuine")) {
				forged.ApplyBatch([]*raft.Log{&entry})
			}
		}
		last = entry
	}
	snapshot, err := forged.Snapshot()
	must(t, err)
	sink, err := store.Snapshots().Create(1, last.Index, last.Term, configuration, 1, nil)
	must(t, err)
	must(t, snapshot.Persist(sink))
	must(t, sink.Close())
	if r, _ := forged.View().Get("a"); string(r.Value) != "revoked" {
		t.Fatalf("nothing was forged: %q", r.Value)
	}
	first, err := store.Logs().FirstIndex()
	must(t, err)
	end, err := store.Logs().LastIndex()
	must(t, err)
	must(t, store.Logs().DeleteRange(first, end))
}

// flip alters the value at path in the memory of member i alone.
func (g *group) flip(i int, path string) {
	g.t.Helper()
	synctest.Wait() // nobody reads it now; who writes next tells the readers, as far as the race detector knows
	r, ok := g.members[i].View().Get(path)
	if !ok || len(r.Value) == 0 {
		g.t.Fatalf("nothing at %q", path)
	}
	r.Value[0] ^= 1
}

// watch has member i's report of its divergence kept. It restarts the member.
func (g *group) watch(i int) <-chan error {
	found := make(chan error, 1)
	g.stop(i)
	g.configs[i].Diverged = func(err error) { found <- err }
	g.open(i)
	return found
}

// The digest follows the log's entries, so altered memory shows only when everything is hashed
// anew.
func TestSweepFindsAlteredMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 1)
		g.fenced = true
		found := g.watch(0)
		g.leader()
		must(t, g.put(0, "a", "genuine"))
		time.Sleep(time.Hour + time.Minute)
		if _, err := g.get(0, "a", time.Second); err != nil {
			t.Fatalf("a sound state did not survive a sweep: %v", err)
		}
		g.flip(0, "a")
		must(t, g.put(0, "b", "another"))
		time.Sleep(time.Hour + time.Minute)
		if got, err := g.get(0, "a", time.Second); !errors.Is(err, cluster.ErrDiverged) {
			t.Fatalf("altered memory answers %q, %v after a sweep", got, err)
		}
		if err := <-found; !errors.Is(err, cluster.ErrDiverged) {
			t.Fatalf("reported %v", err)
		}
	})
}

// A leader whose state differs stops; a sound member whose sound peer is a little late must not
// take itself for the one that differs, and the two go on without the leader.
func TestDivergedLeaderStopsAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.fenced = true
		g.leader()
		must(t, g.put(0, "a", "genuine"))
		old := g.leader()
		sound, late := (old+1)%3, (old+2)%3
		for i := range 3 {
			_, err := g.get(i, "a", 5*time.Second)
			must(t, err)
		}
		g.flip(old, "a")
		entered := g.stalls[late].close()
		must(t, g.put(old, "a", "newer"))
		<-entered
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.get(sound, "a", time.Second)
		}()
		time.Sleep(300 * time.Millisecond)
		g.stalls[late].release()
		<-done
		if next := g.leader(old); next == old {
			t.Fatal("the diverged leader leads on")
		}
		for _, i := range []int{sound, late} {
			got, err := g.get(i, "a", 10*time.Second)
			if err != nil || got != "newer" {
				t.Errorf("a sound member answers %q, %v", got, err)
			}
		}
		if got, err := g.get(old, "a", 10*time.Second); !errors.Is(err, cluster.ErrDiverged) {
			t.Errorf("the diverged member answers %q, %v", got, err)
		}
	})
}

// Voters are asked all at once: those that hang must not keep the others' answers from being heard.
func TestDivergenceIsFoundThoughVotersHang(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 5)
		g.fenced = true
		const hung, victim, leader = 0, 1, 4
		g.lead(leader)
		must(t, g.put(hung, "a", "genuine"))
		for i := range 5 {
			_, err := g.get(i, "a", 5*time.Second)
			must(t, err)
		}
		g.flip(victim, "a")
		g.isolate(hung)
		must(t, g.put(leader, "a", "newer"))
		for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(100 * time.Millisecond) { // of fake time
			got, err := g.get(victim, "a", 3*time.Second)
			if errors.Is(err, cluster.ErrDiverged) {
				return
			}
			if err == nil {
				t.Fatalf("a diverged member answered %q", got)
			}
		}
		t.Fatal("a diverged member did not find out in 30 s because one voter hangs")
	})
}

// Of two that differ nobody can tell who is right. One must not stop the other for good by lying
// about its digest; that it differs from the leader keeps it from answering itself.
func TestOneOfAPairStopsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 2)
		leader := g.leader()
		other := 1 - leader
		must(t, g.put(leader, "a", "genuine"))
		must(t, g.put(leader, "b", "genuine"))
		for i := range 2 {
			_, err := g.get(i, "b", 5*time.Second)
			must(t, err)
		}
		g.flip(other, "a")
		g.flip(other, "b")
		must(t, g.put(leader, "a", "newer")) // from here on the digests differ
		time.Sleep(5 * time.Second)
		if got, err := g.get(leader, "b", time.Second); err != nil || got != "genuine" {
			t.Errorf("the leader answers %q, %v", got, err)
		}
		if got, err := g.get(other, "b", time.Second); err == nil {
			t.Errorf("who differs from the leader answers %q", got)
		}
		for i, m := range g.members {
			if s := m.Stats(); s.Diverged || i == other && s.Mismatches == 0 {
				t.Errorf("member %d: %+v", i, s)
			}
		}
	})
}

// A voter that does not say what its digest is keeps one that has diverged from being judged, but
// not from ceasing to answer.
func TestDivergedMemberReadsNothingUnjudged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		victim, silent := (leader+1)%3, (leader+2)%3
		must(t, g.put(leader, "a", "genuine"))
		must(t, g.put(leader, "b", "genuine"))
		for i := range 3 {
			_, err := g.get(i, "b", 5*time.Second)
			must(t, err)
		}
		g.flip(victim, "a")
		g.flip(victim, "b")
		g.network.Isolate(host(victim), host(silent))
		must(t, g.put(leader, "a", "newer"))
		time.Sleep(5 * time.Second)
		if got, err := g.get(victim, "b", time.Second); err == nil {
			t.Errorf("a member that has diverged answers %q", got)
		}
		g.network.Heal()
		time.Sleep(5 * time.Second)
		if _, err := g.get(victim, "b", time.Second); !errors.Is(err, cluster.ErrDiverged) {
			t.Errorf("when all can be asked it reports %v", err)
		}
	})
}

// Who tells a member of a suspicion again and again keeps it from nothing.
func TestToldSuspicionsHideNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 5)
		g.fenced = true
		const hung, victim, leader = 0, 1, 4
		g.lead(leader)
		must(t, g.put(leader, "a", "genuine"))
		for i := range 5 {
			_, err := g.get(i, "a", 5*time.Second)
			must(t, err)
		}
		old := g.members[victim].View().Index()
		g.flip(victim, "a")
		g.isolate(hung) // each question that all are asked takes two seconds
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var telling sync.WaitGroup
		defer telling.Wait()
		for range 4 {
			telling.Go(func() {
				for ctx.Err() == nil {
					g.members[victim].BeTold(old)
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		must(t, g.put(leader, "a", "newer"))
		time.Sleep(3 * time.Second) // it compares once a second, and all are asked for two
		if !g.members[victim].Stats().Diverged {
			t.Error("a member that was told of others did not judge what it found itself")
		}
	})
}
