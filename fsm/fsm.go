// Package fsm is the replicated state machine: an immutable ordered tree of opaque records.
package fsm

import (
	"context"
	"io"
	"iter"

	"github.com/hashicorp/raft"
)

// A Record is what is stored at a path. Value must not be changed by anyone.
type Record struct {
	Value   []byte
	Logical uint64 // version that the value was sealed for
	Mod     uint64 // log index of the last change
}

// A View is the whole state at one index. It is immutable, cheap to copy, and safe for concurrent use.
type View struct{}

func (v View) Index() uint64      { panic("not built yet") }
func (v View) Generation() uint64 { panic("not built yet") }

// Get returns the record at path.
func (v View) Get(path string) (Record, bool) { panic("not built yet") }

// Scan yields the records whose paths start with prefix and sort after `after` ("" for all), in order.
func (v View) Scan(prefix, after string) iter.Seq2[string, Record] { panic("not built yet") }

// Outcome returns the outcome of a transaction within the id window.
func (v View) Outcome(id ID) (Outcome, bool) { panic("not built yet") }

// Digest returns a 32-byte digest of the whole state (decision 19).
func (v View) Digest() [32]byte { panic("not built yet") }

// Configuration returns the last committed Raft configuration and its index.
func (v View) Configuration() (raft.Configuration, uint64) { panic("not built yet") }

// Bytes returns the approximate size of the records in memory and their number.
func (v View) Size() (bytes int64, records int) { panic("not built yet") }

// FSM implements raft.BatchingFSM.
type FSM struct{}

// Options: OnFatal is called once, on the goroutine that applies, when an entry or snapshot can't be understood
// (unknown version); it must not return normally into service: the node stops.
// OnApply, if set, is called after each batch has become visible.
type Options struct {
	OnFatal func(error)
	OnApply func(View)
}

func New(Options) *FSM { panic("not built yet") }

// View returns the newest state.
func (f *FSM) View() View { panic("not built yet") }

// Wait returns when the state's index is at least index, or with the context's error.
func (f *FSM) Wait(ctx context.Context, index uint64) error { panic("not built yet") }

// DigestAt returns the digest after the entry at index, for the last 4096 indexes that reached the FSM.
func (f *FSM) DigestAt(index uint64) ([32]byte, bool) { panic("not built yet") }

func (f *FSM) Apply(*raft.Log) any                 { panic("not built yet") } // returns Outcome
func (f *FSM) ApplyBatch(logs []*raft.Log) []any   { panic("not built yet") } // Outcome for commands, nil for configurations
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) { panic("not built yet") }
func (f *FSM) Restore(io.ReadCloser) error         { panic("not built yet") }

// Encode returns the canonical encoding of the transaction.
func (t Txn) Encode() ([]byte, error) { panic("not built yet") }

// DecodeTxn decodes strictly: what decodes encodes back to the same bytes.
func DecodeTxn(b []byte) (Txn, error) { panic("not built yet") }
