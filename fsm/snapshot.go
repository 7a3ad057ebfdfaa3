package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// snapshotMagic and the version byte after it begin a snapshot; docs/formats-fsm.md has the rest.
const (
	snapshotMagic   = "KQSTATE\n"
	snapshotVersion = 1
)

// A snapshot is a state on its way to disk.
type snapshot struct{ state *state }

func (s *snapshot) Persist(sink raft.SnapshotSink) error { return s.state.write(sink) }
func (s *snapshot) Release()                             { s.state = nil }

func (s *state) write(w io.Writer) error {
	sha := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sha), 64<<10)
	head := append([]byte(snapshotMagic), snapshotVersion)
	head = binary.BigEndian.AppendUint64(head, s.index)
	head = binary.BigEndian.AppendUint64(head, s.generation)
	out.Write(head)
	var counts [256]uint64
	for element := range s.elements {
		counts[element[0]]++
		if _, err := out.Write(element); err != nil { // the first error stays
			return fmt.Errorf("fsm: snapshot: %w", err)
		}
	}
	end := []byte{tagEnd}
	for _, tag := range []byte{tagRecord, tagDirectory, tagDecision} {
		end = binary.BigEndian.AppendUint64(end, counts[tag])
	}
	out.Write(append(end, s.digest[:]...))
	if err := out.Flush(); err != nil {
		return fmt.Errorf("fsm: snapshot: %w", err)
	}
	if _, err := w.Write(sha.Sum(nil)); err != nil {
		return fmt.Errorf("fsm: snapshot: %w", err)
	}
	return nil
}
