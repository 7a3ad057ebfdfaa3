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

// A snapshot is a vouched state on its way to disk, with the entries behind it that lead to the
// state that was asked for.
type snapshot struct {
	vouched *state
	tail    []tailEntry
	index   uint64 // of the state at the end
	digest  [32]byte
}

// An ownSink is told that this node wrote the snapshot itself.
type ownSink interface{ Own() }

func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if own, ok := sink.(ownSink); ok {
		own.Own()
	}
	if err := s.write(sink); err != nil {
		return fmt.Errorf("fsm: snapshot: %w", err)
	}
	return nil
}

func (*snapshot) Release() {}

// source is what a snapshot of the draft is made of. The tail only grows at its end, or is made
// anew.
func (d *draft) source() *snapshot {
	return &snapshot{d.vouched, d.tail[:len(d.tail):len(d.tail)], d.index, d.digest}
}

// WriteSnapshot writes the snapshot of this state: the same bytes each time.
func (v View) WriteSnapshot(w io.Writer) error { return v.state.source.write(w) }

// ReadSnapshot checks a snapshot to its last byte, as Restore does, and returns an FSM in its
// state. It knows of no cluster: that the transaction keys in it are the cluster's is for the
// caller to find out.
func ReadSnapshot(r io.Reader) (*FSM, error) {
	f := New(Options{OnFatal: func(error) {}})
	return f, f.Restore(io.NopCloser(r))
}

func (s *snapshot) write(w io.Writer) error {
	sha := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sha), 64<<10)
	if err := s.vouched.write(out); err != nil {
		return err
	}
	if err := s.writeTail(out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sha.Sum(nil))
	return err
}

func (s *state) write(out *bufio.Writer) error {
	head := append([]byte(snapshotMagic), snapshotVersion)
	head = binary.BigEndian.AppendUint64(head, s.index)
	head = binary.BigEndian.AppendUint64(head, s.generation)
	out.Write(head)
	var counts [256]uint64
	for element := range s.elements {
		counts[element[0]]++
		if _, err := out.Write(element); err != nil { // the first error stays
			return err
		}
	}
	end := []byte{tagEnd}
	for _, tag := range countedTags {
		end = binary.BigEndian.AppendUint64(end, counts[tag])
	}
	_, err := out.Write(append(end, s.digest[:]...))
	return err
}

// countedTags are the elements that the end mark counts.
var countedTags = []byte{tagRecord, tagDirectory, tagDecision, tagGrave, tagPast}

func (s *snapshot) writeTail(out *bufio.Writer) error {
	var b []byte
	for _, e := range s.tail {
		b = append(b[:0], e.kind)
		b = binary.BigEndian.AppendUint64(b, e.index)
		if e.kind != tagRefused {
			b = binary.BigEndian.AppendUint32(b, uint32(len(e.data)))
			b = append(b, e.data...)
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	b = append(b[:0], tagLast)
	b = binary.BigEndian.AppendUint64(b, uint64(len(s.tail)))
	b = binary.BigEndian.AppendUint64(b, s.index)
	_, err := out.Write(append(b, s.digest[:]...))
	return err
}
