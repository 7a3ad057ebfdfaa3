package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// A leader orders entries, and nothing else. Before Raft is shown its request, the request is held
// against what unsealed members signed:
//
//   - entries that this member knows to be committed stay. Raft deletes whatever conflicts with its
//     leader's log, because a leader that stands crashes has every committed entry; one that lies need not.
//     What is committed while the request waits for Raft is seen to in committed.go.
//   - a configuration is what is signed for: in this member's state, or in the log before it. Raft goes by a
//     configuration when it is in the log, not when it is committed, so looking when it is applied would be too
//     late; and after a start nothing may be committed before the configuration is there.
//   - entries are of the kinds that a leader makes, one behind the other. Raft stops at other kinds, and a log with
//     a hole is lost at the next start.
//   - a term has one leader (oneleader.go). Raft follows whoever says so.
//   - terms come one after the other. Raft believes any, and after the greatest there is nobody can be elected.
//
// What is not known yet is not refused but held back: the entries before it are taken, and the
// leader sends the rest again.

// append takes a leader's entries in.
func (in *inbound) append(peer string, rpc raft.RPC, r *raft.AppendEntriesRequest) {
	leads := r.Term >= in.c.raft.CurrentTerm() // else Raft takes nothing of it
	keep, err := in.c.vet(peer, r)
	if err == nil && !in.c.claims(peer, r.Term, keep > 0) {
		err = errBesides
	}
	switch {
	case err != nil:
		rpc.Respond(nil, err)
	case keep == len(r.Entries):
		if leads {
			in.noteLed(peer)
		}
		in.c.foresee(r.Entries)
		in.t.Forward(rpc)
	default:
		held := *r
		held.Entries = r.Entries[:keep]
		in.ask(rpc, &held, func(a *raft.RPCResponse) {
			if answer, ok := a.Response.(*raft.AppendEntriesResponse); ok && answer.Success {
				a.Error = errHeld // not a refusal, at which a leader steps back in its log, and sends a snapshot where that ends
			}
		})
	}
}

var errHeld = errors.New("cluster: the first entries were taken; the members that the next goes by are not known yet")

// vet says how many of the entries may be taken now. An error refuses the whole request.
//
// A leader that was deposed while it was cut off does not know what came after it: its entries may
// contradict what is committed, and nothing is wrong with it. Raft refuses all of an older term, so
// they are left to it.
func (c *Cluster) vet(peer string, r *raft.AppendEntriesRequest) (keep int, err error) {
	if r.Term < c.raft.CurrentTerm() {
		return len(r.Entries), nil
	}
	committed, before := c.committed(), r.PrevLogEntry
	if c.besides(peer, r.Term) {
		return 0, errBesides
	}
	c.hasItNow(peer, r)
	for i, e := range r.Entries {
		if e == nil || e.Index != before+1 {
			c.accuse(peer, deedKind, "after", before)
			return 0, errors.New("cluster: entries that are not one behind the other")
		}
		if e.Term > r.Term { // the library sends them, between following another leader and noticing it
			return 0, errors.New("cluster: entries of a newer term than their sender's")
		}
		before = e.Index
		if e.Index <= committed {
			if c.hasAnother(e.Index, e.Term) {
				c.accuse(peer, deedRewrite, "index", e.Index, "term", e.Term)
				c.lacks(peer, r.Term, e.Index)
				return 0, errors.New("cluster: that entry is committed, and another one")
			}
			continue // it was looked at when it came, and Raft passes over it
		}
		switch e.Type {
		case raft.LogCommand, raft.LogNoop, raft.LogBarrier:
		case raft.LogConfiguration:
			if !c.vetConfiguration(peer, e, r.Entries[:i], committed) {
				return i, nil
			}
		default:
			c.accuse(peer, deedKind, "index", e.Index, "kind", e.Type.String())
			return 0, fmt.Errorf("cluster: an entry of kind %v", e.Type)
		}
	}
	return len(r.Entries), nil
}

var errBesides = errors.New("cluster: another node leads in this term")

// vetConfiguration says whether a configuration is what the members are, by this member's state, or
// will be, by what is signed in the log before it. When the state has everything before the entry
// and still says otherwise, nobody signed for it.
func (c *Cluster) vetConfiguration(peer string, e *raft.Log, sent []*raft.Log,
	committed uint64) bool {
	configuration, err := fsm.DecodeConfiguration(e.Data)
	if err != nil {
		c.accuse(peer, deedConfiguration, "index", e.Index, "term", e.Term)
		return false
	}
	view := c.fsm.View()
	if view.Members().Matches(configuration) ||
		view.MembersAfter(c.behind(view, e, sent)).Matches(configuration) {
		return true
	}
	if c.held.tooLong(e, committed) {
		c.accuse(peer, deedConfiguration, "index", e.Index, "term", e.Term)
	}
	return false
}

// behind are the commands between a state and an entry that was sent: in this member's log, and
// then in what was sent before it.
func (c *Cluster) behind(view fsm.View, e *raft.Log, sent []*raft.Log) iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		first := e.Index - uint64(len(sent))
		for index := view.Index() + 1; index < e.Index; index++ {
			var l raft.Log
			if index >= first {
				l = *sent[index-first]
			} else if c.Store.Logs().GetLog(index, &l) != nil {
				return
			}
			if l.Type == raft.LogCommand && !yield(index, l.Data) {
				return
			}
		}
	}
}

// heldBack is the newest configuration that was not taken.
type heldBack struct {
	mu          sync.Mutex
	index, term uint64
	since       time.Time
}

// heldLong is how long the state may take from the commit of an entry to its application before a
// configuration that does not fit is nobody's.
const heldLong = 2 * time.Second

// tooLong notes that a configuration is held back, and says whether that has been so for too long.
func (h *heldBack) tooLong(e *raft.Log, committed uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.index != e.Index || h.term != e.Term || committed+1 < e.Index {
		h.index, h.term, h.since = e.Index, e.Term, time.Now()
		return false
	}
	return time.Since(h.since) > heldLong
}

// vetSnapshot looks at a snapshot that Raft has from a leader, before it is put into place.
func (c *Cluster) vetSnapshot(meta raft.SnapshotMeta, state io.Reader) error {
	sender := ""
	if p := c.inbound.sender.Load(); p != nil {
		sender = *p
	}
	return c.judgeSnapshot(sender, meta, state)
}

// judgeSnapshot holds a snapshot against all that this member knows to be committed, so the state
// has to be there first.
func (c *Cluster) judgeSnapshot(sender string, meta raft.SnapshotMeta, state io.Reader) error {
	ctx, cancel := context.WithTimeout(c.ctx, applyWait)
	defer cancel()
	if err := c.fsm.Wait(ctx, c.committedState()); err != nil {
		return fmt.Errorf("cluster: what is committed here is not applied yet: %w", err)
	}
	view, err := c.fsm.Vet(state)
	if err == nil {
		err = fits(meta, view)
	}
	if err != nil && !(errors.Is(err, fsm.ErrOlderKey) && c.older.mayBeReplaced(time.Now())) {
		c.accuse(sender, deedSnapshot, "index", meta.Index, "why", err)
	}
	return err
}

// older is since when snapshots come that are of before the newest transaction key was used. A
// leader has no other in the first seconds after a rotation, until somebody has used the key, and
// until the next snapshot is written. They are refused, and nobody is accused.
type older struct {
	mu          sync.Mutex
	first, last time.Time
}

// olderLong is how long a leader may take to have a snapshot of after a rotation. Whoever has none
// by then is named, and goes on being refused.
const olderLong = 5 * time.Minute

func (o *older) mayBeReplaced(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.last) > olderLong {
		o.first = now
	}
	o.last = now
	return now.Sub(o.first) <= olderLong
}

// applyWait is how long a snapshot waits for entries to be applied.
const applyWait = 10 * time.Second

// committedState is the index of the newest entry known to be committed that the state machine is
// sent.
func (c *Cluster) committedState() uint64 {
	var l raft.Log
	for i := c.committed(); i > c.fsm.View().Index(); i-- {
		if c.Store.Logs().GetLog(i, &l) != nil {
			break // a snapshot has taken its place
		}
		if goesToState(&l) {
			return i
		}
	}
	return 0
}

// maxSilent bounds the entries behind the last one that a state machine was sent: one begins each
// term.
const maxSilent = 1 << 16

// fits holds what Raft says of a snapshot against what is in it.
func fits(meta raft.SnapshotMeta, view fsm.View) error {
	configuration, index := view.Configuration()
	switch {
	case view.Index() > meta.Index || meta.Index-view.Index() > maxSilent:
		return fmt.Errorf("cluster: a snapshot of index %d holds a state of index %d", meta.Index,
			view.Index())
	case meta.ConfigurationIndex != index || !sameServers(meta.Configuration, configuration):
		return errors.New("cluster: a snapshot comes with another configuration than is in it")
	}
	return nil
}

func sameServers(a, b raft.Configuration) bool {
	if len(a.Servers) != len(b.Servers) {
		return false
	}
	for i, s := range a.Servers {
		if s != b.Servers[i] {
			return false
		}
	}
	return true
}

// maxTermStep bounds how far ahead of this member's a term may be.
const maxTermStep = 1 << 20

// plausible says whether a term may be one that somebody is in.
func (c *Cluster) plausible(term uint64) bool {
	r := c.transport.Raft()
	return r == nil || term <= r.CurrentTerm()+maxTermStep
}

// believe says so of the term that a voter answers with.
func (c *Cluster) believe(term uint64) error {
	if !c.plausible(term) {
		return errTerm
	}
	return nil
}

var errTerm = errors.New("cluster: a term that nobody is in")

// termOf is the term that a request brings.
func termOf(command any) uint64 {
	switch r := command.(type) {
	case *raft.AppendEntriesRequest:
		return r.Term
	case *raft.RequestVoteRequest:
		return r.Term
	case *raft.RequestPreVoteRequest:
		return r.Term
	case *raft.InstallSnapshotRequest:
		return max(r.Term, r.LastLogTerm)
	}
	return 0
}

// foresee has the signatures of entries checked while they are on their way to disk. Where the
// checkers are busy, it is done when they are applied.
func (c *Cluster) foresee(entries []*raft.Log) {
	if len(entries) == 0 {
		return
	}
	select {
	case c.foreseen <- entries:
	default:
	}
}

// foresees ends with the member.
func (c *Cluster) foresees() {
	for {
		select {
		case entries := <-c.foreseen:
			c.fsm.Foresee(entries)
		case <-c.ctx.Done():
			return
		}
	}
}
