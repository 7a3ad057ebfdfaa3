package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"keyquorum/storage"
)

// randomState is longer than the buffers, and not a multiple of anything.
func randomState(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, 600_001)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestSnapshotComesBackWhole(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 256 << 10, 600_001} {
		s, dir := create(t)
		state := randomState(1)[:size]
		id := mustSnapshot(t, s, 250, state)
		mustClose(t, s)
		s = mustOpen(t, dir)
		meta, got, err := readState(s, id)
		if err != nil || !bytes.Equal(got, state) {
			t.Fatalf("%d bytes come back as %d (%v)", size, len(got), err)
		}
		want := &raft.SnapshotMeta{
			Version: 1, ID: id, Index: 250, Term: 3, Configuration: configuration, ConfigurationIndex: 1,
			Size: int64(size),
		}
		if !reflect.DeepEqual(meta, want) {
			t.Errorf("meta is %+v, want %+v", meta, want)
		}
	}
}

func TestListIsNewestFirstAndTwoAreKept(t *testing.T) {
	s, dir := create(t)
	var ids []string
	for _, index := range []uint64{9, 10, 100, 100} { // one state twice
		ids = append(ids, mustSnapshot(t, s, index, []byte("state")))
	}
	metas, err := s.Snapshots().List()
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range metas {
		listed = append(listed, m.ID)
	}
	if want := []string{ids[3], ids[2]}; !slices.Equal(listed, want) {
		t.Errorf("List is %v, want %v", listed, want)
	}
	if names, _ := os.ReadDir(filepath.Join(dir, "snapshots")); len(names) != 2 {
		t.Errorf("%d folders are kept, want 2", len(names))
	}
}

// A snapshot that was slow to be written ends after a newer one was put into place: it is refused,
// and nothing else changes. So is one of a lower term, which no history holds.
func TestOlderSnapshotIsRefused(t *testing.T) {
	for _, late := range []struct{ index, term uint64 }{{42, 1}, {121, 2}, {42, 7}, {200, 1}} {
		s, dir := create(t)
		mustStore(t, s, 1, 150)
		sink, err := s.Snapshots().Create(1, late.index, late.term, configuration, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		newest := mustSnapshot(t, s, 122, snapshotState(122))
		if _, err := sink.Write(snapshotState(42)); err != nil {
			t.Fatal(err)
		}
		wantSentence(t, sink.Close(), sink.ID(), "a newer one is in place", newest)
		wantOnly(t, s, 1, 150, 150)
		wantNames(t, filepath.Join(dir, "snapshots"), newest)
		if index, term := s.NewestSnapshot(); index != 122 || term != 2 || s.Err() != nil {
			t.Errorf("the newest is %d of term %d; %v", index, term, s.Err())
		}
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		t.Errorf("%s holds %q, want %q", dir, names, want)
	}
}

func TestOpenSnapshotSurvivesItsRemoval(t *testing.T) {
	s, _ := create(t)
	state := randomState(2)
	_, r, err := s.Snapshots().Open(mustSnapshot(t, s, 1, state))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := uint64(2); i < 6; i++ {
		mustSnapshot(t, s, i, nil)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, state) {
		t.Errorf("a follower that is being sent a snapshot got %d bytes (%v)", len(got), err)
	}
}

func TestTruncatedOrLengthenedStateIsFound(t *testing.T) {
	s, dir := create(t)
	id := mustSnapshot(t, s, 5, randomState(4)[:10_000])
	mustClose(t, s)
	path := filepath.Join(dir, "snapshots", id, "state")
	for _, size := range []int64{9_999, 0, 10_001} {
		cut(t, path, size)
		_, err := storage.Open(dir)
		wantSentence(t, err, path, "damaged", fmt.Sprint(size), "10000")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := storage.Open(dir)
	wantSentence(t, err, path, "no such file")
}

// A leader that sends a snapshot counts bytes, and a follower takes the right number of bytes for
// the whole.
func TestLastByteOfADamagedStateIsNeverHandedOut(t *testing.T) {
	s, dir := create(t)
	state := randomState(5)
	id := mustSnapshot(t, s, 5, state)
	path := filepath.Join(dir, "snapshots", id, "state")
	b := bytes.Clone(state)
	b[77] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, got, err := readState(s, id)
	wantSentence(t, err, path, "damaged")
	if len(got) >= len(state) {
		t.Errorf("all %d bytes were handed out before the damage was told", len(got))
	}
}

func TestDamagedOlderSnapshotIsLeftOut(t *testing.T) {
	s, dir := create(t)
	old := mustSnapshot(t, s, 5, []byte("old"))
	mustSnapshot(t, s, 6, []byte("new"))
	if err := os.Remove(filepath.Join(dir, "snapshots", old, "manifest.json")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	if metas, err := s.Snapshots().List(); err != nil || len(metas) != 1 || metas[0].Index != 6 {
		t.Errorf("List is %v (%v), want the one of index 6", metas, err)
	}
}

func TestCancelledSnapshotLeavesNothing(t *testing.T) {
	s, dir := create(t)
	sink, err := s.Snapshots().Create(1, 5, 1, configuration, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write(randomState(6)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sink.Cancel(), sink.Cancel()); err != nil {
		t.Fatal(err)
	}
	if sink.Close() == nil {
		t.Error("Close after Cancel claims success")
	}
	wantNoSnapshots(t, s, dir)
}

func wantNoSnapshots(t *testing.T, s *storage.Store, dir string) {
	t.Helper()
	if metas, err := s.Snapshots().List(); err != nil || len(metas) > 0 {
		t.Errorf("List is %v (%v), want nothing", metas, err)
	}
	if names, _ := os.ReadDir(filepath.Join(dir, "snapshots")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestSnapshotOpenRefusesOtherNames(t *testing.T) {
	s, _ := create(t)
	for _, id := range []string{"", "..", "../..", "1-2", "1-2-3-4", "01-2-3", "1-2--3", "+1-2-3",
		"1-2-3.tmp", "1-2-3/.."} {
		if _, _, err := s.Snapshots().Open(id); err == nil ||
			!strings.Contains(err.Error(), "no name of a snapshot") {
			t.Errorf("Open(%q): %v", id, err)
		}
	}
}

func TestUnknownSnapshotVersionIsRefused(t *testing.T) {
	s, dir := create(t)
	for _, version := range []raft.SnapshotVersion{0, 2} {
		if _, err := s.Snapshots().Create(version, 1, 1, configuration, 1, nil); err == nil {
			t.Errorf("a snapshot of Raft's version %d was begun", version)
		}
	}
	wantNoSnapshots(t, s, dir)
}

var errPlugPulled = errors.New("no power")

// steps records the steps of the file layer and refuses those from the nth on. Nothing after a
// refused step happens, not even the cleaning up: that is what a crash looks like on disk.
type steps struct {
	dir   string
	done  []string
	stop  int // 0: never
	count int
}

func (s *steps) step(op, path string) error {
	s.count++
	if s.stop > 0 && s.count >= s.stop {
		return errPlugPulled
	}
	rel, _ := filepath.Rel(s.dir, path)
	s.done = append(s.done, op+" "+regexp.MustCompile(`\d{12,}`).ReplaceAllString(rel, "MS"))
	return nil
}

func TestSnapshotStepsAreInTheOrderThatTheFormatArgues(t *testing.T) {
	s, dir := create(t)
	mustSnapshot(t, s, 1, nil)
	mustSnapshot(t, s, 2, nil)
	rec := &steps{dir: filepath.Join(dir, "snapshots")}
	s.OnSnapshotStep(rec.step)
	mustSnapshot(t, s, 3, []byte("state"))
	want := []string{
		"mkdir 1-3-MS.tmp",
		"create 1-3-MS.tmp/state",
		"write 1-3-MS.tmp/state",
		"sync 1-3-MS.tmp/state",
		"create 1-3-MS.tmp/manifest.json",
		"write 1-3-MS.tmp/manifest.json",
		"sync 1-3-MS.tmp/manifest.json",
		"syncdir 1-3-MS.tmp",
		"rename 1-3-MS",
		"syncdir .",
		"rename 1-1-MS.tmp",
		"syncdir .",
		"remove 1-1-MS.tmp",
	}
	if !slices.Equal(rec.done, want) {
		t.Errorf("steps are\n%s\nwant\n%s", strings.Join(rec.done, "\n"), strings.Join(want, "\n"))
	}
}

func TestCrashAtEveryStepOfASnapshot(t *testing.T) {
	for stop := 1; ; stop++ {
		s, dir := create(t)
		mustSnapshot(t, s, 7, snapshotState(7))
		mustSnapshot(t, s, 14, snapshotState(14))
		rec := &steps{dir: dir, stop: stop}
		s.OnSnapshotStep(rec.step)
		_, err := takeSnapshot(s, 21, snapshotState(21))
		mustClose(t, s)
		s = mustOpen(t, dir)
		newest := uint64(14)
		if err == nil {
			newest = 21
		}
		wantNewestSnapshot(t, s, newest)
		if names, _ := filepath.Glob(filepath.Join(dir, "snapshots", "*.tmp")); len(names) > 0 {
			t.Errorf("stopped before step %d: Open left %v", stop, names)
		}
		mustSnapshot(t, s, 28, snapshotState(28))
		wantNewestSnapshot(t, s, 28)
		if rec.count < stop {
			return // it ran to its end
		}
	}
}

func TestSnapshotThatCannotBeWrittenIsCleanedReportedAndPoisonsNothing(t *testing.T) {
	for _, op := range []string{"mkdir", "create", "write", "sync", "syncdir", "rename"} {
		t.Run(op, func(t *testing.T) {
			s, dir := create(t)
			mustStore(t, s, 1, 10)
			s.OnSnapshotStep(func(o, _ string) error {
				if o == op {
					return syscall.ENOSPC
				}
				return nil
			})
			if _, err := takeSnapshot(s, 5, randomState(7)); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("reported %v, want ENOSPC", err)
			}
			wantNoSnapshots(t, s, dir)
			if s.Err() != nil {
				t.Errorf("the store is poisoned: %v", s.Err())
			}
			s.OnSnapshotStep(nil)
			mustStore(t, s, 11, 12)
			mustSnapshot(t, s, 12, []byte("state"))
		})
	}
}

func TestCrashAtEveryStepOfCreate(t *testing.T) {
	for stop := 1; ; stop++ {
		dir := filepath.Join(t.TempDir(), "cluster")
		rec := &steps{stop: stop}
		made := storage.CreateStepwise(dir, manifest, rec.step)
		s, err := storage.Open(dir)
		if err == nil {
			mustClose(t, s)
		}
		if made == nil && err != nil {
			t.Errorf("a folder that was made does not open: %v", err)
		}
		if made != nil && err != nil && !strings.Contains(err.Error(), "never finished") {
			t.Errorf("stopped before step %d: %v", stop, err)
		}
		if rec.count < stop {
			return
		}
	}
}

func TestGoldenSnapshotIsReadForEver(t *testing.T) {
	s, dir := create(t)
	mustClose(t, s)
	const id = "3-250-1767225600000"
	if err := os.CopyFS(filepath.Join(dir, "snapshots", id),
		os.DirFS(filepath.Join("testdata", "snapshot-1"))); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	meta, state, err := readState(s, id)
	if err != nil || string(state) != "state of format 1\n" {
		t.Fatalf("state is %q (%v)", state, err)
	}
	if meta.Index != 250 || meta.Term != 3 || !reflect.DeepEqual(meta.Configuration, configuration) {
		t.Errorf("meta is %+v", meta)
	}
}

func FuzzManifest(f *testing.F) {
	seed(f, "manifest.json")
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := storage.RecodeManifest(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("%q decodes and encodes to %q", b, again)
		}
	})
}

func FuzzSnapshotManifest(f *testing.F) {
	seed(f, "snapshot-1/manifest.json")
	f.Add([]byte(`{"format":1,"servers":[{"id":"\ud800"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := storage.RecodeSnapshotManifest(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("%q decodes and encodes to %q", b, again)
		}
	})
}

// seed adds a golden file, which must decode.
func seed(f *testing.F, name string) {
	f.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil || !json.Valid(b) {
		f.Fatal(name, err)
	}
	f.Add(b)
}

// Raft opens a snapshot right after it was written, also the third of one index within a
// millisecond, or after the clock was set back: it is the newest, whatever the clock says, and
// stays.
func TestSnapshotsOfOneIndexAndOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a clock that stands still
		s, _ := create(t)
		for i := range 6 {
			id := mustSnapshot(t, s, 250, randomState(uint64(i))[:100])
			if _, state, err := s.Snapshots().Open(id); err != nil {
				t.Fatalf("the %d. snapshot of the index: %v", i+1, err)
			} else {
				state.Close()
			}
			list, err := s.Snapshots().List()
			if err != nil || list[0].ID != id {
				t.Fatalf("the newest is %v, %v; the last written was %s", list[0].ID, err, id)
			}
		}
		if index, _ := s.NewestSnapshot(); index != 250 {
			t.Errorf("the newest snapshot ends at %d", index)
		}
		mustClose(t, s)
	})
}
