// Package fsm is the replicated state machine: an immutable ordered tree of opaque records.
//
// It owns what a committed log entry means, and nothing else: no clock, no chance, no key, no network, no file. The same
// entries give the same state on every node, byte for byte, however they were batched, replayed or restored, and a
// digest after every entry proves it. What it can't understand it does not skip: it stops the node.
package fsm

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// FSM implements raft.BatchingFSM. Raft calls Apply, ApplyBatch, Snapshot and Restore on one goroutine; the other
// methods may be called by anyone at any time.
type FSM struct {
	options Options
	current atomic.Pointer[state] // never nil
	history history               // has the digest of current's index before current is set
	waiters waiters

	// Of the goroutine that applies.
	draft *draft
	fatal error // why nothing is applied any more
}

// Options: OnFatal is called once, on the goroutine that applies, when an entry or snapshot can't be understood
// (unknown version); it must not return normally into service: the node stops. Without it the FSM panics.
// Entries from that one on are not applied, and their results are errors.
// OnApply, if set, is called on the same goroutine after each batch, and each restored snapshot, has become visible.
type Options struct {
	OnFatal func(error)
	OnApply func(View)
}

// New returns an FSM with an empty state at index 0.
func New(o Options) *FSM {
	f := &FSM{options: o, draft: newDraft()}
	f.history.note(&f.draft.state)
	f.current.Store(f.draft.freeze())
	return f
}

// View returns the newest state. It takes no lock.
func (f *FSM) View() View { return View{state: f.current.Load()} }

// Wait returns when the state's index is at least index, or with the context's error.
func (f *FSM) Wait(ctx context.Context, index uint64) error {
	if f.current.Load().index >= index {
		return nil
	}
	g := f.waiters.join(index)
	defer f.waiters.leave(g)
	if f.current.Load().index >= index {
		return nil
	}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DigestAt returns the digest after the entry at index, for the last 4096 entries that reached the FSM since it was
// made or restored, and for the state that it was made or restored with.
func (f *FSM) DigestAt(index uint64) ([32]byte, bool) { return f.history.at(index) }

// Apply is ApplyBatch of one entry.
func (f *FSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies the entries in order and shows all of them at once. The results are an Outcome for a command,
// nil for a configuration, and an error for whatever comes after OnFatal. A command at or below the state's index
// changes nothing; its result is the outcome of its id, the zero Outcome when that is forgotten.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	results := make([]any, len(logs))
	for i, l := range logs {
		results[i] = f.applyOne(l)
	}
	if f.draft.index != f.current.Load().index {
		f.publish()
	}
	return results
}

func (f *FSM) applyOne(l *raft.Log) any {
	if f.fatal != nil {
		return f.fatal
	}
	before := f.draft.index
	result, err := f.draft.apply(l)
	if err != nil {
		f.fail(err)
		return err
	}
	if f.draft.index != before {
		f.history.note(&f.draft.state)
	}
	return result
}

// publish makes the draft visible. The history has it already, so that whoever reads an index finds its digest.
func (f *FSM) publish() {
	s := f.draft.freeze()
	f.current.Store(s)
	f.waiters.release(s.index)
	if f.options.OnApply != nil {
		f.options.OnApply(View{state: s})
	}
}

func (f *FSM) fail(err error) {
	if f.fatal != nil {
		return
	}
	f.fatal = err
	if f.options.OnFatal == nil {
		panic(err)
	}
	f.options.OnFatal(err)
}

// Snapshot keeps the newest state; Persist writes it, while later entries are applied. The writer of the sink, which is
// Raft, closes or cancels it.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if f.fatal != nil {
		return nil, f.fatal
	}
	return &snapshot{f.current.Load()}, nil
}

// Restore reads a snapshot to its end, checks all of it, its digest too, and puts its state in the place of this one.
// On an error the state is as before; an unknown version is told to OnFatal as well. The caller closes r.
func (f *FSM) Restore(r io.ReadCloser) error {
	if f.fatal != nil {
		return f.fatal
	}
	d, err := readSnapshot(r)
	if err != nil {
		if version := (versionError{}); errors.As(err, &version) {
			f.fail(err)
		}
		return err
	}
	f.draft = d
	f.history.restart(&d.state)
	f.publish()
	return nil
}
