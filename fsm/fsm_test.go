package fsm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

func opening(t failer, index uint64) *raft.Log {
	return command(t, index,
		fsm.Txn{ID: fsm.ID{8: byte(index >> 16), 9: byte(index >> 8), 10: byte(index), 15: 1},
			Base: index - 1})
}

func TestScan(t *testing.T) {
	f := newFSM(t)
	for i, path := range []string{"a", "b/1", "b/2", "b/3", "b0", "c"} {
		f.Apply(command(t, uint64(i+1), create(byte(i+1), uint64(i), path, "v")))
	}
	for _, c := range []struct{ prefix, after, want string }{
		{"", "", "a b/1 b/2 b/3 b0 c"},
		{"b/", "", "b/1 b/2 b/3"},
		{"b", "", "b/1 b/2 b/3 b0"},
		{"b/", "b/1", "b/2 b/3"},
		{"b/", "b/15", "b/2 b/3"},
		{"b/", "b/3", ""},
		{"b/", "a", "b/1 b/2 b/3"},
		{"b/", "z", ""},
		{"d", "", ""},
		{"c", "", "c"},
		{"c", "c", ""},
	} {
		var got []string
		for path := range f.View().Scan(c.prefix, c.after) {
			got = append(got, path)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("Scan(%q, %q) = %q, want %q", c.prefix, c.after, got, c.want)
		}
	}
	for path := range f.View().Scan("b", "") {
		if path != "b/1" {
			t.Fatalf("went on after the first")
		}
		break
	}
}

func TestViewStandsStill(t *testing.T) {
	f := newFSM(t)
	f.Apply(command(t, 1, create(1, 0, "a", "old")))
	v := f.View()
	digest := v.Digest()
	f.Apply(command(t, 2, replace(2, 1, "a", 1, "new")))
	for i := uint64(3); i < 300; i++ {
		f.Apply(command(t, i, fsm.Txn{ID: fsm.NewID(), Base: i - 1,
			Conditions: []fsm.Condition{{Kind: fsm.Absent, Path: fmt.Sprint("b", i)}},
			Writes:     []fsm.Write{{Path: fmt.Sprint("b", i), Logical: i - 1}}}))
	}
	r, ok := v.Get("a")
	if _, records := v.Size(); !ok || string(r.Value) != "old" || records != 1 || v.Index() != 1 ||
		v.Digest() != digest {
		t.Fatalf("the view has changed: %q, %d records, index %d", r.Value, records, v.Index())
	}
	requireRecomputed(t, v)
}

func TestWrongGeneration(t *testing.T) {
	f := inGeneration(t, 7, 3)
	if f.View().Generation() != 3 || f.View().Index() != 7 {
		t.Fatalf("generation %d, index %d", f.View().Generation(), f.View().Index())
	}
	before, now := create(1, 7, "a", "v"), create(2, 7, "a", "v")
	before.Generation, now.Generation = 2, 3
	results := f.ApplyBatch([]*raft.Log{command(t, 8, before), command(t, 9, now)})
	want := []any{fsm.Outcome{Kind: fsm.WrongGeneration, Index: 8},
		fsm.Outcome{Kind: fsm.Applied, Index: 9}}
	if !slices.Equal(results, want) {
		t.Fatalf("got %v, want %v", results, want)
	}
	requireRecomputed(t, f.View())
}

// What can't be understood stops the node with a sentence, after what came before it was applied.
func TestEntriesThatStopTheNode(t *testing.T) {
	newer := []byte{2, 0x80}
	for _, c := range []struct {
		name string
		log  raft.Log
		want string
	}{
		{"a newer transaction", raft.Log{Type: raft.LogCommand, Data: fsm.Envelope(newer, key)},
			"format version 2 was written by another release of Keyquorum; this one reads version 1 only: start a release that reads version 2"},
		{"a verb of a newer release", raft.Log{Type: raft.LogCommand,
			Data: fsm.Unchecked(fsm.Txn{ID: fsm.NewID(), Base: 4, Verb: 200}, key)},
			"verb 200 was signed by a newer release of Keyquorum"},
		{"an entry for Raft itself", raft.Log{Type: raft.LogNoop}, "LogNoop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var fatal []error
			f := free(fsm.Options{OnFatal: func(err error) { fatal = append(fatal, err) }})
			c.log.Index = 5
			results := f.ApplyBatch([]*raft.Log{opening(t, 4), &c.log, opening(t, 6)})
			if len(fatal) != 1 {
				t.Fatalf("OnFatal was called %d times", len(fatal))
			}
			requireError(t, fatal[0], "log entry 5")
			requireError(t, fatal[0], c.want)
			if _, ok := results[0].(fsm.Outcome); !ok || results[1] != fatal[0] || results[2] != fatal[0] {
				t.Fatalf("results %v", results)
			}
			if f.Apply(opening(t, 7)); f.View().Index() != 4 {
				t.Fatalf("it went on to %d", f.View().Index())
			}
			if _, err := f.Snapshot(); err == nil {
				t.Fatalf("it still makes snapshots")
			}
		})
	}
}

func TestDigestAt(t *testing.T) {
	const n = 10_000
	f := newFSM(t)
	var batch []*raft.Log
	for i := uint64(1); i <= n; i++ {
		if batch = append(batch, opening(t, 2*i)); i%64 == 0 || i == n {
			f.ApplyBatch(batch)
			batch = nil
		}
	}
	for i := uint64(0); i <= 2*n+2; i++ {
		_, ok := f.DigestAt(i)
		if want := i%2 == 0 && i > 2*(n-4096) && i <= 2*n; ok != want {
			t.Fatalf("DigestAt(%d) is there: %v, want %v", i, ok, want)
		}
	}
	if d, _ := f.DigestAt(2 * n); d != f.View().Digest() {
		t.Fatalf("the digest at the last index is not that of the view")
	}
}

// OnApply sees each batch once, visible and with its digest.
func TestOnApply(t *testing.T) {
	var seen []uint64
	var f *fsm.FSM
	f = free(fsm.Options{OnApply: func(v fsm.View) {
		if d, ok := f.DigestAt(v.Index()); f.View() != v || !ok || d != v.Digest() {
			t.Errorf("OnApply at %d came too early", v.Index())
		}
		seen = append(seen, v.Index())
	}})
	f.ApplyBatch([]*raft.Log{opening(t, 1), opening(t, 2), configuration(3)})
	f.ApplyBatch([]*raft.Log{opening(t, 2)})
	f.Apply(opening(t, 5))
	if err := restore(f, snapshotOf(t, sample(t))); err != nil {
		t.Fatal(err)
	}
	if want := []uint64{3, 5, 12}; !slices.Equal(seen, want) {
		t.Fatalf("saw %v, want %v", seen, want)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFSM(t)
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(map[uint64][]error)
		var mu sync.Mutex
		for i := range uint64(40) {
			go func() {
				err := f.Wait(ctx, i/4)
				mu.Lock()
				defer mu.Unlock()
				returned[i/4] = append(returned[i/4], err)
			}()
		}
		expect := func(indexes int) {
			t.Helper()
			synctest.Wait()
			for i := range uint64(10) {
				want := 0
				if int(i) < indexes {
					want = 4
				}
				if len(returned[i]) != want {
					t.Fatalf("%d of 4 have seen index %d, want %d", len(returned[i]), i, want)
				}
			}
		}
		expect(1)
		f.Apply(opening(t, 2)) // 1 was a no-op
		expect(3)
		f.ApplyBatch([]*raft.Log{opening(t, 3), opening(t, 5)})
		expect(6)
		if err := f.Restore(readCloser(snapshotOf(t, inGeneration(t, 7, 1)))); err != nil {
			t.Fatal(err)
		}
		expect(8)
		cancel()
		expect(10)
		for i, errs := range returned {
			for _, err := range errs {
				if i <= 7 && err != nil || i > 7 && !errors.Is(err, context.Canceled) {
					t.Errorf("waiting for %d gave %v", i, err)
				}
			}
		}
		if n := fsm.Gates(f); n != 0 {
			t.Fatalf("%d indexes are waited for by nobody", n)
		}
		again := make(chan error, 1)
		go func() { again <- f.Wait(t.Context(), 9) }() // all had left this one
		synctest.Wait()
		f.Apply(opening(t, 20))
		if err := <-again; err != nil {
			t.Fatalf("waiting for what others gave up: %v", err)
		}
		if err := f.Wait(ctx, 20); err != nil {
			t.Fatalf("an index that is reached needs no waiting: %v", err)
		}
	})
}

// Readers of any kind go on beside the writer; the race detector watches.
func TestReadersBesideTheWriter(t *testing.T) {
	f := newFSM(t)
	f.Apply(command(t, 1, create(1, 0, "d/0", "v")))
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				v := f.View()
				n, last := 0, uint64(0)
				for path, r := range v.Scan("d/", "") {
					if again, ok := v.Get(path); !ok || again.Mod != r.Mod {
						t.Errorf("%s is in Scan and not in Get", path)
					}
					n, last = n+1, max(last, r.Mod)
				}
				if _, records := v.Size(); records != n || last > v.Index() {
					t.Errorf("index %d has %d records, Size says %d, the last of index %d", v.Index(), n, records,
						last)
				}
				if d, ok := f.DigestAt(v.Index()); ok && d != v.Digest() {
					t.Errorf("two digests at %d", v.Index())
				}
				v.Outcome(id(1))
				v.Configuration()
			}
		})
	}
	for i := uint64(2); i < 500; i++ {
		x := fsm.Txn{ID: fsm.NewID(), Base: i - 1,
			Conditions: []fsm.Condition{{Kind: fsm.Absent, Path: fmt.Sprint("d/", i)},
				{Kind: fsm.Unchanged, Path: "d/0", Index: i - 1}},
			Writes: []fsm.Write{{Path: fmt.Sprint("d/", i), Logical: i - 1},
				{Path: "d/0", Logical: i - 1, Value: []byte("v")}}}
		if o := f.Apply(command(t, i, x)).(fsm.Outcome); o.Kind != fsm.Applied {
			t.Fatalf("%d: %+v", i, o)
		}
		if err := f.Wait(ctx, i); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			persistBeside(t, f, &readers)
		}
	}
	stop()
	readers.Wait()
	requireRecomputed(t, f.View())
}

// persistBeside writes a snapshot and reads it back while the writer goes on.
func persistBeside(t *testing.T, f *fsm.FSM, running *sync.WaitGroup) {
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	want := f.View().Digest()
	running.Go(func() {
		var to sink
		again := newFSM(t)
		if err := errors.Join(s.Persist(&to), restore(again, to.Bytes())); err != nil ||
			again.View().Digest() != want {
			t.Errorf("a snapshot beside the writer: %v, digest %x, want %x", err, again.View().Digest(),
				want)
		}
	})
}

// Memory is bounded by the window: ids and directories that nobody may ask for are gone.
func TestForgetting(t *testing.T) {
	f := newFSM(t)
	f.ApplyBatch([]*raft.Log{
		command(t, 1, create(1, 0, "a/b/c/x", "v")),
		command(t, 2, create(2, 1, "a/y", "v")),
		opening(t, fsm.IDWindow+1),
	})
	if n := fsm.Directories(f.View()); n != 3 {
		t.Fatalf("%d directories while all are within the window", n)
	}
	f.Apply(opening(t, fsm.IDWindow+2))
	if n := fsm.Directories(f.View()); n != 1 {
		t.Fatalf("%d directories when only a/ is within the window", n)
	}
	again := restored(t, snapshotOf(t, f))
	for _, f := range []*fsm.FSM{f, again} {
		f.Apply(opening(t, fsm.IDWindow+3))
		if n := fsm.Directories(f.View()); n != 0 {
			t.Fatalf("%d directories when none is within the window", n)
		}
	}
	requireSame(t, f, again)
}

func TestRecomputeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sample(t).View().Recompute(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestNewIDs(t *testing.T) {
	if a, b := fsm.NewID(), fsm.NewID(); a == b || a == (fsm.ID{}) {
		t.Fatalf("%x and %x", a, b)
	}
}
