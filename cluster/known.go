package cluster

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lives"
	"keyquorum/cluster/wire"
	"keyquorum/fsm"
)

// What is committed a member must not forget. Raft does not store how far that is: a member that
// starts knows of no entry in its log whether it is committed, until a leader says so, and the
// first who speaks to it need not be one. So the folder has a mark, up to which the log is
// committed; the state is brought there before anybody is heard, and nobody has anything below it
// replaced. Beside it stands how far E was known to be, and what the other members said of
// themselves (package lives).
//
// The mark follows at once where nothing was committed for a second, and else within one. It may be
// too low, and then protects less; it is never too high.

var keyKnown = []byte("keyquorum/known")

// known is what the folder keeps.
type known struct {
	_                struct{} `cbor:",toarray"`
	Committed, Shown uint64
	Heard            []lives.Heard
}

// kept is the folder's part in it, as this process knows it.
type kept struct {
	committed atomic.Uint64 // up to where the folder says that the log is committed
	shown     uint64        // E as this member's last process knew it
	writing   chan struct{} // holds one while it is written
	now       nudge         // the folder may be behind
}

func newKept() kept { return kept{writing: make(chan struct{}, 1), now: newNudge()} }

// markEvery is how often it is written, at most, but for lives that begin.
const markEvery = time.Second

// committed is the index up to which this member knows the log to be committed.
func (c *Cluster) committed() uint64 {
	marked := c.kept.committed.Load()
	if r := c.transport.Raft(); r != nil { // which may ask before it is known here
		return max(marked, r.CommitIndex())
	}
	return marked
}

// readKnown takes what an earlier process has written.
func (c *Cluster) readKnown() error {
	k, err := storedKnown(c.Store.Stable())
	if err != nil {
		return err
	}
	c.kept.committed.Store(k.Committed)
	c.kept.shown = k.Shown
	c.hears.book = lives.NewBook(k.Heard, c.belongs, c.port.Alive)
	return nil
}

func storedKnown(stable raft.StableStore) (k known, err error) {
	b, err := stored(stable, keyKnown)
	if err == nil && b != nil && wire.Decode(b, &k) != nil {
		err = errors.New("cluster: what the folder knows of the cluster can't be read")
	}
	return k, err
}

// keepMark ends with the member. A disk that refuses has ended this store for good.
func (c *Cluster) keepMark() {
	every := time.NewTicker(markEvery)
	defer every.Stop()
	last := time.Now()
	for {
		select {
		case <-every.C:
		case <-c.kept.now:
			if time.Since(last) < markEvery {
				continue // in a moment
			}
		case <-c.ctx.Done():
			return
		}
		if c.mark(c.ctx) {
			last = time.Now()
		}
	}
}

// mark writes what is known, if that is more than when it was written last.
func (c *Cluster) mark(ctx context.Context) (written bool) {
	c.hears.mu.RLock()
	fresh := c.hears.book.Fresh()
	c.hears.mu.RUnlock()
	return (fresh || c.raft.CommitIndex() > c.kept.committed.Load()) && c.keepKnown(ctx) == nil
}

// keepKnown writes it. Who waits for another to write waits no longer than ctx: a disk may hang.
func (c *Cluster) keepKnown(ctx context.Context) error {
	select {
	case c.kept.writing <- struct{}{}:
		defer func() { <-c.kept.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	k := known{Committed: c.committed()}
	k.Shown = max(c.kept.shown, c.leases.everywhere.index.Load())
	c.hears.mu.Lock()
	k.Heard = c.hears.book.Keep(func(node string) bool { return !c.removed(node) })
	c.hears.mu.Unlock()
	b, err := wire.Encode(k)
	if err == nil {
		err = c.Store.Stable().Set(keyKnown, b)
	}
	if err == nil {
		c.kept.committed.Store(k.Committed)
	}
	return err
}

// A resumed is the state machine as Raft sees it. It begins with what is marked, and passes over
// what Raft sends of that once more.
type resumed struct {
	raft.FSM
	c       *Cluster
	resumes bool // until the state is at the mark; of the goroutine that applies
	// sent is the index of the newest entry that Raft sent, or of the state in its snapshot; likewise.
	sent uint64
}

// resume applies what is behind the state, up to the mark.
func (m *resumed) resume() error {
	defer func() { m.resumes = false }()
	logs := m.c.Store.Logs()
	first, err := logs.FirstIndex()
	if err != nil || first == 0 {
		return err
	}
	_, err = replay(logs, max(first, m.c.fsm.View().Index()+1), m.c.kept.committed.Load(),
		func(entries []*raft.Log) { m.apply(entries) })
	return err
}

// replay hands over the entries of a log that Raft sends to the state machine, in order and in
// batches, and returns the newest entry of all kinds. It ends where the log does.
func replay(logs raft.LogStore, from, to uint64, apply func([]*raft.Log)) (newest raft.Log,
	err error) {
	var batch []*raft.Log
	for i := from; i <= to; i++ {
		var l raft.Log
		if err := logs.GetLog(i, &l); errors.Is(err, raft.ErrLogNotFound) {
			break
		} else if err != nil {
			return newest, err
		}
		if newest = l; goesToState(&l) {
			batch = append(batch, &l)
		}
		if len(batch) == resumeBatch {
			apply(batch)
			batch = nil
		}
	}
	apply(batch)
	return newest, nil
}

const resumeBatch = 256

// goesToState says whether Raft sends an entry to the state machine.
func goesToState(l *raft.Log) bool {
	return l.Type == raft.LogCommand || l.Type == raft.LogConfiguration
}

// ApplyBatch implements raft.BatchingFSM.
func (m *resumed) ApplyBatch(entries []*raft.Log) []any {
	if len(entries) > 0 {
		m.sent = entries[len(entries)-1].Index
	}
	return m.apply(entries)
}

func (m *resumed) apply(entries []*raft.Log) []any {
	if batching, ok := m.FSM.(raft.BatchingFSM); ok {
		return batching.ApplyBatch(entries)
	}
	results := make([]any, len(entries))
	for i, l := range entries {
		results[i] = m.FSM.Apply(l)
	}
	return results
}

// Restore takes the snapshot with which Raft starts, and what is behind it; later ones as they are.
func (m *resumed) Restore(snapshot io.ReadCloser) error {
	if err := m.FSM.Restore(snapshot); err != nil {
		return err
	}
	if m.sent = m.c.fsm.View().Index(); m.resumes {
		return m.resume()
	}
	return nil
}

// Snapshot waits for Raft to get where the state is: it would say that the state is of an earlier
// index.
func (m *resumed) Snapshot() (raft.FSMSnapshot, error) {
	if m.c.fsm.View().Index() > m.sent {
		return nil, errors.New("cluster: no snapshot before the leader has said again what is committed")
	}
	return m.FSM.Snapshot()
}

var _ raft.BatchingFSM = (*resumed)(nil)

// newMachine makes the state machine.
func (c *Cluster) newMachine() *resumed {
	m := &resumed{c: c, resumes: true}
	c.fsm = fsm.New(fsm.Options{
		Anchor: c.Trust.Line, Place: c.Trust.Place, OnFatal: c.fail, OnApply: c.applied,
		OnRefused: c.refusedEntry, OnStale: c.staleEntry,
		OnDoubt: func(index uint64) {
			if !m.resumes { // else there is nobody to ask, and the first fence compares
				c.tasks.begin(func() { // one at a time, and bounded in time
					if c.awaitRaft(c.ctx) == nil {
						c.suspect(index, true)
					}
				})
			}
		},
	})
	m.FSM = c.fsm
	if c.wrapFSM != nil {
		m.FSM = c.wrapFSM(c.fsm)
	}
	return m
}

// begin comes before Raft has started. Where there is a snapshot, Raft has that restored first.
func (m *resumed) begin() error {
	if err := m.c.readKnown(); err != nil {
		return err
	}
	if snapshot, _ := m.c.Store.NewestSnapshot(); snapshot > 0 {
		return nil
	}
	return m.resume()
}
