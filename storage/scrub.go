package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

const (
	// scrubbedName is the document that says up to where the folder was scrubbed.
	scrubbedName   = "scrubbed.json"
	scrubbedFormat = 1
)

type scrubbedFile struct {
	Format int    `json:"format"`
	Index  uint64 `json:"index"`
	Check  string `json:"check"`
}

func (f *scrubbedFile) checksum() *string { return &f.Check }

// Scrub rids the folder of all that was deleted before it was called: of older snapshots, of what
// failed ones left, and of pages of raft.db that are free, by writing the file anew. What then has
// a name in the folder is the newest snapshot, the log's entries and the stable values, and what
// came since. Then scrubbed.json says index, whose meaning is the caller's; it never falls.
//
// Log and stable store go on meanwhile. A step that fails leaves the folder as good as it was, and
// nothing is poisoned, but for the last: when it is not known whether raft.db is on disk under its
// name, nothing more is written (Failed). It is refused while a snapshot is being written that is
// older than the newest, and while it is under way a second one waits. What the disk keeps of files
// that were removed is beyond it.
func (s *Store) Scrub(index uint64) error {
	s.scrubbing.Lock()
	defer s.scrubbing.Unlock()
	if err := s.scrub(max(index, s.Scrubbed())); err != nil {
		return fmt.Errorf("storage: scrubbing %s: %w", s.dir, err)
	}
	return nil
}

// Scrubbed is the index of the last Scrub that succeeded, 0 for none. It survives a restart.
func (s *Store) Scrubbed() uint64 { return s.scrubbed.Load() }

func (s *Store) scrub(index uint64) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.snapshots.keepNewest(); err != nil {
		return err
	}
	if err := s.rewriteBolt(); err != nil {
		return err
	}
	return s.writeScrubbed(index)
}

// usable is nil while the folder may be written to.
func (s *Store) usable() error {
	select {
	case <-s.closing:
		return errClosed
	default:
		return s.commits.err()
	}
}

func (s *Store) writeScrubbed(index uint64) error {
	if err := s.usable(); err != nil {
		return err
	}
	path := filepath.Join(s.dir, scrubbedName)
	document := encodeDocument(&scrubbedFile{Format: scrubbedFormat, Index: index})
	if err := s.snapshots.disk.writeFile(path, document); err != nil {
		return err
	}
	s.scrubbed.Store(index)
	return nil
}

func (s *Store) readScrubbed() error {
	path := filepath.Join(s.dir, scrubbedName)
	b, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	index, err := decodeScrubbed(b)
	if err != nil {
		return fmt.Errorf("storage: %s is %w", path, err)
	}
	s.scrubbed.Store(index)
	return nil
}

func decodeScrubbed(b []byte) (index uint64, err error) {
	var f scrubbedFile
	if err := decodeDocument(b, &f, scrubbedFormat); err != nil {
		return 0, err
	}
	if f.Format != scrubbedFormat {
		return 0, fmt.Errorf("of unknown format %d", f.Format)
	}
	return f.Index, nil
}
