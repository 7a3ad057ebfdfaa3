package storage_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/storage"
)

// A snapshot of an entry that the log does not hold comes from a leader, and takes with it what the
// log holds up to there: it may be what nobody else took. What lies behind stays, for Raft knows
// the log's end by heart. In the next process it is the same.
func TestLogYieldsToASnapshotThatOvertookIt(t *testing.T) {
	for _, row := range []struct {
		says           string
		log            []*raft.Log
		snapshot, term uint64
		low, high      uint64 // the log then; 0: none
	}{
		{says: "its own", log: entries(1, 100), snapshot: 60, term: 1, low: 1, high: 100},
		{says: "its own, of the last entry", log: entries(1, 60), snapshot: 60, term: 1, low: 1,
			high: 60},
		{says: "ends before it", log: entries(1, 59), snapshot: 60, term: 1},
		{says: "ends long before it", log: entries(1, 59), snapshot: 1 << 40, term: 7},
		{says: "ends with it, in another term", log: entries(1, 60), snapshot: 60, term: 2},
		{says: "goes on behind it, in another term", log: entries(1, 99), snapshot: 60, term: 2, low: 61,
			high: 99},
		{says: "begins with it, in another term", log: entries(1, 99), snapshot: 1, term: 2, low: 2,
			high: 99},
		{says: "in many steps", log: entries(1, 9000), snapshot: 8000, term: 99, low: 8001, high: 9000},
		{says: "empty", snapshot: 60, term: 1},
	} {
		t.Run(row.says, func(t *testing.T) {
			s, dir := create(t)
			if err := s.Logs().StoreLogs(row.log); err != nil {
				t.Fatal(err)
			}
			if _, err := takeSnapshotAt(s, row.snapshot, row.term, snapshotState(row.snapshot)); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, s, row.low, row.high, 9000)
			mustClose(t, s)
			s = mustOpen(t, dir)
			wantOnly(t, s, row.low, row.high, 9000)
			next := max(row.high, row.snapshot) + 1
			mustStore(t, s, next, next+5)
			mustClose(t, s)
			wantEntry(t, mustOpen(t, dir), next)
		})
	}
}

// wantOnly checks that of the entries from 1 to last, also those that were read or stored before,
// the log holds low to high.
func wantOnly(t *testing.T, s *storage.Store, low, high, last uint64) {
	t.Helper()
	first, err1 := s.Logs().FirstIndex()
	end, err2 := s.Logs().LastIndex()
	if err := errors.Join(err1, err2); err != nil || first != low || end != high {
		t.Fatalf("the log is %d to %d (%v), want %d to %d", first, end, err, low, high)
	}
	for i := uint64(1); i <= last; i++ {
		var l raft.Log
		err := s.Logs().GetLog(i, &l)
		if there := low <= i && i <= high; there != (err == nil) || !there &&
			!errors.Is(err, raft.ErrLogNotFound) {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
}

// The snapshot is in place, and the disk fails at the first, second, … deletion of what lies below:
// it is reported, and the next process does the rest before anybody sees the log.
func TestLogYieldsAtTheNextStart(t *testing.T) {
	for failAt := 1; failAt <= 4; failAt++ {
		for _, arrives := range []bool{false, true} {
			s, dir := create(t)
			mustStore(t, s, 1, 7000)
			breakDisk(s, failAt, arrives)
			if _, err := takeSnapshotAt(s, 6500, 99, snapshotState(6500)); !errors.Is(err, syscall.EIO) {
				t.Fatalf("deletion %d fails, and the snapshot says %v", failAt, err)
			}
			<-s.Failed()
			mustClose(t, s)
			s = mustOpen(t, dir)
			wantNewestSnapshot(t, s, 6500)
			wantOnly(t, s, 6501, 7000, 7000)
			mustClose(t, s)
		}
	}
}
