package fsm_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"io"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/testkey"
)

// update rewrites the expected output in testdata. Understand every line of the diff before you
// commit it: where a digest or an encoding moved, nodes of two releases would differ.
var update = flag.Bool("update", false, "rewrite the golden files that are not formats")

// failer is what testing.T, testing.B and rapid.T share.
type failer interface {
	Helper()
	Fatalf(string, ...any)
}

func newFSM(t failer) *fsm.FSM {
	return free(fsm.Options{OnFatal: func(err error) { t.Fatalf("fatal: %v", err) }})
}

// key signs everything in tests that are not about signatures.
var key = testkey.New(1, 0)

func free(o fsm.Options) *fsm.FSM { return fsm.NewFree(o, key.Line()) }

func command(t failer, index uint64, x fsm.Txn) *raft.Log {
	t.Helper()
	b, err := x.Sign(key)
	if err != nil {
		t.Fatalf("encoding %+v: %v", x, err)
	}
	return &raft.Log{Index: index, Type: raft.LogCommand, Data: b}
}

func configuration(index uint64, servers ...raft.Server) *raft.Log {
	return &raft.Log{Index: index, Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(raft.Configuration{Servers: servers})}
}

func id(n byte) fsm.ID { return fsm.ID{15: n} }

// create puts a new record; replace and remove need the mod index.
func create(n byte, base uint64, path, value string) fsm.Txn {
	return fsm.Txn{ID: id(n), Base: base,
		Conditions: []fsm.Condition{{Kind: fsm.Absent, Path: path}},
		Writes:     []fsm.Write{{Path: path, Logical: base, Value: []byte(value)}}}
}

func replace(n byte, base uint64, path string, mod uint64, value string) fsm.Txn {
	return fsm.Txn{ID: id(n), Base: base,
		Conditions: []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: mod}},
		Writes:     []fsm.Write{{Path: path, Logical: mod, Value: []byte(value)}}}
}

func remove(n byte, base uint64, path string, mod uint64) fsm.Txn {
	return fsm.Txn{ID: id(n), Base: base,
		Conditions: []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: mod}},
		Writes:     []fsm.Write{{Path: path, Delete: true}}}
}

type sink struct{ bytes.Buffer }

func (*sink) ID() string    { return "test" }
func (*sink) Cancel() error { return nil }
func (*sink) Close() error  { return nil }

func snapshotOf(t failer, f *fsm.FSM) []byte {
	t.Helper()
	fsm.Vouch(f)
	return persisted(t, f)
}

// persisted is a snapshot as it comes, with the entries behind the vouched state.
func persisted(t failer, f *fsm.FSM) []byte {
	t.Helper()
	s, err := f.Snapshot()
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	defer s.Release()
	var to sink
	if err := s.Persist(&to); err != nil {
		t.Fatalf("persist: %v", err)
	}
	return to.Bytes()
}

func restore(f *fsm.FSM, snapshot []byte) error { return f.Restore(readCloser(snapshot)) }

func readCloser(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

func restored(t failer, snapshot []byte) *fsm.FSM {
	t.Helper()
	f := newFSM(t)
	if err := restore(f, snapshot); err != nil {
		t.Fatalf("restore: %v", err)
	}
	return f
}

// Where a snapshot without entries behind its state has things, counted from its end: the digest of
// the state, the index at the end, the digest there, the checksum.
const (
	stateDigest = 113
	lastIndex   = 72
	lastDigest  = 64
)

// reseal gives altered bytes a right checksum, and right digests if all else is well: what is left
// is not damage but what somebody wrote.
func reseal(snapshot []byte) []byte {
	b := checksummed(snapshot)
	digest, only := fsm.ComputedDigest(restore(free(fsm.Options{OnFatal: func(error) {}}), b))
	if only {
		copy(b[len(b)-stateDigest:], digest[:])
		copy(b[len(b)-lastDigest:], digest[:])
		b = checksummed(b)
	}
	return b
}

func checksummed(snapshot []byte) []byte {
	b := bytes.Clone(snapshot)
	if len(b) < stateDigest {
		return b
	}
	sum := sha256.Sum256(b[:len(b)-32])
	copy(b[len(b)-32:], sum[:])
	return b
}

// inGeneration is an empty FSM at an index and generation.
func inGeneration(t failer, index, generation uint64) *fsm.FSM {
	t.Helper()
	b := snapshotOf(t, newFSM(t))
	for i := range 8 {
		b[9+i], b[17+i] = byte(index>>(56-8*i)), byte(generation>>(56-8*i))
	}
	copy(b[len(b)-lastIndex:], b[9:17])
	return restored(t, reseal(b))
}

func requireSame(t failer, a, b *fsm.FSM) {
	t.Helper()
	if a.View().Digest() != b.View().Digest() {
		t.Fatalf("digests differ: %x at %d, %x at %d", a.View().Digest(), a.View().Index(),
			b.View().Digest(), b.View().Index())
	}
	if !bytes.Equal(snapshotOf(t, a), snapshotOf(t, b)) {
		t.Fatalf("digests are the same, snapshots differ")
	}
}

func requireRecomputed(t failer, v fsm.View) {
	t.Helper()
	d, err := v.Recompute(context.Background())
	if err != nil || d != v.Digest() {
		t.Fatalf("recomputed %x, %v; kept %x", d, err, v.Digest())
	}
}

var _ raft.BatchingFSM = (*fsm.FSM)(nil)
var _ failer = (*testing.T)(nil)
