package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// A logs is Raft's log in raft.db. Each entry carries a CRC-32C at the end of its Extensions,
// because bolt has no checksums: a leader would hand a flipped bit to everyone, a follower would
// apply it.
type logs struct {
	db      backend
	commits *commits
	cache   logCache
	stored  atomic.Uint64 // index of the newest entry that is safely on disk
	changed atomic.Uint64 // see noteChange
}

const (
	crcSize = 4
	// entryOverhead is counted for each entry besides its data: key, page and framing.
	entryOverhead = 64
	// deleteStep bounds the entries that one transaction deletes, and so how long compaction keeps new
	// entries waiting.
	deleteStep = 2048
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entryCRC covers what decides an entry. AppendedAt is left out: it is for people.
func entryCRC(l *raft.Log, extensions []byte) uint32 {
	head := make([]byte, 0, 25)
	head = binary.BigEndian.AppendUint64(head, l.Index)
	head = binary.BigEndian.AppendUint64(head, l.Term)
	head = append(head, byte(l.Type))
	head = binary.BigEndian.AppendUint64(head, uint64(len(l.Data)))
	crc := crc32.Update(0, castagnoli, head)
	crc = crc32.Update(crc, castagnoli, l.Data)
	return crc32.Update(crc, castagnoli, extensions)
}

// withCRC returns copies that carry their checksum. The originals belong to Raft, which sends them
// on.
func withCRC(entries []*raft.Log) []*raft.Log {
	copies := make([]raft.Log, len(entries))
	checked := make([]*raft.Log, len(entries))
	for i, e := range entries {
		copies[i] = *e
		extensions := make([]byte, 0, len(e.Extensions)+crcSize)
		extensions = append(extensions, e.Extensions...)
		copies[i].Extensions = binary.BigEndian.AppendUint32(extensions, entryCRC(e, e.Extensions))
		checked[i] = &copies[i]
	}
	return checked
}

// withoutCRC takes the checksum off an entry that was read, if it is right.
func withoutCRC(l *raft.Log, index uint64) error {
	n := len(l.Extensions) - crcSize
	if l.Index != index || n < 0 ||
		binary.BigEndian.Uint32(l.Extensions[n:]) != entryCRC(l, l.Extensions[:n]) {
		return fmt.Errorf("storage: entry %d of %s is %w", index, boltName, errDamaged)
	}
	l.Extensions = l.Extensions[:n:n]
	if n == 0 {
		l.Extensions = nil
	}
	return nil
}

// FirstIndex returns the index of the oldest entry, 0 for none.
func (s *logs) FirstIndex() (uint64, error) {
	if err := s.commits.err(); err != nil {
		return 0, err
	}
	return s.db.FirstIndex()
}

// LastIndex returns the index of the newest entry, 0 for none.
func (s *logs) LastIndex() (uint64, error) {
	if err := s.commits.err(); err != nil {
		return 0, err
	}
	return s.db.LastIndex()
}

// GetLog reads an entry, or raft.ErrLogNotFound. After a failure it still reads what was
// acknowledged before, and only that.
func (s *logs) GetLog(index uint64, l *raft.Log) error {
	if err := s.commits.err(); err != nil && index > s.stored.Load() {
		return err
	}
	if s.cache.load(index, l) {
		return nil
	}
	return s.read(index, l)
}

// read decodes into an entry of its own: a decoder may write into the slices that it finds.
func (s *logs) read(index uint64, l *raft.Log) error {
	fresh, err := s.fetch(index)
	if err != nil {
		return err
	}
	if err := withoutCRC(&fresh, index); err != nil {
		return err
	}
	*l = fresh
	return nil
}

// fetch reads an entry as it is on disk, with its checksum.
func (s *logs) fetch(index uint64) (l raft.Log, err error) {
	err = s.db.GetLog(index, &l)
	if errors.Is(err, raft.ErrLogNotFound) {
		return l, raft.ErrLogNotFound
	}
	if err != nil {
		return l, fmt.Errorf("storage: reading entry %d of %s: %w", index, boltName, err)
	}
	return l, nil
}

// StoreLog stores one entry.
func (s *logs) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores entries in one transaction, and returns when it is on disk.
func (s *logs) StoreLogs(entries []*raft.Log) error {
	if len(entries) == 0 {
		return nil
	}
	checked := withCRC(entries)
	return s.commits.commit("storing log entries", func() error { return s.db.StoreLogs(checked) },
		func() {
			for _, e := range entries {
				s.cache.store(e)
				s.commits.added(e.Index, entryWeight(e))
			}
			if low := entries[0].Index; low <= s.stored.Load() {
				s.noteChange(low)
			}
			s.stored.Store(entries[len(entries)-1].Index)
		})
}

// noChange is in logs.changed when nothing was noted.
const noChange = math.MaxUint64

// noteChange keeps the lowest index from which on entries were replaced or deleted that a copy of
// the log may hold. What is appended, or goes at the log's beginning, needs no note: its ends show
// it. The caller holds commits.writing.
func (s *logs) noteChange(low uint64) {
	if low < s.changed.Load() {
		s.changed.Store(low)
	}
}

func entryWeight(l *raft.Log) int { return len(l.Data) + len(l.Extensions) + entryOverhead }

// DeleteRange deletes entries, both ends included. The oldest entries go in steps, oldest first, so
// that a crash leaves a log that begins later, which is a log; the newest go in one transaction.
func (s *logs) DeleteRange(low, high uint64) error {
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	if low <= first && high < last {
		return s.deleteUpTo(high)
	}
	return s.delete(low, high)
}

// deleteUpTo deletes the entries up to index, oldest first.
func (s *logs) deleteUpTo(index uint64) error {
	for {
		first, err := s.FirstIndex()
		if err != nil || first == 0 || first > index {
			return err
		}
		if err := s.delete(first, min(first+deleteStep-1, index)); err != nil {
			return err
		}
	}
}

// yieldTo makes the log agree with a snapshot in place that ends with the entry at index, of term.
// A log that holds this very entry agrees up to there (Raft's log matching); so it is with a
// snapshot that this node took itself. One that doesn't was overtaken: a leader sent the snapshot,
// and what the log holds up to there may be what nobody else took. Raft leaves it there, and as
// leader would hand it out. It is deleted.
//
// What an overtaken log holds behind the snapshot is no better, but Raft knows the log's end by
// heart and must find it. None of it can pass for a leader's (cluster/DESIGN.md), and Raft replaces
// it with the first entries that it is sent.
func (s *logs) yieldTo(index, term uint64) error {
	var own raft.Log
	err := s.GetLog(index, &own)
	if err == nil && own.Term == term {
		return nil
	}
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	return s.deleteUpTo(index)
}

func (s *logs) delete(low, high uint64) error {
	if low > high {
		return nil
	}
	s.cache.forget(low, high)
	return s.commits.commit("deleting log entries",
		func() error { return s.db.DeleteRange(low, high) }, func() {
			if stored := s.stored.Load(); low <= stored && stored <= high {
				s.stored.Store(max(low, 1) - 1)
			}
			if first, err := s.db.FirstIndex(); err != nil || first <= high {
				s.noteChange(low)
			}
		})
}

// verify reads the log behind the newest snapshot: every entry must be there and whole, because
// Raft will apply it.
func (s *logs) verify(snapshot uint64, path string) error {
	first, err := s.FirstIndex()
	if err != nil {
		return fmt.Errorf("storage: %s: %w", path, err)
	}
	last, err := s.LastIndex()
	if err != nil {
		return fmt.Errorf("storage: %s: %w", path, err)
	}
	if first > snapshot+1 {
		return fmt.Errorf("storage: %s begins with entry %d, and the newest snapshot ends at %d: a snapshot was lost",
			path, first, snapshot)
	}
	s.stored.Store(last)
	for index := snapshot + 1; index <= last; index++ {
		var l raft.Log
		if err := s.read(index, &l); errors.Is(err, raft.ErrLogNotFound) {
			return fmt.Errorf("storage: %s is damaged: entry %d of %d is missing", path, index, last)
		} else if err != nil {
			return fmt.Errorf("storage: %s can't be used: %w", path, err)
		}
		s.commits.added(index, entryWeight(&l))
	}
	return nil
}
