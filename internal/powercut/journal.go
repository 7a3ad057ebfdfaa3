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

// journalOf is where the journal of the file lies that has this name now. It is called by that file's number, so a file
// that takes another's place has a journal of its own. A file that is not there yet is made.
func journalOf(db string) (string, error) {
	f, err := os.OpenFile(db, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("powercut: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("powercut: %w", err)
	}
	return fmt.Sprintf("%s.%d.journal", db, info.Sys().(*syscall.Stat_t).Ino), nil
}

func keptOf(journal string) string { return journal + ".kept" }

// Keep has the journal of a bolt file kept from now on, as a trace, where syncs would empty it.
func Keep(db string) error {
	journal, err := journalOf(db)
	if err != nil {
		return err
	}
	return os.WriteFile(keptOf(journal), nil, 0o600)
}

// Note puts text into the journal of a bolt file, between what was recorded before and what comes after.
func Note(db, text string) error {
	record := append(make([]byte, 0, headSize+len(text)), byte(Noted))
	record = append(record, make([]byte, 16)...)
	record = binary.BigEndian.AppendUint64(record, uint64(len(text)))
	journal, err := journalOf(db)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(journal, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("powercut: %w", err)
	}
	_, err = f.Write(append(record, text...))
	return errors.Join(err, f.Close())
}

// Journal reads the journal of a bolt file. None is no error, and neither is a last record that is not whole: its process was
// killed before it did what the record says.
func Journal(db string) (steps []Step, err error) {
	journal, err := journalOf(db)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(journal)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("powercut: %w", err)
	}
	for len(b) >= headSize {
		s := Step{Kind: Kind(b[0]), Offset: int64(binary.BigEndian.Uint64(b[1:])), Size: int64(binary.BigEndian.Uint64(b[9:]))}
		length := binary.BigEndian.Uint64(b[17:])
		if b = b[headSize:]; length > uint64(len(b)) {
			break
		}
		if err := s.fill(b[:length]); err != nil {
			return nil, fmt.Errorf("powercut: step %d of %s: %w", len(steps), journal, err)
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
	journal, err := journalOf(db)
	if err != nil {
		return err
	}
	for _, name := range []string{journal, keptOf(journal)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("powercut: %w", err)
		}
	}
	return nil
}
