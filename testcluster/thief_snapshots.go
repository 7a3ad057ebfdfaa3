package testcluster

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// A state is what a snapshot holds: one that somebody vouched for, and the entries behind it. What
// the thief leaves alone is as it was.
type state struct {
	index, generation uint64
	configuration     []byte // the element
	account           []byte // likewise
	records           []Record
	directories       []directory
	outcomes          [][]byte // elements
	graves            [][]byte // likewise
	past              [][]byte // likewise
	tail              []tailEntry
	end               []byte // index and digest behind the tail
}

type directory struct {
	path  string
	index uint64
}

type tailEntry struct {
	kind  byte
	index uint64
	data  []byte // none of one that was refused
}

// The kinds of entries in a tail.
const (
	tailCommand       = 'c'
	tailConfiguration = 'g'
	tailRefused       = 'x'
	tailEnd           = 'Z'
)

const (
	stateMagic   = "KQSTATE\n"
	stateVersion = 1
)

// decodeState reads a snapshot and believes it.
func decodeState(b []byte) (s state, err error) {
	defer func() {
		if p := recover(); p != nil { // it ends too early
			err = fmt.Errorf("testcluster: this is no snapshot of version 1: %v", p)
		}
	}()
	r := &reader{b: b}
	if string(r.take(len(stateMagic))) != stateMagic || r.u8() != stateVersion {
		return s, errors.New("testcluster: this is no snapshot of version 1")
	}
	s.index, s.generation = r.u64(), r.u64()
	for s.element(r) {
	}
	for {
		e := tailEntry{kind: r.u8(), index: r.u64()}
		switch e.kind {
		case tailEnd: // whose index is the number of entries
			s.end = r.take(8 + sha256.Size)
			return s, nil
		case tailCommand, tailConfiguration:
			e.data = r.take(int(r.u32()))
		case tailRefused:
		default:
			return s, fmt.Errorf("testcluster: an entry %q in a snapshot", e.kind)
		}
		s.tail = append(s.tail, e)
	}
}

// element reads one of the vouched state. false: it was the end mark.
func (s *state) element(r *reader) bool {
	from := r.at
	switch tag := r.u8(); tag {
	case 'C':
		r.u64()
		for range r.u16() {
			r.u8()
			r.str()
			r.str()
		}
		s.configuration = r.b[from:r.at]
	case 'A':
		r.take(3 * 8)
		s.account = r.b[from:r.at]
	case 'R':
		record := Record{Path: r.str(), Logical: r.u64(), Mod: r.u64()}
		record.Value = r.take(int(r.u32()))
		s.records = append(s.records, record)
	case 'D':
		s.directories = append(s.directories, directory{r.str(), r.u64()})
	case 'I':
		r.take(8 + 16 + 1 + 8)
		r.str()
		s.outcomes = append(s.outcomes, r.b[from:r.at])
	case 'G':
		r.str()
		r.u64()
		s.graves = append(s.graves, r.b[from:r.at])
	case 'P':
		r.take(8 + sha256.Size)
		s.past = append(s.past, r.b[from:r.at])
	case 'E':
		r.take(5*8 + sha256.Size)
		return false
	default:
		panic(fmt.Sprintf("an element %q", tag))
	}
	return true
}

// encode makes the snapshot of a state, with its digest and checksum. What stands at the end of the
// tail it works out only where there is no tail.
func (s state) encode() []byte {
	b := append([]byte(stateMagic), stateVersion)
	b = binary.BigEndian.AppendUint64(b, s.index)
	b = binary.BigEndian.AppendUint64(b, s.generation)
	elements := s.elements()
	for _, e := range elements {
		b = append(b, e...)
	}
	b = append(b, 'E')
	for _, n := range []int{len(s.records), len(s.directories), len(s.outcomes), len(s.graves),
		len(s.past)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	digest := digestOf(s.index, s.generation, elements)
	b = append(b, digest...)
	for _, e := range s.tail {
		b = binary.BigEndian.AppendUint64(append(b, e.kind), e.index)
		if e.kind != tailRefused {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(e.data))), e.data...)
		}
	}
	b = binary.BigEndian.AppendUint64(append(b, tailEnd), uint64(len(s.tail)))
	if len(s.tail) == 0 {
		b = append(binary.BigEndian.AppendUint64(b, s.index), digest...)
	} else {
		b = append(b, s.end...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// elements are those of the vouched state, in order.
func (s state) elements() (all [][]byte) {
	all = append(all, s.configuration, s.account)
	slices.SortFunc(s.records, func(a, b Record) int { return strings.Compare(a.Path, b.Path) })
	for _, r := range s.records {
		e := appendString([]byte{'R'}, r.Path)
		e = binary.BigEndian.AppendUint64(e, r.Logical)
		e = binary.BigEndian.AppendUint64(e, r.Mod)
		e = binary.BigEndian.AppendUint32(e, uint32(len(r.Value)))
		all = append(all, append(e, r.Value...))
	}
	for _, d := range s.directories {
		all = append(all, binary.BigEndian.AppendUint64(appendString([]byte{'D'}, d.path), d.index))
	}
	return slices.Concat(all, s.outcomes, s.graves, s.past)
}

// digestOf is the digest of a state with these elements.
func digestOf(index, generation uint64, elements [][]byte) []byte {
	var lanes [1024]uint16
	for _, e := range elements {
		key := sha256.Sum256(e)
		block, err := aes.NewCipher(key[:])
		if err != nil {
			panic(err) // the key has 32 bytes
		}
		stream := make([]byte, 2*len(lanes))
		cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(stream, stream)
		for i := range lanes {
			lanes[i] += binary.LittleEndian.Uint16(stream[2*i:])
		}
	}
	b := []byte("keyquorum state digest v1\n")
	b = binary.BigEndian.AppendUint64(b, index)
	b = binary.BigEndian.AppendUint64(b, generation)
	for _, lane := range lanes {
		b = binary.LittleEndian.AppendUint16(b, lane)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// A reader takes fields off bytes. It panics where they end too early.
type reader struct {
	b  []byte
	at int
}

func (r *reader) take(n int) []byte {
	r.at += n
	return r.b[r.at-n : r.at : r.at]
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) str() string { return string(r.take(int(r.u16()))) }

// machine is the product's state machine as a member with a line of keys has it, after a snapshot,
// which may be nil, and entries.
func machine(line fsm.Line, snapshot []byte, entries []raft.Log) (m *fsm.FSM, err error) {
	m = fsm.New(fsm.Options{Anchor: line, OnFatal: func(fatal error) { err = fatal }})
	if snapshot != nil {
		if err := m.Restore(closing{bytes.NewReader(snapshot)}); err != nil {
			return m, err
		}
	}
	for i := range entries {
		switch entries[i].Type {
		case raft.LogCommand, raft.LogConfiguration:
			m.Apply(&entries[i])
		}
	}
	return m, err
}

type closing struct{ *bytes.Reader }

func (closing) Close() error { return nil }

// kept is the snapshot that a state machine makes.
func kept(m *fsm.FSM) ([]byte, error) {
	s, err := m.Snapshot()
	if err != nil {
		return nil, err
	}
	var b memorySink
	err = s.Persist(&b)
	return b.Bytes(), err
}

type memorySink struct{ bytes.Buffer }

func (*memorySink) ID() string    { return "thief" }
func (*memorySink) Cancel() error { return nil }
func (*memorySink) Close() error  { return nil }

// MakeUp makes a snapshot of a later index that nobody vouched for: what the folder makes of it
// with other records in the place of those at their paths, after all states of which the thief
// knows the digest, and nothing behind it.
func (l Loot) MakeUp(index uint64, records ...Record) ([]byte, error) {
	snapshot, err := l.Kept()
	if err != nil {
		return nil, err
	}
	s, err := decodeState(snapshot)
	if err != nil {
		return nil, err
	}
	s.put(records...)
	for i := s.index; i <= l.now.Index(); i++ {
		if digest, ok := l.digestAt(i); ok {
			s.past = append(s.past, append(binary.BigEndian.AppendUint64([]byte{'P'}, i), digest[:]...))
		}
	}
	s.index, s.tail = index, nil
	return s.encode(), nil
}

// AlterVouched puts other records into the vouched state of a snapshot, in the place of those at
// their paths, and makes digests and checksum anew. What is behind that state it leaves where it
// is.
func AlterVouched(snapshot []byte, records ...Record) ([]byte, error) {
	s, err := decodeState(snapshot)
	if err != nil {
		return nil, err
	}
	s.put(records...)
	return s.encode(), nil
}

func (s *state) put(records ...Record) {
	for _, r := range records {
		there := func(old Record) bool { return old.Path == r.Path }
		s.records = append(slices.DeleteFunc(s.records, there), r)
	}
}

// AddCommand has a snapshot end with another command.
func AddCommand(snapshot, data []byte) ([]byte, error) {
	s, err := decodeState(snapshot)
	if err != nil {
		return nil, err
	}
	last := binary.BigEndian.Uint64(s.end)
	s.end = append(binary.BigEndian.AppendUint64(nil, last+1), s.end[8:]...)
	s.tail = append(s.tail, tailEntry{tailCommand, last + 1, data})
	return s.encode(), nil
}
