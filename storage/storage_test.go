package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"keyquorum/storage"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("STORAGE_TEST_CHILD"); role != "" {
		runChild(role)
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(recorderFolder)
		os.Exit(code)
	}))
}

var manifest = storage.Manifest{
	ClusterID: "0123456789abcdef0123456789abcdef",
	NodeID:    "fedcba9876543210fedcba9876543210",
	Voter:     true,
}

func create(t testing.TB) (*storage.Store, string) {
	t.Helper()
	return createIn(t, t.TempDir())
}

func createIn(t testing.TB, parent string) (*storage.Store, string) {
	t.Helper()
	dir := filepath.Join(parent, "cluster")
	s, err := storage.Create(dir, manifest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func mustOpen(t testing.TB, dir string) *storage.Store {
	t.Helper()
	s, err := storage.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustClose(t testing.TB, s *storage.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// entry is the log entry that every test expects at an index.
func entry(index uint64) *raft.Log {
	return &raft.Log{Index: index, Term: 1 + index/100, Type: raft.LogCommand,
		Data: fmt.Appendf(nil, "entry %d", index)}
}

func entries(low, high uint64) []*raft.Log {
	var all []*raft.Log
	for i := low; i <= high; i++ {
		all = append(all, entry(i))
	}
	return all
}

func mustStore(t testing.TB, s *storage.Store, low, high uint64) {
	t.Helper()
	if err := s.Logs().StoreLogs(entries(low, high)); err != nil {
		t.Fatal(err)
	}
}

// wantLog checks that the log is exactly the entries from low to high.
func wantLog(t testing.TB, s *storage.Store, low, high uint64) {
	t.Helper()
	first, err1 := s.Logs().FirstIndex()
	last, err2 := s.Logs().LastIndex()
	if err := errors.Join(err1, err2); err != nil || first != low || last != high {
		t.Fatalf("log is %d to %d (%v), want %d to %d", first, last, err, low, high)
	}
	for i := low; i <= high; i++ {
		wantEntry(t, s, i)
	}
	var l raft.Log
	for _, i := range []uint64{low - 1, high + 1} {
		if err := s.Logs().GetLog(i, &l); !errors.Is(err, raft.ErrLogNotFound) {
			t.Fatalf("entry %d: %v, want ErrLogNotFound", i, err)
		}
	}
}

func wantEntry(t testing.TB, s *storage.Store, i uint64) {
	t.Helper()
	var l raft.Log
	if err := s.Logs().GetLog(i, &l); err != nil {
		t.Fatalf("entry %d: %v", i, err)
	}
	want := entry(i)
	if l.Index != i || l.Term != want.Term || l.Type != want.Type || !bytes.Equal(l.Data, want.Data) ||
		len(l.Extensions) != 0 {
		t.Fatalf("entry %d is %+v", i, l)
	}
}

var configuration = raft.Configuration{Servers: []raft.Server{
	{Suffrage: raft.Voter, ID: "fedcba9876543210fedcba9876543210", Address: "10.0.0.1:8201"},
	{Suffrage: raft.Nonvoter, ID: "00000000000000000000000000000001", Address: "[::1]:8201"},
}}

// takeSnapshot writes a snapshot of state at index, as if the entry were the one that every test
// expects there, and returns its id.
func takeSnapshot(s *storage.Store, index uint64, state []byte) (string, error) {
	return takeSnapshotAt(s, index, entry(index).Term, state)
}

func takeSnapshotAt(s *storage.Store, index, term uint64, state []byte) (string, error) {
	sink, err := s.Snapshots().Create(1, index, term, configuration, 1, nil)
	if err != nil {
		return "", err
	}
	for rest := state; len(rest) > 0; {
		n := min(len(rest), 1000)
		if _, err := sink.Write(rest[:n]); err != nil {
			return "", errors.Join(err, sink.Cancel())
		}
		rest = rest[n:]
	}
	return sink.ID(), sink.Close()
}

func mustSnapshot(t testing.TB, s *storage.Store, index uint64, state []byte) string {
	t.Helper()
	id, err := takeSnapshot(s, index, state)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func readState(s *storage.Store, id string) (*raft.SnapshotMeta, []byte, error) {
	meta, r, err := s.Snapshots().Open(id)
	if err != nil {
		return nil, nil, err
	}
	state, err := io.ReadAll(r)
	return meta, state, errors.Join(err, r.Close())
}

// wantSentence checks that err names everything a reader needs.
func wantSentence(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %q, want it to contain %q", err, part)
		}
	}
}

func TestLogAndStableStoreSurviveClosing(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 300)
	if err := s.Stable().SetUint64([]byte("CurrentTerm"), 7); err != nil {
		t.Fatal(err)
	}
	if err := s.Stable().Set([]byte("LastVoteCand"), []byte("n1")); err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, 1, 300)
	mustClose(t, s)
	s = mustOpen(t, dir)
	wantLog(t, s, 1, 300)
	if term, err := s.Stable().GetUint64([]byte("CurrentTerm")); err != nil || term != 7 {
		t.Errorf("term is %d (%v), want 7", term, err)
	}
	if vote, err := s.Stable().Get([]byte("LastVoteCand")); err != nil || string(vote) != "n1" {
		t.Errorf("vote is %q (%v), want n1", vote, err)
	}
	if m := s.Manifest(); m.ClusterID != manifest.ClusterID || m.NodeID != manifest.NodeID ||
		!m.Voter || m.Format != 1 {
		t.Errorf("manifest is %+v", m)
	}
}

func TestMissingKeyIsRaftsNotFound(t *testing.T) {
	s, _ := create(t)
	if _, err := s.Stable().Get([]byte("x")); err == nil || err.Error() != "not found" {
		t.Errorf("Get: %v, want the text that Raft compares with", err)
	}
	if n, err := s.Stable().GetUint64([]byte("x")); n != 0 || err == nil ||
		err.Error() != "not found" {
		t.Errorf("GetUint64: %d, %v", n, err)
	}
}

func TestEntriesKeepTheirExtensions(t *testing.T) {
	s, dir := create(t)
	in := &raft.Log{Index: 1, Term: 1, Data: []byte("d"), Extensions: []byte("ext")}
	if err := s.Logs().StoreLog(in); err != nil {
		t.Fatal(err)
	}
	if string(in.Extensions) != "ext" {
		t.Errorf("Raft's own entry was changed: %q", in.Extensions)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	var out raft.Log
	if err := s.Logs().GetLog(1, &out); err != nil || string(out.Extensions) != "ext" ||
		string(out.Data) != "d" {
		t.Errorf("read back %+v (%v)", out, err)
	}
}

func TestReadingIntoAUsedEntryLeavesTheCacheAlone(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 1000) // the first half only on disk
	var l raft.Log
	for _, i := range []uint64{1000, 1, 999, 2} {
		if err := s.Logs().GetLog(i, &l); err != nil {
			t.Fatal(err)
		}
	}
	wantLog(t, s, 1, 1000)
	mustClose(t, s)
	mustOpen(t, dir)
}

func TestConflictingTailIsReplaced(t *testing.T) {
	s, dir := create(t)
	wrong := entries(1, 100)
	for _, l := range wrong[50:] {
		l.Data = []byte("of a deposed leader")
	}
	if err := s.Logs().StoreLogs(wrong); err != nil {
		t.Fatal(err)
	}
	if err := s.Logs().DeleteRange(51, 100); err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, 1, 50)
	mustStore(t, s, 51, 60)
	wantLog(t, s, 1, 60)
	mustClose(t, s)
	wantLog(t, mustOpen(t, dir), 1, 60)
}

func TestCompactionInSteps(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 10_000)
	mustSnapshot(t, s, 9_900, []byte("state"))
	if err := s.Logs().DeleteRange(1, 9_000); err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, 9_001, 10_000)
	if err := s.Logs().DeleteRange(1, 9_001); err != nil { // a range that begins before the log does
		t.Fatal(err)
	}
	mustClose(t, s)
	wantLog(t, mustOpen(t, dir), 9_002, 10_000)
}

// A crash between two steps leaves a log that begins later.
func TestCompactionThatEndsBetweenTwoSteps(t *testing.T) {
	begins := []uint64{1, 2049, 4097, 5001}
	for failAt := 1; failAt < len(begins); failAt++ {
		for arrives, first := range map[bool]uint64{false: begins[failAt-1], true: begins[failAt]} {
			s, dir := create(t)
			mustStore(t, s, 1, 6000)
			mustSnapshot(t, s, 5500, []byte("state"))
			breakDisk(s, failAt, arrives)
			if err := s.Logs().DeleteRange(1, 5000); !errors.Is(err, syscall.EIO) {
				t.Fatalf("step %d fails, and the compaction says %v", failAt, err)
			}
			mustClose(t, s)
			s = mustOpen(t, dir)
			wantLog(t, s, first, 6000)
			mustClose(t, s)
		}
	}
}

func TestLogIsNotMonotonic(t *testing.T) {
	s, _ := create(t)
	if m, ok := s.Logs().(raft.MonotonicLogStore); ok && m.IsMonotonic() {
		t.Error("after a snapshot Raft would delete entries behind it, and go on as if they were there")
	}
}

func TestModesArePrivate(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 10)
	mustSnapshot(t, s, 5, []byte("state"))
	mustClose(t, s)
	if err := storage.WriteFile(filepath.Join(dir, "other"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		seen++
		return nil
	})
	if err != nil || seen != 8 { // cluster, manifest, raft.db, other, snapshots, one snapshot with two files
		t.Errorf("%d names in the folder (%v), want 8", seen, err)
	}
}

func TestStatsCountSyncsAndWeighTheLog(t *testing.T) {
	s, dir := create(t)
	if got := s.Stats(); got != (storage.Stats{}) {
		t.Errorf("a new store has %+v", got)
	}
	data := bytes.Repeat([]byte("x"), 1000)
	for i := uint64(1); i <= 300; i++ {
		l := entry(i)
		l.Data = data
		if err := s.Logs().StoreLog(l); err != nil {
			t.Fatal(err)
		}
	}
	stats := s.Stats()
	if stats.LogBytesSinceSnapshot != 300*1064 {
		t.Errorf("%d bytes of log, want 319,200", stats.LogBytesSinceSnapshot)
	}
	if stats.Syncs < 601 || stats.Syncs > 620 || stats.SlowestSync <= 0 {
		t.Errorf("%d syncs, slowest %v: want two for each of 300 commits and one for each growing of the file",
			stats.Syncs, stats.SlowestSync)
	}
	mustSnapshot(t, s, 200, []byte("state"))
	wantWeight(t, s, 100*1064)
	mustClose(t, s)
	s = mustOpen(t, dir)
	wantWeight(t, s, 100*1064)
	mustSnapshot(t, s, 300, []byte("state"))
	if got := s.Stats().LogBytesSinceSnapshot; got != 0 {
		t.Errorf("%d bytes behind a snapshot of everything, want 0", got)
	}
}

func wantWeight(t *testing.T, s *storage.Store, want int64) {
	t.Helper()
	if got := s.Stats().LogBytesSinceSnapshot; got < want || got > want+64<<10+2000 {
		t.Errorf("log weighs %d, want %d or up to 64 KiB more", got, want)
	}
}

func TestCreateRefusesWhatIsThereAndWhatIsNoID(t *testing.T) {
	_, dir := create(t)
	if _, err := storage.Create(dir, manifest); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create on a folder: %v, want fs.ErrExist", err)
	}
	for _, id := range []string{"", "0123", "0123456789ABCDEF0123456789ABCDEF",
		"../../../../../../../../../../etc"} {
		m := manifest
		m.NodeID = id
		if _, err := storage.Create(filepath.Join(t.TempDir(), "new"), m); err == nil {
			t.Errorf("Create with node id %q succeeded", id)
		}
	}
}

func TestOpenRefusesBySentence(t *testing.T) {
	write := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, string)
		want  []string
	}{
		"foreign folder": {remove("manifest.json"),
			[]string{"manifest.json", "no folder of a cluster member"}},
		"newer format": {write("manifest.json", `{"format":2,"shiny":true}`),
			[]string{"manifest.json", "format 2", "newer release"}},
		"not JSON": {write("manifest.json", "hello"),
			[]string{"manifest.json", "not in the form"}},
		"log is missing": {remove("raft.db"), []string{"raft.db is missing"}},
		"log is empty":   {write("raft.db", ""), []string{"raft.db", "meta page"}},
		"log is something": {write("raft.db", strings.Repeat("hello ", 10_000)),
			[]string{"raft.db", "damaged"}},
		"log is cut": {func(t *testing.T, dir string) {
			cut(t, filepath.Join(dir, "raft.db"),
				9000)
		}, []string{"raft.db", "damaged", "9000"}},
		"snapshots missing": {remove("snapshots"), []string{"snapshots is missing"}},
		"a snapshot was lost": {func(t *testing.T, dir string) {
			removeAllIn(t,
				filepath.Join(dir, "snapshots"))
		}, []string{"raft.db begins with entry 41", "a snapshot was lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := create(t)
			mustStore(t, s, 1, 100)
			mustSnapshot(t, s, 50, []byte("state"))
			if err := s.Logs().DeleteRange(1, 40); err != nil {
				t.Fatal(err)
			}
			mustClose(t, s)
			c.spoil(t, dir)
			_, err := storage.Open(dir)
			wantSentence(t, err, append(c.want, dir)...)
		})
	}
}

func cut(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func removeAllIn(t *testing.T, dir string) {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefusesALockedFolder(t *testing.T) {
	s, dir := create(t)
	_, err := storage.Open(dir)
	wantSentence(t, err, "raft.db is locked", "another process", dir)
	mustStore(t, s, 1, 10) // and its owner goes on
	mustClose(t, s)
	wantLog(t, mustOpen(t, dir), 1, 10)
}

func TestClosedStoreRefusesWithoutPoison(t *testing.T) {
	s, _ := create(t)
	mustClose(t, s)
	wantSentence(t, s.Logs().StoreLogs(entries(1, 1)), "closed")
	if s.Err() != nil {
		t.Errorf("closing poisoned the store: %v", s.Err())
	}
}

func TestGoldenManifest(t *testing.T) {
	s, dir := create(t)
	mustClose(t, s)
	got, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "manifest.json", got)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%swant\n%s", name, got, want)
	}
}

func TestSmallFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal")
	if _, err := storage.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile of a missing file: %v, want fs.ErrNotExist", err)
	}
	for _, content := range []string{"one", "two", ""} {
		if err := storage.WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := storage.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("read back %q (%v), want %q", got, err, content)
		}
	}
	wantSentence(t, storage.WriteFile(path, make([]byte, 1<<20+1)), path, "more than")
	if err := os.WriteFile(path, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := storage.ReadFile(path)
	wantSentence(t, err, path, "longer than")
}

func TestRenameDirHasOneWinner(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(dir, "cluster")
	if err := storage.RenameDir(filepath.Join(dir, "a"), target); err != nil {
		t.Fatal(err)
	}
	if err := storage.RenameDir(filepath.Join(dir, "b"), target); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second RenameDir: %v, want fs.ErrExist", err)
	}
}

// What is put aside shows nowhere in the folder, and is read while it is open.
func TestWhatIsAsideHasNoName(t *testing.T) {
	s, dir := create(t)
	aside, err := s.Aside()
	if err != nil {
		t.Fatal(err)
	}
	defer aside.Close()
	aside.WriteString("for a moment")
	if left, _ := os.ReadDir(dir + "/snapshots"); len(left) > 0 {
		t.Errorf("the folder has %v", left)
	}
	b := make([]byte, 12)
	if _, err := aside.ReadAt(b, 0); err != nil || string(b) != "for a moment" {
		t.Errorf("it reads %q, %v", b, err)
	}
}
