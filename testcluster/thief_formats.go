package testcluster

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// Whatever the thief knows of formats stands here, written anew from docs/formats-*.md: what the
// product's own encoders refuse to write he writes.

// Names in a member's folder, below <data>/cluster.
const (
	fileKey         = "node.key"
	fileCertificate = "node.crt"
	fileTrust       = "trust"
)

// Paths of the state that the thief is after.
const (
	PathSeal    = "sys/seal"
	PathKeyring = "sys/keyring"
	PathKeys    = "sys/transaction-keys"
	PathMembers = "sys/members"
	PathCA      = "sys/ca"
	DirRemoved  = "sys/removed/"
)

// removedMark is the value of a mark.
var removedMark = []byte{1}

// The two protocols of the cluster port.
const (
	protocolRaft  = "keyquorum-raft/1"
	protocolCalls = "h2"
)

// A Txn is a transaction. Nothing in it is checked before it is sent.
type Txn struct {
	_          struct{} `cbor:",toarray"`
	ID         [16]byte
	Base       uint64
	Digest     [32]byte // of the state at Base
	Generation uint64
	Verb       uint8
	Conditions []Condition
	Writes     []Write
}

// The verbs of transactions.
const (
	verbFound      = 1
	verbRotate     = 2
	verbChange     = 3
	verbCheckpoint = 4
)

// A Condition of a transaction.
type Condition struct {
	_     struct{} `cbor:",toarray"`
	Kind  uint8
	Path  string
	Index uint64
}

// The kinds of conditions.
const (
	unchanged    = 1
	absent       = 2
	dirUnchanged = 3
)

// A Write of a transaction.
type Write struct {
	_       struct{} `cbor:",toarray"`
	Path    string
	Delete  bool
	Logical uint64
	Value   []byte
}

// The data of a log entry is the term of a transaction key, a signature, a version and the body.
const (
	txnLabel   = "keyquorum transaction v1\n"
	txnVersion = 1
	txnHead    = 4 + ed25519.SignatureSize
)

// VersionAt is where the version stands in the data of a log entry.
const VersionAt = txnHead

var encodeCBOR = func() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty
	mode, err := o.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
}()

// Encode makes the data of a log entry that nobody has signed.
func (t Txn) Encode() []byte {
	return t.under(firstKeyringTerm,
		make([]byte, ed25519.SignatureSize))
}

func (t Txn) under(term uint32, signature []byte) []byte {
	data := binary.BigEndian.AppendUint32(nil, term)
	return append(append(data, signature...), t.body()...)
}

// body is what is signed, behind a label.
func (t Txn) body() []byte {
	body, err := encodeCBOR.Marshal(t)
	if err != nil {
		panic(err) // it has nothing that can't be encoded
	}
	return append([]byte{txnVersion}, body...)
}

// Borrow makes the data of a log entry with the signature of another one.
func (t Txn) Borrow(entry []byte) []byte {
	return append(bytes.Clone(entry[:txnHead]), t.body()...)
}

// SignedBy makes the data of a log entry with somebody's signature.
func (t Txn) SignedBy(s fsm.Signer) ([]byte, error) {
	term, signature, err := s.Sign(append([]byte(txnLabel), t.body()...))
	return t.under(term, signature), err
}

// An ImpostorKey is one that a thief made, of a term that he says.
type ImpostorKey struct {
	Term uint32
	key  ed25519.PrivateKey
}

// NewImpostorKey makes one.
func NewImpostorKey(term uint32) ImpostorKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return ImpostorKey{term, key}
}

// Sign makes it a fsm.Signer.
func (k ImpostorKey) Sign(message []byte) (uint32, []byte, error) {
	return k.Term, ed25519.Sign(k.key, message), nil
}

// Line is a line of transaction keys that begins with this one.
func (k ImpostorKey) Line() fsm.Line {
	return fsm.NewLine(k.Term, k.key.Public().(ed25519.PublicKey))
}

// keyEndorsed is the signature by which a key stands behind another one.
func keyEndorsed(by fsm.Signer, next fsm.Key) ([]byte, error) {
	_, signature, err := by.Sign(fsm.EndorsementOf(next.Term, next.Public))
	return signature, err
}

// encoded is a clear record.
func encoded(r interface{ Encode() ([]byte, error) }) []byte {
	b, err := r.Encode()
	if err != nil {
		panic(err) // it has nothing that can't be encoded
	}
	return b
}

// signedIn says whether a key of a line signed the data of a log entry.
func signedIn(data []byte, line fsm.Line) bool {
	if len(data) <= txnHead {
		return false
	}
	message := append([]byte(txnLabel), data[txnHead:]...)
	for _, k := range line {
		if k.Term == binary.BigEndian.Uint32(data) && ed25519.Verify(k.Public, message, data[4:txnHead]) {
			return true
		}
	}
	return false
}

// decodeTxn reads the data of a log entry.
func decodeTxn(data []byte) (t Txn, err error) {
	if len(data) <= txnHead || data[VersionAt] != txnVersion {
		return t, errors.New("testcluster: no transaction of version 1")
	}
	return t, cbor.Unmarshal(data[txnHead+1:], &t)
}

// newID draws the id of a transaction.
func newID() (id [16]byte) {
	rand.Read(id[:])
	return id
}

// encodeCall makes the body of a call: a CBOR array of its members.
func encodeCall(members ...any) ([]byte, error) {
	if members == nil {
		members = []any{}
	}
	return encodeCBOR.Marshal(members)
}

// A Silence is the answer to /v1/silence: how far a node's log goes is in it.
type Silence struct {
	_        struct{} `cbor:",toarray"`
	Term     uint64
	Missed   int64
	LastTerm uint64
	Last     uint64
	Ready    bool
	Serves   bool
}

// An Outcome is the answer to /v1/commit.
type Outcome struct {
	_     struct{} `cbor:",toarray"`
	Kind  uint8
	Index uint64
	Path  string
	At    uint64
}

// Applied says that the transaction was.
func (o Outcome) Applied() bool { return o.Kind == 1 }

// Verbs of /v1/order.
const (
	orderTransfer = 1
	orderLeave    = 2
)

// Order makes an order to a leader, as an unsealed member signs it. s may be nil: then nobody has.
func Order(verb uint8, leader string, term uint64, node string, s fsm.Signer) []any {
	keyTerm, signature := uint32(firstKeyringTerm), make([]byte, ed25519.SignatureSize)
	if s != nil {
		unsigned, err := encodeCall(verb, leader, term, node, 0, []byte{})
		if err != nil {
			panic(err) // it has nothing that can't be encoded
		}
		keyTerm, signature, _ = s.Sign(append([]byte("keyquorum order v1\n"), unsigned...))
	}
	return []any{verb, leader, term, node, keyTerm, signature}
}

// lies are calls with what is not so, to a leader of a term. some gives a number below n.
func lies(leader, other string, term uint64, some func(n int) uint64) []lie {
	return []lie{
		{"/v1/order", Order(orderTransfer, leader, term, "", nil)},
		{"/v1/order", Order(orderLeave, leader, term, other, NewImpostorKey(uint32(some(3))))},
		{"/v1/order", Order(uint8(some(5)), other, term, newName(), nil)},
		{"/v1/address", []any{"thief:8201"}},
		{"/v1/address", []any{""}},
		{"/v1/gossip-keys", []any{make([]byte, 32)}},
		{"/v1/root-key", []any{some(4), make([]byte, 1216), some(3), make([]byte, 64)}},
		{"/v1/suspect", []any{some(1000)}},
		{"/v1/digest", []any{some(1000)}},
		{"/v1/fence", nil},
		{"/v1/term", nil},
		{"/v1/silence", nil},
		{"/v1/status", nil},
		{"/v1/survey", nil},
		{"/v1/commit", []any{make([]byte, some(100))}},
	}
}

// brokenWords are check-ins of a member that says of itself what is not so: how far it is, and what
// it has promised whom. A voter's word is believed (docs/decisions.md).
func brokenWords(term uint64) []lie {
	const most = 1<<63 - 1
	checkIn := func(applied uint64, echo, promised int64, idle bool) lie {
		process, epoch, atLeast, trip := uint64(1), uint64(1), uint64(0), int64(1)
		return lie{"/v1/checkin", []any{
			term, process, epoch, applied, atLeast, echo, promised, idle, trip,
		}}
	}
	return []lie{
		checkIn(most, 0, 0, false), checkIn(0, most, 0, false), checkIn(0, 0, most, true),
		checkIn(0, 0, -most, false), checkIn(most, most, most, false),
	}
}

// helloOf is a hello in a life of a number, which has come as far as can be said.
func helloOf(number uint64) []any {
	const most = 1<<63 - 1
	name, none, tag := make([]byte, 16), make([]byte, 16), make([]byte, 32)
	name[0] = 7
	said := []any{[]any{number, name}, uint64(1), uint64(most), uint64(most), uint64(most), none, "",
		tag}
	lives := []any{number, []any{[]any{name, uint64(most), uint64(most)}}}
	return []any{said, lives, "thief:8201"}
}

type lie struct {
	path    string
	members []any
}

// newName is the id of a node that never was.
func newName() string { return fmt.Sprintf("%x", newID()) }

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

// accuses says whether a line of a node's log accuses the node with an id of something, or says of
// a snapshot of its that it was not taken.
func accuses(line []byte, id string) bool {
	return bytes.Contains(line, []byte("a node does what no member does")) &&
		names(line, "node", id) && bytes.Contains(line, []byte("deed=")) ||
		bytes.Contains(line, []byte("a snapshot that this node is past was passed over")) &&
			names(line, "from", id)
}

// names says whether the value under a key of a line is the node with an id: the id alone, or in
// quotes behind the node's label.
func names(line []byte, key, id string) bool {
	_, value, _ := bytes.Cut(line, []byte(key+"="))
	end := byte(' ')
	if quoted, ok := bytes.CutPrefix(value, []byte(`"`)); ok {
		value, end = quoted, '"'
	}
	value, _, _ = bytes.Cut(value, []byte{end})
	return bytes.Contains(value, []byte(id))
}

// A sealed record begins with its version, its term and the commitment of that term's key.
const (
	envelopeVersion  = 1
	apartVersion     = 2
	apartHead        = 5  // of two envelopes: version and length of the first
	envelopeLeast    = 77 // with an empty plaintext
	maxEnvelope      = fsm.MaxTxnBytes
	firstKeyringTerm = 1
)

// envelopeHead begins every record that was sealed under a term, but for the commitment.
func envelopeHead(term uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{envelopeVersion}, term)
}

// lengthsBefore are the lengths that a value may have, by what stands before it where one was
// stored: CBOR's byte string in a transaction, 32 bits in a snapshot.
func lengthsBefore(b []byte, at int) (lengths []int) {
	before := func(n int) []byte { return b[max(0, at-n):at] }
	if p := before(2); len(p) == 2 && p[0] == 0x58 {
		lengths = append(lengths, int(p[1]))
	}
	if p := before(3); len(p) == 3 && p[0] == 0x59 {
		lengths = append(lengths, int(binary.BigEndian.Uint16(p[1:])))
	}
	if p := before(4); len(p) == 4 {
		lengths = append(lengths, int(binary.BigEndian.Uint32(p)))
	}
	return lengths
}

// decodeConfiguration reads the data of an entry. What can't be read is nobody.
func decodeConfiguration(data []byte) (c raft.Configuration) {
	defer func() { _ = recover() }() // the library panics
	return raft.DecodeConfiguration(data)
}

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

// OldPeers is the data of an entry of a type that Raft's library reads still: a configuration of
// voters.
func OldPeers(ids ...string) []byte {
	b := []byte{0x90 | byte(len(ids))} // MessagePack: an array
	for _, id := range ids {
		b = append(append(b, 0xda, 0, byte(len(id))), id...) // raw bytes, 16 bits of length
	}
	return b
}
