package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lease"
)

// openTerms opens each term that this node leads: until an entry of this very term is committed,
// and this FSM has applied everything before it (decision 13), leads() is false and this leader
// serves nobody.
func (c *Cluster) openTerms() {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		select { // both are only a nudge: LeaderCh keeps no more than its newest value
		case <-c.raft.LeaderCh():
		case <-again.C:
		case <-c.ctx.Done():
			return
		}
		if term := c.raft.CurrentTerm(); c.leadsIn(term) && !c.inOpenedTerm() {
			c.openTerm(term)
		}
	}
}

// leads says whether this node is leader of a term that it has opened.
func (c *Cluster) leads() bool {
	return c.raft.State() == raft.Leader && c.inOpenedTerm()
}

// inOpenedTerm says whether the term that this node has opened as leader is still the one it is in.
func (c *Cluster) inOpenedTerm() bool { return c.opened.Load() == c.raft.CurrentTerm() }

// leadsIn says whether this node leads in term. Raft's main loop, which alone does either
// (raftfix), follows before it takes over a newer term: a leader between two readings of the same
// term is that term's.
func (c *Cluster) leadsIn(term uint64) bool {
	return c.raft.CurrentTerm() == term && c.raft.State() == raft.Leader &&
		c.raft.CurrentTerm() == term
}

// awaitOpening says whether this node leads an opened term, and waits for that where it was elected
// a moment ago: over a long way, whoever is sent away comes back late.
func (c *Cluster) awaitOpening(ctx context.Context) bool {
	for end := time.Now().Add(time.Second); !c.leads(); {
		if c.raft.State() != raft.Leader || time.Now().After(end) || pause(ctx, 0) != nil {
			return false
		}
	}
	return true
}

// openTerm waits for the entry with which Raft begins the term (lease.Opening). That no FSM is sent
// it does not matter; an entry of our own would come a round trip later.
func (c *Cluster) openTerm(term uint64) {
	c.elected(term)
	c.checkInNow.give()
	opening := lease.Opening{Term: term}
	err := c.findFirst(&opening)
	commit := c.raft.CommitIndex()
	for ; err == nil && (opening.First == 0 || commit < opening.First); commit = c.raft.CommitIndex() {
		select {
		case <-time.After(openingPoll):
		case <-c.ctx.Done():
			return
		}
		if !c.leadsIn(term) {
			return
		}
		if opening.First == 0 {
			err = c.findFirst(&opening)
		}
	}
	var entry raft.Log
	if err == nil {
		err = c.Store.Logs().GetLog(opening.First, &entry)
	}
	if errors.Is(err, raft.ErrLogNotFound) {
		return // a successor's snapshot took its place
	}
	if err != nil {
		c.fail(fmt.Errorf("the leader can't read its own log: %w", err))
		return
	}
	if entry.Term != term || c.fsm.Wait(c.ctx, opening.Before) != nil {
		return // the next nudge tries again
	}
	done := false
	c.step(func(n lease.Steps, now lease.Reading) {
		if done = opening.Done(commit, entry.Term, now, c.leadsIn(term)); done {
			n.Opened(now)
		}
	})
	if !done {
		return // likewise
	}
	c.transport.Announce(opening.First, term)
	c.openedAt.Store(time.Now().UnixNano())
	c.opened.Store(term)
	c.checkInNow.give()
	c.tasks.begin(c.wakeMachines)
}

// wakeMachines has every member's Raft send its state machine something. One that has sent nothing
// since it started refuses to take a snapshot, and who has a folder to scrub serves nobody before
// it has one: where all start anew at once, nobody could write what would wake them. A barrier
// changes nothing.
func (c *Cluster) wakeMachines() {
	_ = c.answer(c.ctx, func() raft.Future {
		return c.raft.Barrier(memberTimeout)
	}) // else the next term's
}

// openingPoll is how often a new leader looks whether its first entry is committed: Raft tells
// nobody.
const openingPoll = time.Millisecond

// findFirst finds the first entry of the term that this node leads, and the last one before it that
// an FSM is sent. What snapshots hold the FSM has applied.
func (c *Cluster) findFirst(o *lease.Opening) error {
	for index := c.raft.LastIndex(); ; index-- {
		var entry raft.Log
		err := c.Store.Logs().GetLog(index, &entry)
		switch {
		case errors.Is(err, raft.ErrLogNotFound):
			return nil
		case err != nil:
			return err
		case entry.Term == o.Term:
			o.First = index
		case goesToState(&entry):
			o.Before = index
			return nil
		}
	}
}
