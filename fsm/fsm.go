// Package fsm is the replicated state machine: an immutable ordered tree of opaque records.
//
// It owns what a committed log entry means, and nothing else: it uses no clock, chance, key,
// network or file. The same entries give the same state on every node, byte for byte, however they
// were batched, replayed or restored, and a digest after every entry proves it. A signed entry that
// it can't understand stops the node, and is never skipped.
package fsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// FSM implements raft.BatchingFSM. Raft calls Apply, ApplyBatch, Snapshot and Restore on one
// goroutine; the other methods may be called by anyone at any time.
type FSM struct {
	options Options
	checker *checker
	current atomic.Pointer[state] // never nil
	history history               // has the digest of current's index before current is set
	waiters waiters

	// Of the goroutine that applies.
	draft *draft
	fatal error // why nothing is applied any more
}

// A Place is an index of the log, and the digest of the state there.
type Place struct {
	_      struct{} `cbor:",toarray"`
	Index  uint64
	Digest [32]byte
}

// Options of an FSM. All callbacks come on the goroutine that applies, and must be quick.
type Options struct {
	// Anchor is what this member knows its cluster by: no log and no snapshot with another line of
	// keys is taken. Without one the line is whoever's the first transaction is.
	Anchor Line
	// Place is one that the cluster's history goes through: a log that leads past it is another's, and
	// fatal. Zero: none is known.
	Place Place
	// OnFatal is called once, when an entry or snapshot can't be understood (unknown version); it must
	// not return normally into service: the node stops. Without it the FSM panics. Entries from that
	// one on are not applied, and their results are errors.
	OnFatal func(error)
	// OnApply, if set, is called after each batch, and each restored snapshot, has become visible.
	OnApply func(View)
	// OnRefused, if set, is called for each entry that changes nothing because nobody signed it.
	OnRefused func(l *raft.Log, why error)
	// OnStale, if set, is called for each entry whose signer looked further back than IDWindow.
	OnStale func(l *raft.Log)
	// OnDoubt, if set, is called when a signer has seen another state than this one's past.
	OnDoubt func(index uint64)

	free bool // checker.free
}

// New returns an FSM with an empty state at index 0.
func New(o Options) *FSM {
	f := &FSM{options: o, checker: newChecker(o)}
	f.draft = newDraft(f.checker)
	f.history.note(&f.draft.state)
	f.publish()
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

// DigestAt returns the digest after the entry at index, for the last 4096 entries that reached the
// FSM since it was made or restored, and for the state that it was made or restored with.
func (f *FSM) DigestAt(index uint64) ([32]byte, bool) { return f.history.at(index) }

// Apply is ApplyBatch of one entry.
func (f *FSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies the entries in order and shows all of them at once. The results are an Outcome
// for a command, nil for a configuration, and an error for whatever comes after OnFatal. A command
// at or below the state's index changes nothing; its result is the outcome of its id, the zero
// Outcome when that is forgotten.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	results := make([]any, len(logs))
	checked := f.checker.all(logs, f.draft.line)
	for i, l := range logs {
		results[i] = f.applyOne(l, checked[i])
	}
	if f.draft.index != f.View().Index() {
		f.publish()
		if f.options.OnApply != nil {
			f.options.OnApply(f.View())
		}
	}
	return results
}

func (f *FSM) applyOne(l *raft.Log, c *check) any {
	if f.fatal != nil {
		return f.fatal
	}
	if c != nil {
		c = f.checker.take(c, l.Data, f.draft.line)
	}
	before, refused := f.draft.index, f.draft.account.refused
	result, err := f.draft.apply(l, c)
	if err != nil {
		f.fail(err)
		return err
	}
	if f.draft.index == before {
		return result
	}
	f.history.note(&f.draft.state)
	if before < f.options.Place.Index && f.draft.index >= f.options.Place.Index &&
		!f.history.goesThrough(f.options.Place) {
		err := fmt.Errorf("fsm: this log is not this member's cluster's: at index %d it leads to another state; remove the member's folder and join anew",
			f.options.Place.Index)
		f.fail(err)
		return err
	}
	switch {
	case f.draft.account.refused != refused:
		if f.options.OnRefused != nil {
			f.options.OnRefused(l, f.draft.refused)
		}
		if f.options.OnDoubt != nil && SignedUnder(l.Data) > f.draft.line.Newest().Term {
			f.options.OnDoubt(l.Index) // a key that this state has not heard of, or somebody says so
		}
	case c != nil && f.options.OnStale != nil && l.Index > c.txn.Base+IDWindow:
		f.options.OnStale(l)
	case c != nil && f.options.OnDoubt != nil && f.draft.doubts(c.txn):
		f.options.OnDoubt(l.Index)
	}
	return result
}

// publish makes the draft visible. The history has it already, so that whoever reads an index finds
// its digest. Only what is published has a source: a vouched state that had one would keep the
// vouched state before it in memory, and that the one before.
func (f *FSM) publish() {
	s := f.draft.freeze()
	s.backing, s.source = f.draft.backing(), f.draft.source()
	f.current.Store(s)
	f.waiters.release(s.index)
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

// Snapshot keeps the newest state; Persist writes it, while later entries are applied. The writer
// of the sink, which is Raft, closes or cancels it.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if f.fatal != nil {
		return nil, f.fatal
	}
	return f.View().state.source, nil
}

// Restore reads a snapshot to its end, checks all of it, signatures and digests too, and puts its
// state in the place of this one. On an error the state is as before; an unknown version is told to
// OnFatal as well. The caller closes r.
func (f *FSM) Restore(r io.ReadCloser) error {
	if f.fatal != nil {
		return f.fatal
	}
	d, err := readSnapshot(r, f.checker)
	if err != nil {
		if errors.As(err, new(releaseError)) {
			f.fail(err)
		}
		return err
	}
	f.draft = d
	f.history.restart(&d.state)
	f.publish()
	if f.options.OnApply != nil {
		f.options.OnApply(f.View())
	}
	return nil
}

// doubts says whether a signer has seen another state than this one was, or one that it has yet to
// come to.
func (s *state) doubts(t Txn) bool {
	was, known := s.wasAt(t.Base, t.Digest)
	return known && !was
}

// leadsThrough says whether a state may have been at index with digest. What is further back than
// the window nobody can tell, and a member that was away for longer must come back all the same;
// what lies ahead neither.
func (s *state) leadsThrough(index uint64, digest [32]byte) bool {
	was, known := s.wasAt(index, digest)
	return was || !known || index > s.index
}

// ErrOlderKey: a snapshot is of before the newest transaction key that a member knows was used. It
// may be one of the cluster's, which the next takes the place of soon.
var ErrOlderKey = errors.New("nobody vouches for it with the newest transaction key")

// Vet reads a snapshot that somebody else sent, before it is put into place: whether it is this
// cluster's, vouched for under the newest transaction key that this member knows, not older than
// what this member holds, and leads through it: entries behind the vouched state that this member
// has applied can't be left out. It returns the state in it.
func (f *FSM) Vet(r io.Reader) (View, error) {
	d, err := readSnapshot(r, f.checker)
	if err != nil {
		return View{}, err
	}
	own := f.View()
	term := max(own.Line().Newest().Term, f.checker.anchor.Newest().Term)
	switch {
	case !d.line.Agrees(own.Line()):
		err = errors.New("it is another cluster's")
	case d.generation != own.Generation() && own.Index() > 0:
		err = fmt.Errorf("it is of restore generation %d, and this member's state of %d", d.generation,
			own.Generation())
	case d.index < own.Index():
		err = fmt.Errorf("it is of index %d, and this member is at %d", d.index, own.Index())
	case !d.leadsThrough(own.Index(), own.Digest()):
		err = fmt.Errorf("at index %d it was another state than this member's", own.Index())
	case f.options.Place.Index > 0 && !d.leadsThrough(f.options.Place.Index, f.options.Place.Digest):
		err = fmt.Errorf("at index %d it was another state than the cluster's", f.options.Place.Index)
	case d.assured.term < term:
		err = fmt.Errorf("%w, of term %d", ErrOlderKey, term)
	}
	if err != nil {
		return View{}, fmt.Errorf("fsm: snapshot: %w: %w", errRule, err)
	}
	return View{state: d.freeze()}, nil
}
