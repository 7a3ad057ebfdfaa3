package storage_test

import (
	"errors"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/storage"
)

// A failingDisk fails the nth write and, if it lies, is healthy afterwards. It fails before or
// after the bytes arrived.
type failingDisk struct {
	storage.Backend
	mu      sync.Mutex
	writes  int
	failAt  int
	arrives bool
}

func (f *failingDisk) write(do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.writes != f.failAt {
		return do()
	}
	if f.arrives {
		if err := do(); err != nil {
			return err
		}
	}
	return syscall.EIO
}

func (f *failingDisk) StoreLogs(l []*raft.Log) error {
	return f.write(func() error { return f.Backend.StoreLogs(l) })
}
func (f *failingDisk) DeleteRange(low, high uint64) error {
	return f.write(func() error { return f.Backend.DeleteRange(low, high) })
}
func (f *failingDisk) Set(k, v []byte) error {
	return f.write(func() error { return f.Backend.Set(k, v) })
}

func breakDisk(s *storage.Store, failAt int, arrives bool) *failingDisk {
	var f *failingDisk
	s.Break(func(b storage.Backend) storage.Backend {
		f = &failingDisk{Backend: b, failAt: failAt, arrives: arrives}
		return f
	})
	return f
}

var writes = map[string]func(*storage.Store) error{
	"StoreLogs":   func(s *storage.Store) error { return s.Logs().StoreLogs(entries(11, 20)) },
	"StoreLog":    func(s *storage.Store) error { return s.Logs().StoreLog(entry(11)) },
	"DeleteRange": func(s *storage.Store) error { return s.Logs().DeleteRange(1, 2) },
	"Set": func(s *storage.Store) error {
		return s.Stable().Set([]byte("LastVoteCand"),
			[]byte("n2"))
	},
	"SetUint64": func(s *storage.Store) error {
		return s.Stable().SetUint64([]byte("CurrentTerm"),
			8)
	},
}

func TestFirstFailedWritePoisons(t *testing.T) {
	for name, write := range writes {
		for _, arrives := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s, dir := create(t)
				mustStore(t, s, 1, 10)
				mustSnapshot(t, s, 5, []byte("state"))
				if err := s.Stable().SetUint64([]byte("CurrentTerm"), 7); err != nil {
					t.Fatal(err)
				}
				disk := breakDisk(s, 1, arrives)
				err := write(s)
				if !errors.Is(err, syscall.EIO) {
					t.Fatalf("the failing write says %v, want EIO", err)
				}
				wantSentence(t, err, filepath.Join(dir, "raft.db"), "nothing more is written")
				wantPoisoned(t, s, disk)
				mustClose(t, s)
				wantAfterPoison(t, dir, arrives)
			})
		}
	}
}

// wantPoisoned checks that nothing is written any more although the disk is healthy again.
func wantPoisoned(t *testing.T, s *storage.Store, disk *failingDisk) {
	t.Helper()
	select {
	case <-s.Failed():
	default:
		t.Fatal("Failed is not closed")
	}
	if !errors.Is(s.Err(), syscall.EIO) {
		t.Errorf("Err is %v, want EIO", s.Err())
	}
	for name, write := range writes {
		if err := write(s); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s after the failure: %v, want EIO", name, err)
		}
	}
	if disk.writes != 1 {
		t.Errorf("the disk was asked %d times, want once", disk.writes)
	}
	wantReadsAfterPoison(t, s)
}

// wantReadsAfterPoison: what was acknowledged is read for Raft's sake, what was not is never shown.
func wantReadsAfterPoison(t *testing.T, s *storage.Store) {
	t.Helper()
	for i := uint64(3); i <= 10; i++ {
		wantEntry(t, s, i)
	}
	var l raft.Log
	_, errFirst := s.Logs().FirstIndex()
	_, errLast := s.Logs().LastIndex()
	_, errTerm := s.Stable().GetUint64([]byte("CurrentTerm"))
	for what, err := range map[string]error{
		"GetLog of an unacknowledged entry": s.Logs().GetLog(11, &l), "FirstIndex": errFirst,
		"LastIndex": errLast, "GetUint64": errTerm,
	} {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s after the failure: %v, want EIO", what, err)
		}
	}
}

// wantAfterPoison: the next process finds all that was acknowledged; of the write that failed all
// or nothing.
func wantAfterPoison(t *testing.T, dir string, arrived bool) {
	t.Helper()
	s := mustOpen(t, dir)
	last, err := s.Logs().LastIndex()
	if err != nil || last < 10 || (last > 10 && !arrived) {
		t.Fatalf("log ends at %d (%v)", last, err)
	}
	for i := uint64(3); i <= last; i++ {
		wantEntry(t, s, i)
	}
	if term, err := s.Stable().GetUint64([]byte("CurrentTerm")); err != nil || term < 7 {
		t.Errorf("term is %d (%v), 7 was acknowledged", term, err)
	}
	mustStore(t, s, last+1, last+5)
}

func TestNoWriteBeginsBeforeItIsKnownHowTheLastEnded(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 10)
	disk := breakDisk(s, 50, false)
	var all sync.WaitGroup
	acknowledged := make([]uint64, 4)
	for w := range acknowledged {
		all.Go(func() {
			key := []byte{byte('a' + w)}
			for n := uint64(1); s.Stable().SetUint64(key, n) == nil; n++ {
				acknowledged[w] = n
			}
		})
	}
	all.Wait()
	if disk.writes != 50 {
		t.Errorf("the disk was asked %d times, want 50", disk.writes)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	for w, want := range acknowledged {
		if want == 0 {
			continue
		}
		if got, err := s.Stable().GetUint64([]byte{byte('a' + w)}); err != nil || got != want {
			t.Errorf("writer %d reads back %d (%v), acknowledged was %d", w, got, err, want)
		}
	}
}
