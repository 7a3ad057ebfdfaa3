package testcluster

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

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

// OldPeers is the data of an entry of a type that Raft's library reads still: a configuration of
// voters.
func OldPeers(ids ...string) []byte {
	b := []byte{0x90 | byte(len(ids))} // MessagePack: an array
	for _, id := range ids {
		b = append(append(b, 0xda, 0, byte(len(id))), id...) // raw bytes, 16 bits of length
	}
	return b
}
