package storage_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/storage"
)

// marker is found wherever it is in a file.
func marker(what string) []byte {
	if what == "an older snapshot" {
		return bytes.Repeat(snapshotState(5)[:8], 10)
	}
	return bytes.Repeat([]byte("<marker of "+what+">"), 10)
}

var deletedThings = []string{
	"a compacted entry", "a replaced entry", "a value", "an older snapshot",
	"a snapshot that failed", "a scrub that failed",
}

// marked gives entries the data of a marker.
func marked(what string, logs []*raft.Log) []*raft.Log {
	for _, l := range logs {
		l.Data = marker(what)
	}
	return logs
}

// markedFolder has a marker in everything that was deleted, and one in an entry that was not.
func markedFolder(t *testing.T) (*storage.Store, string) {
	t.Helper()
	s, dir := createIn(t, memoryFolder(t))
	left := filepath.Join(dir, "snapshots", "1-2-3.tmp")
	err := errors.Join(
		s.Logs().StoreLogs(marked("a compacted entry", entries(1, 250))),
		s.Logs().StoreLogs(entries(251, 300)),
		s.Stable().Set([]byte("LastVoteCand"), marker("a value")),
		s.Logs().StoreLogs(marked("a replaced entry", entries(301, 350))),
		s.Logs().DeleteRange(301, 350),
		s.Stable().Set([]byte("LastVoteCand"), []byte("n2")),
		s.Logs().StoreLogs(marked("a live entry", entries(301, 310))),
		os.Mkdir(left, 0o700),
		os.WriteFile(filepath.Join(left, "state"), marker("a snapshot that failed"), 0o600),
		os.WriteFile(filepath.Join(dir, "raft.db.tmp"), marker("a scrub that failed"), 0o600),
	)
	mustSnapshot(t, s, 5, snapshotState(5))
	mustSnapshot(t, s, 255, snapshotState(255))
	if err := errors.Join(err, s.Logs().DeleteRange(1, 250)); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func mustScrub(t testing.TB, s *storage.Store, index uint64) {
	t.Helper()
	if err := s.Scrub(index); err != nil {
		t.Fatal(err)
	}
}

func mustShowStore(t *testing.T, s *storage.Store) contents {
	t.Helper()
	c, err := show(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestScrubRidsTheFolderOfWhatWasDeleted(t *testing.T) {
	s, dir := markedFolder(t)
	before := folderBytes(t, dir)
	for _, what := range append(deletedThings, "a live entry") {
		if !bytes.Contains(before, marker(what)) {
			t.Errorf("%s is not in the folder before: the test proves nothing", what)
		}
	}
	want := mustShowStore(t, s)
	want.Snapshots, want.Scrubbed = []uint64{255}, 250
	mustScrub(t, s, 250)
	after := folderBytes(t, dir)
	for _, what := range deletedThings {
		if bytes.Contains(after, marker(what)) {
			t.Errorf("%s is still in the folder", what)
		}
	}
	if !bytes.Contains(after, marker("a live entry")) {
		t.Error("an entry that was not deleted is not in the folder")
	}
	wantNames(t, dir, "manifest.json", "raft.db", "scrubbed.json", "snapshots")
	if got := mustShowStore(t, s); !got.equal(want) {
		t.Errorf("the folder holds\n%v\nand must hold\n%v", got, want)
	}
	mustClose(t, s)
	if got := mustShow(t, dir); !got.equal(want) {
		t.Errorf("opened again, it holds\n%v\nand must hold\n%v", got, want)
	}
}

// Nor does any of it come back when the power goes right afterwards.
func TestPowerCutAfterScrubBringsNothingBack(t *testing.T) {
	s, dir := markedFolder(t)
	d := loadDisk(t, dir)
	s.OnSnapshotStep(watchSteps(dir, func(step fileStep) error {
		d.step(step)
		return nil
	}))
	mustScrub(t, s, 250)
	d.settle()
	states := 0
	for state := range d.all() {
		states++
		for name, content := range state {
			for _, what := range deletedThings {
				if bytes.Contains(content, marker(what)) {
					t.Fatalf("%s is in %s after a power cut", what, name)
				}
			}
		}
	}
	t.Logf("%d states", states)
}

func TestScrubStepsAreInTheOrderThatTheFormatArgues(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 50)
	for i := uint64(1); i <= 2; i++ {
		mustSnapshot(t, s, i, nil)
	}
	rec := &steps{dir: dir}
	s.OnSnapshotStep(rec.step)
	mustScrub(t, s, 7)
	want := []string{
		"rename snapshots/1-1-MS.tmp",
		"syncdir snapshots",
		"remove snapshots/1-1-MS.tmp",
		"syncdir snapshots",
		"remove raft.db.tmp",
		"create raft.db.tmp",
		"write raft.db.tmp",
		"sync raft.db.tmp",
		"rename raft.db",
		"syncdir .",
		"create scrubbed.json.tmp",
		"write scrubbed.json.tmp",
		"sync scrubbed.json.tmp",
		"rename scrubbed.json",
		"syncdir .",
	}
	if !slices.Equal(rec.done, want) {
		t.Errorf("steps are\n%s\nwant\n%s", strings.Join(rec.done, "\n"), strings.Join(want, "\n"))
	}
}

// scrubbable has something for every step of a scrub.
func scrubbable(t *testing.T) (*storage.Store, string, contents) {
	t.Helper()
	s, dir := createIn(t, memoryFolder(t))
	mustStore(t, s, 1, 300)
	mustSnapshot(t, s, 100, snapshotState(100))
	mustSnapshot(t, s, 200, snapshotState(200))
	for _, key := range stableKeys {
		if err := s.Stable().Set([]byte(key), []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Logs().DeleteRange(1, 150); err != nil {
		t.Fatal(err)
	}
	return s, dir, mustShowStore(t, s)
}

// wantScrubbed checks that a folder holds what it did, whether or not a scrub came to its end.
func wantScrubbed(t *testing.T, s *storage.Store, want contents, err error) {
	t.Helper()
	got := mustShowStore(t, s)
	if want.Scrubbed = got.Scrubbed; err == nil {
		want.Scrubbed = 7
	}
	want.Snapshots = got.Snapshots
	if len(got.Snapshots) == 0 || got.Snapshots[0] != 200 || !got.equal(want) {
		t.Fatalf("the folder holds\n%v\nand must hold\n%v", got, want)
	}
}

func TestCrashAtEveryStepOfAScrub(t *testing.T) {
	for stop := 1; ; stop++ {
		s, dir, want := scrubbable(t)
		rec := &steps{dir: dir, stop: stop}
		s.OnSnapshotStep(rec.step)
		err := s.Scrub(7)
		mustClose(t, s)
		s = mustOpen(t, dir)
		wantScrubbed(t, s, want, err)
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
			t.Errorf("stopped before step %d: Open left %v", stop, left)
		}
		mustStore(t, s, 301, 310)
		mustScrub(t, s, 7)
		wantLog(t, s, 151, 310)
		mustClose(t, s)
		if rec.count < stop {
			return // it ran to its end
		}
	}
}

// A step that fails is reported, and all goes on as before; but when the name of the new file can't
// be made durable, nothing is written any more, by this process.
func TestScrubThatFailsPoisonsNothingButWithoutAName(t *testing.T) {
	poisoned := 0
	for failing := 1; ; failing++ {
		s, dir, want := scrubbable(t)
		rec := &steps{dir: dir}
		s.OnSnapshotStep(func(op, path string) error {
			if err := rec.step(op, path); rec.count != failing {
				return err
			}
			return syscall.EIO
		})
		err := s.Scrub(7)
		if rec.count < failing {
			break
		}
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s fails, and the scrub says %v", rec.done[failing-1], err)
		}
		if failing > 1 && rec.done[failing-2] == "rename raft.db" {
			poisoned++
			wantScrubPoisoned(t, s, dir)
		} else {
			wantScrubbed(t, s, want, err)
			mustStore(t, s, 301, 310)
		}
		mustClose(t, s)
		wantScrubbedAtLast(t, dir)
	}
	if poisoned != 1 {
		t.Errorf("%d steps poison the store", poisoned)
	}
}

// wantScrubPoisoned: the process reads what it had, writes nothing, and nobody else has the folder.
func wantScrubPoisoned(t *testing.T, s *storage.Store, dir string) {
	t.Helper()
	if s.Err() == nil {
		t.Fatal("the name of the new file is not on disk, and the store goes on")
	}
	<-s.Failed()
	_, err := storage.Open(dir)
	wantSentence(t, err, "raft.db is locked")
	for what, err := range map[string]error{
		"Err": s.Err(), "StoreLog": s.Logs().StoreLog(entry(301)), "Scrub": s.Scrub(8),
	} {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v, want EIO", what, err)
		}
	}
	for i := uint64(151); i <= 300; i++ {
		wantEntry(t, s, i)
	}
}

// wantScrubbedAtLast opens the folder and scrubs it.
func wantScrubbedAtLast(t *testing.T, dir string) {
	t.Helper()
	s := mustOpen(t, dir)
	last, err := s.Logs().LastIndex()
	if err != nil || last != 300 && last != 310 {
		t.Fatalf("the log ends at %d (%v)", last, err)
	}
	wantLog(t, s, 151, last)
	mustScrub(t, s, 8)
	wantLog(t, s, 151, last)
	wantNames(t, dir, "manifest.json", "raft.db", "scrubbed.json", "snapshots")
	names, _ := os.ReadDir(filepath.Join(dir, "snapshots"))
	if len(names) != 1 || s.Scrubbed() != 8 {
		t.Errorf("%d snapshots are left, and scrubbed is %d", len(names), s.Scrubbed())
	}
	mustClose(t, s)
}

// Whatever happens to the log at any step of a scrub, in this process and in the next nothing is
// lost and nothing comes back.
func TestLogChangesWhileItIsScrubbed(t *testing.T) {
	replaced := of(9, entries(250, 320))
	overwrite := storing(replaced...)
	overwrite.what = "overwrite the tail"
	changes := []operation{
		storing(entries(301, 310)...),
		deleting(250, 300),
		{what: "replace the tail", do: func(s *storage.Store) error {
			return errors.Join(s.Logs().DeleteRange(250, 300), s.Logs().StoreLogs(replaced))
		}, steps: slices.Concat(deleting(250, 300).steps, storing(replaced...).steps)},
		overwrite,
		deleting(151, 180),
		deleting(151, 300),
		{what: "empty the log and fill it", do: func(s *storage.Store) error {
			return errors.Join(s.Logs().DeleteRange(1, 300), s.Logs().StoreLogs(entries(201, 220)))
		}, steps: slices.Concat(deleting(1, 300).steps, storing(entries(201, 220)...).steps)},
		setting("CurrentTerm", "12"),
		setting("LastVoteCand", "n4"),
		installing(5000, 14),
		installing(290, 14),
	}
	for _, change := range changes {
		t.Run(change.what, func(t *testing.T) {
			for at := 1; changedWhileScrubbed(t, change, at); at++ {
			}
		})
	}
}

// changedWhileScrubbed makes a change when a step of a scrub is about to be done, if there are so
// many.
func changedWhileScrubbed(t *testing.T, change operation, at int) bool {
	s, dir, _ := scrubbable(t)
	defer mustClose(t, s)
	if err := s.Logs().StoreLogs(large(20_000, entries(151, 300))); err != nil { // several batches
		t.Fatal(err)
	}
	want := mustShowStore(t, s)
	var begun atomic.Bool
	count, changed := 0, make(chan struct{})
	var changeErr error
	s.OnSnapshotStep(func(op, path string) error {
		if begun.Load() {
			return nil
		}
		if count++; count < at {
			return nil
		}
		begun.Store(true)
		go func() {
			changeErr = change.do(s)
			close(changed)
		}()
		if strings.HasSuffix(path, "raft.db.tmp") && op != "sync" { // no commit has to wait
			<-changed
		}
		return nil
	})
	mustScrub(t, s, 7)
	if !begun.Load() {
		return false
	}
	if <-changed; changeErr != nil {
		t.Fatal(changeErr)
	}
	for _, step := range change.steps {
		step(&want)
	}
	want.Scrubbed = 7
	wantContents(t, s, want)
	mustClose(t, s)
	wantContents(t, mustOpen(t, dir), want)
	return true
}

// wantContents does not look at snapshots but the newest.
func wantContents(t *testing.T, s *storage.Store, want contents) {
	t.Helper()
	got := mustShowStore(t, s)
	for _, c := range []*contents{&got, &want} {
		c.Snapshots = c.Snapshots[:min(1, len(c.Snapshots))]
	}
	if !got.equal(want) {
		t.Fatalf("the folder holds\n%v\nand must hold\n%v", got, want)
	}
}

// One writes, one reads what was acknowledged, one scrubs. Reads never miss.
func TestScrubWhileOthersWriteAndRead(t *testing.T) {
	s, dir := createIn(t, memoryFolder(t))
	mustStore(t, s, 1, 2000) // more than are in memory
	if err := s.Stable().Set([]byte("LastVoteCand"), []byte("n1")); err != nil {
		t.Fatal(err)
	}
	var low, high atomic.Uint64 // what may be read
	low.Store(1)
	high.Store(2000)
	var all sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	all.Go(func() { writeOn(ctx, t, s, &low, &high) })
	for range 2 {
		all.Go(func() { readOn(ctx, t, s, &low, &high) })
	}
	scrubs := uint64(0)
	for ctx.Err() == nil {
		if err := s.Scrub(scrubs + 1); err != nil {
			t.Errorf("scrub %d: %v", scrubs+1, err)
			break
		}
		scrubs++
	}
	all.Wait()
	t.Logf("%d scrubs, the log is %d to %d", scrubs, low.Load(), high.Load())
	want := mustShowStore(t, s)
	mustClose(t, s)
	s = mustOpen(t, dir)
	wantContents(t, s, want)
	wantLog(t, s, low.Load(), high.Load())
	term, err := s.Stable().GetUint64([]byte("CurrentTerm"))
	if err != nil || term != high.Load() || scrubs == 0 {
		t.Errorf("the term is %d (%v), stored was %d; %d scrubs", term, err, high.Load(), scrubs)
	}
}

// writeOn appends, replaces tails, and compacts.
func writeOn(ctx context.Context, t *testing.T, s *storage.Store, low, high *atomic.Uint64) {
	for round := 1; ctx.Err() == nil; round++ {
		last := high.Load()
		err := s.Logs().StoreLogs(of(99, entries(last+1, last+20)))
		if round%3 == 0 { // another leader's
			err = errors.Join(err, s.Logs().DeleteRange(last+1, last+20))
		}
		err = errors.Join(err, s.Logs().StoreLogs(entries(last+1, last+20)),
			s.Stable().SetUint64([]byte("CurrentTerm"), last+20))
		high.Store(last + 20)
		if round%5 == 0 {
			first := last - 1500
			_, snapshot := takeOwnSnapshot(s, last, snapshotState(last))
			low.Store(first)
			err = errors.Join(err, snapshot, s.Logs().DeleteRange(1, first-1))
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// readOn reads as Raft does. What was compacted since it looked may be gone.
func readOn(ctx context.Context, t *testing.T, s *storage.Store, low, high *atomic.Uint64) {
	for ctx.Err() == nil {
		from, to := low.Load(), high.Load()
		index := from + rand.Uint64N(to-from+1)
		var l raft.Log
		err := s.Logs().GetLog(index, &l)
		if gone := errors.Is(err, raft.ErrLogNotFound) && index < low.Load(); gone {
			continue
		}
		_, first := s.Logs().FirstIndex()
		_, last := s.Logs().LastIndex()
		_, vote := s.Stable().Get([]byte("LastVoteCand"))
		err = errors.Join(err, first, last, vote)
		if err != nil || string(l.Data) != string(entry(index).Data) {
			t.Errorf("entry %d is %q: %v", index, l.Data, err)
			return
		}
	}
}

// A disk may be slow on purpose, on fake time: who waits for the scrub lets the clock go on.
func TestScrubOnASlowDiskOnFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := create(t)
		mustStore(t, s, 1, 50)
		mustSnapshot(t, s, 10, nil)
		mustSnapshot(t, s, 20, nil)
		s.OnSnapshotStep(func(string, string) error {
			time.Sleep(time.Second)
			return nil
		})
		scrubbed := make(chan error)
		go func() { scrubbed <- s.Scrub(1) }()
		for i := uint64(51); ; i++ {
			mustStore(t, s, i, i)
			if i%10 == 0 {
				mustSnapshot(t, s, i, nil)
			}
			select {
			case err := <-scrubbed:
				if err != nil {
					t.Error(err)
				}
				mustClose(t, s)
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

// Closing ends a scrub, which then leaves the folder alone: somebody else may have it.
func TestCloseEndsAScrub(t *testing.T) {
	for at := 1; ; at++ {
		s, dir, want := scrubbable(t)
		count := 0
		closed := make(chan error, 1)
		s.OnSnapshotStep(func(string, string) error {
			if count++; count == at {
				go func() { closed <- s.Close() }()
				<-s.Closing()
			}
			return nil
		})
		err := s.Scrub(7)
		if count < at {
			mustClose(t, s)
			return
		}
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		wantSentence(t, s.Scrub(8), "closed")
		s = mustOpen(t, dir)
		wantScrubbed(t, s, want, err)
		mustClose(t, s)
	}
}

func TestScrubIsRefusedWhileAnOlderSnapshotIsWritten(t *testing.T) {
	s, dir := create(t)
	older, err1 := s.Snapshots().Create(1, 5, 1, configuration, 1, nil)
	newest := mustSnapshot(t, s, 10, nil)
	newer, err2 := s.Snapshots().Create(1, 20, 1, configuration, 1, nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	wantSentence(t, s.Scrub(1), older.ID(), "still being written", newest)
	if err := older.Cancel(); err != nil {
		t.Fatal(err)
	}
	mustScrub(t, s, 1)
	if err := newer.Close(); err != nil {
		t.Fatal(err)
	}
	wantNames(t, filepath.Join(dir, "snapshots"), newest, newer.ID())
}

func TestStatsAfterAScrub(t *testing.T) {
	s, _ := create(t)
	for i := uint64(1); i <= 300; i++ {
		l := entry(i)
		l.Data = make([]byte, 1000)
		if err := s.Logs().StoreLog(l); err != nil {
			t.Fatal(err)
		}
	}
	mustSnapshot(t, s, 250, nil)
	if err := s.Logs().DeleteRange(1, 200); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	mustScrub(t, s, 200)
	if got := s.Stats(); got != before {
		t.Errorf("a scrub makes %+v of %+v", got, before)
	}
	l := entry(301)
	l.Data = make([]byte, 1<<20) // the new file is small: it must grow
	if err := s.Logs().StoreLog(l); err != nil {
		t.Fatal(err)
	}
	got := s.Stats()
	weighs := got.LogBytesSinceSnapshot - before.LogBytesSinceSnapshot
	if got.Syncs != before.Syncs+3 || weighs != 1<<20+64 {
		t.Errorf("an entry later it is %+v, before it was %+v", got, before)
	}
}

func TestScrubbedNeverFallsAndIsReadStrictly(t *testing.T) {
	s, dir := create(t)
	for _, c := range []struct{ index, want uint64 }{{0, 0}, {250, 250}, {20, 250}} {
		if mustScrub(t, s, c.index); s.Scrubbed() != c.want {
			t.Errorf("after Scrub(%d) it is %d", c.index, s.Scrubbed())
		}
	}
	mustClose(t, s)
	path := filepath.Join(dir, "scrubbed.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "scrubbed.json", b)
	for i := range b {
		damaged := bytes.Clone(b)
		damaged[i] ^= 1
		wantRefused(t, dir, path, damaged, path)
	}
	wantRefused(t, dir, path, []byte(`{"format":2}`), path, "newer release")
	wantRefused(t, dir, path, nil, path)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if s = mustOpen(t, dir); s.Scrubbed() != 250 {
		t.Errorf("opened again it is %d", s.Scrubbed())
	}
}

func wantRefused(t *testing.T, dir, path string, content []byte, says ...string) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := storage.Open(dir)
	wantSentence(t, err, says...)
}

func FuzzScrubbed(f *testing.F) {
	seed(f, "scrubbed.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := storage.RecodeScrubbed(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("%q decodes and encodes to %q", b, again)
		}
	})
}
