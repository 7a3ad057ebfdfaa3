package storage_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/internal/heavy"
	"keyquorum/storage"
)

// A damage alters one byte.
type damage func(b byte, at int) byte

var damages = []damage{
	func(b byte, at int) byte { return b ^ 1<<(at*5%8) },
	func(b byte, _ int) byte { return ^b },
}

// A damaged byte is refused by name or changes nothing that Raft reads. It never ends the process,
// never shortens the log and never loses a vote. (One that makes a pointer in raft.db lead to an
// older copy of the right page is beyond what can be seen: see docs/formats-storage.md. None of the
// pointers here is such a one.)
func TestDamagedByteIsFoundOrHarmless(t *testing.T) {
	heavy.Test(t)
	t.Parallel()
	dir := smallMember(t)
	for _, file := range filesOf(t, dir) {
		places := everyNth(1)
		switch {
		case filepath.Base(file) == "raft.db":
			places = headersAndEveryNth(ifDeep(1, 89))
		case filepath.Base(file) == "state":
			places = everyNth(ifDeep(1, 41))
		}
		t.Run(strings.TrimPrefix(file, dir+"/"),
			func(t *testing.T) { wantFoundOrHarmless(t, dir, file, places) })
	}
}

// A log file of many pages has branches, and pages that were in use once.
func TestDamagedByteInALargerLogIsFoundOrHarmless(t *testing.T) {
	heavy.Test(t)
	t.Parallel()
	dir := largerMember(t)
	wantFoundOrHarmless(t, dir, filepath.Join(dir, "raft.db"), headersAndEveryNth(ifDeep(7, 1999)))
}

// A small bucket lies in the value that names it, where its page number is 0. Any other number may
// be that of an older copy.
func TestSmallBucketWithAPageNumberIsRefused(t *testing.T) {
	dir := smallMember(t)
	db := filepath.Join(dir, "raft.db")
	b, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("logs\x00\x00\x00\x00\x00\x00\x00\x00"))
	if at < 0 {
		t.Fatal("the log is not in the page of its bucket")
	}
	for page := range byte(8) {
		b[at+4] = page
		if err := os.WriteFile(db, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := storage.Open(dir)
		if page == 0 && err == nil {
			mustClose(t, s)
			continue
		}
		wantSentence(t, err, db, "damaged")
	}
}

// smallMember has everything: log, term, vote, and two snapshots.
func smallMember(t *testing.T) (dir string) {
	s, dir := createIn(t, memoryFolder(t))
	defer mustClose(t, s)
	mustStore(t, s, 1, 12)
	for _, key := range stableKeys {
		if err := s.Stable().Set([]byte(key), []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	mustSnapshot(t, s, 4, snapshotState(4))
	mustSnapshot(t, s, 6, snapshotState(6))
	if err := s.Logs().DeleteRange(1, 3); err != nil {
		t.Fatal(err)
	}
	return dir
}

func largerMember(t *testing.T) (dir string) {
	s, dir := createIn(t, memoryFolder(t))
	defer mustClose(t, s)
	mustStore(t, s, 1, 300)
	mustSnapshot(t, s, 50, snapshotState(50))
	if err := s.Stable().SetUint64([]byte("CurrentTerm"), 7); err != nil {
		t.Fatal(err)
	}
	if err := s.Logs().DeleteRange(1, 30); err != nil {
		t.Fatal(err)
	}
	return dir
}

func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.*", "snapshots/*/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) != 6 { // manifest, raft.db, and two of each snapshot
		t.Fatalf("the folder has %v", files)
	}
	return files
}

func everyNth(n int) func(at int) bool { return func(at int) bool { return at%n == 0 } }

// headersAndEveryNth reaches the headers and first items of all pages.
func headersAndEveryNth(n int) func(at int) bool {
	return func(at int) bool { return at%4096 < 34 && at%4096%4 == 2 || at%n == 0 }
}

// wantFoundOrHarmless damages the file at all places of it, with each damage in turn, or with both.
func wantFoundOrHarmless(t *testing.T, dir, file string, places func(at int) bool) {
	t.Helper()
	clean, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := mustShow(t, dir)
	found, tried := 0, 0
	for at := range clean {
		if !places(at) {
			continue
		}
		for i, damaged := range damages {
			if !deep && i != tried%2 {
				continue
			}
			b := bytes.Clone(clean)
			b[at] = damaged(b[at], at)
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if !readsAs(t, dir, file, want,
				fmt.Sprintf("byte %d, %#x instead of %#x", at, b[at], clean[at])) {
				found++
			}
		}
		tried++
	}
	if err := os.WriteFile(file, clean, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d places, %d damages found", tried, found)
	if found < 15 {
		t.Errorf("only %d damages at %d places were found: the test does not reach what is in use", found,
			tried)
	}
}

func mustShow(t *testing.T, dir string) contents {
	t.Helper()
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	c, err := show(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// readsAs is true when everything is read as if nothing were wrong.
func readsAs(t *testing.T, dir, file string, want contents, what string) bool {
	t.Helper()
	named := file
	s, err := storage.Open(dir)
	var got contents
	if err == nil {
		defer mustClose(t, s)
		if got, err = show(s); filepath.Base(file) == "raft.db" {
			named = "raft.db" // of an entry before the snapshot, which Open does not read
		}
	}
	leftOut := want.clone()
	leftOut.Snapshots = want.Snapshots[:1]
	switch {
	case err != nil && !strings.Contains(err.Error(), named):
		t.Fatalf("%s: %v does not name %s", what, err, named)
	case err == nil && !got.equal(want) &&
		!got.equal(leftOut): // an older snapshot may be left out of the list
		t.Fatalf("%s: read as %v", what, got)
	}
	return err == nil && got.equal(want)
}
