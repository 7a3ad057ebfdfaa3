package storage_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/storage"
)

// A flipped bit in raft.db is refused by name or changes nothing that Raft reads. It never ends the process, and never
// shortens the log or loses a vote. (One that makes a pointer lead to an older page is beyond what can be seen: see
// docs/formats-storage.md. None of the pointers of this file is such a one.)
func TestFlippedBitInTheLogFileIsFoundOrHarmless(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 300)
	mustSnapshot(t, s, 50, []byte("state"))
	for _, key := range []string{"CurrentTerm", "LastVoteTerm"} {
		if err := s.Stable().SetUint64([]byte(key), 7); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Logs().DeleteRange(1, 30); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	path := filepath.Join(dir, "raft.db")
	clean, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, at := range placesToFlip(len(clean)) {
		b := bytes.Clone(clean)
		b[at] ^= 1 << (at * 5 % 8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if !foundOrHarmless(t, dir, at) {
			found++
		}
	}
	if found < 20 {
		t.Errorf("only %d flipped bits were found: the test does not reach the pages in use", found)
	}
}

// placesToFlip are the headers and first items of all pages, and every 997th byte.
func placesToFlip(size int) (places []int) {
	for at := range size {
		if at%4096 < 34 && at%4096%4 == 2 || at%997 == 0 {
			places = append(places, at)
		}
	}
	return places
}

// foundOrHarmless is true when the folder opened as if nothing were wrong.
func foundOrHarmless(t *testing.T, dir string, at int) bool {
	t.Helper()
	s, err := storage.Open(dir)
	if err != nil {
		if !strings.Contains(err.Error(), filepath.Join(dir, "raft.db")) {
			t.Fatalf("byte %d: %v does not name raft.db", at, err)
		}
		return false
	}
	defer mustClose(t, s)
	last, err := s.Logs().LastIndex()
	if err != nil || last != 300 {
		t.Fatalf("byte %d: the log ends at %d (%v)", at, last, err)
	}
	for i := uint64(51); i <= 300; i++ {
		wantEntry(t, s, i)
	}
	for _, key := range []string{"CurrentTerm", "LastVoteTerm"} {
		if n, err := s.Stable().GetUint64([]byte(key)); err != nil || n != 7 {
			t.Fatalf("byte %d: %s is %d (%v)", at, key, n, err)
		}
	}
	return true
}
