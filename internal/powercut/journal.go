package powercut

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// A Kind is what a step of a journal was.
type Kind byte

const (
	Write      Kind = 'w' // of New over Old at Offset. It is in the journal before it is done: the last one may not have been
	Synced     Kind = 's' // all writes before it are on disk. Only a journal that is kept has it
	SyncFailed Kind = 'f' // nobody knows which writes before it are
	Noted      Kind = 'n' // see Note
)

// A Step is one record of a journal.
type Step struct {
	Kind     Kind
	Offset   int64  // of a write
	Size     int64  // of the file, in bytes, when the step was recorded
	Old, New []byte // of a write: of one length. Old is zeros where the file ended
	Text     string // of a note
}

const headSize = 1 + 3*8 // kind u8, offset u64, size u64, length of what follows u64

func journalOf(db string) string { return db + ".journal" }
func keptOf(db string) string    { return journalOf(db) + ".kept" }

// current says whether the journal is of the file that has the name now, or a trace, which goes on
// when another file takes the name. One that nobody owns was written by hand.
func current(db string) bool {
	owner, err := os.ReadFile(journalOf(db) + ".of")
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if _, trace := os.Lstat(keptOf(db)); trace == nil {
		return true
	}
	info, also := os.Stat(db)
	return err == nil && also == nil && fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino) == string(owner)
}

// Keep has the journal of a bolt file kept from now on, as a trace, where syncs would empty it.
func Keep(db string) error { return os.WriteFile(keptOf(db), nil, 0o600) }

// Note puts text into the journal of a bolt file, between what was recorded before and what comes
// after.
func Note(db, text string) error {
	record := append(make([]byte, 0, headSize+len(text)), byte(Noted))
	record = append(record, make([]byte, 16)...)
	record = binary.BigEndian.AppendUint64(record, uint64(len(text)))
	f, err := os.OpenFile(journalOf(db), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("powercut: %w", err)
	}
	_, err = f.Write(append(record, text...))
	return errors.Join(err, f.Close())
}

// Journal reads the journal of a bolt file. None is no error, and neither is a last record that is
// not whole: its process was killed before it did what the record says.
func Journal(db string) (steps []Step, err error) {
	b, err := os.ReadFile(journalOf(db))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("powercut: %w", err)
	}
	if !current(db) {
		return nil, nil
	}
	for len(b) >= headSize {
		s := Step{Kind: Kind(b[0]), Offset: int64(binary.BigEndian.Uint64(b[1:])),
			Size: int64(binary.BigEndian.Uint64(b[9:]))}
		length := binary.BigEndian.Uint64(b[17:])
		if b = b[headSize:]; length > uint64(len(b)) {
			break
		}
		if err := s.fill(b[:length]); err != nil {
			return nil, fmt.Errorf("powercut: step %d of %s: %w", len(steps), journalOf(db), err)
		}
		steps, b = append(steps, s), b[length:]
	}
	return steps, nil
}

func (s *Step) fill(body []byte) error {
	switch s.Kind {
	case Write:
		s.Old, s.New = body[:len(body)/2], body[len(body)/2:]
		if s.Offset%sectorSize != 0 || len(s.New)%sectorSize != 0 || len(body)%2 != 0 {
			return fmt.Errorf("a write of %d bytes at %d is not of whole sectors", len(s.New), s.Offset)
		}
	case Noted:
		s.Text = string(body)
	case Synced, SyncFailed:
	default:
		return fmt.Errorf("of no kind, %q", s.Kind)
	}
	return nil
}

// forget takes the journal away.
func forget(db string) error {
	journal := journalOf(db)
	for _, name := range []string{journal, journal + ".kept", journal + ".failed", journal + ".of"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("powercut: %w", err)
		}
	}
	return nil
}
