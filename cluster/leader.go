package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// openTerms opens each term that this node leads: until an entry of this very term is committed, and this FSM has applied everything before
// it (decision 13), leads() is false and this leader serves nobody.
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

// leadsIn says whether this node leads in term. Raft's main loop, which alone does either (terms.go), follows before it takes over a newer
// term: a leader between two readings of the same term is that term's.
func (c *Cluster) leadsIn(term uint64) bool {
	return c.raft.CurrentTerm() == term && c.raft.State() == raft.Leader && c.raft.CurrentTerm() == term
}

// awaitOpening says whether this node leads an opened term, and waits for that where it was elected a moment ago: over a long way, whoever is
// sent away comes back late.
func (c *Cluster) awaitOpening(ctx context.Context) bool {
	for end := time.Now().Add(time.Second); !c.leads(); {
		if c.raft.State() != raft.Leader || time.Now().After(end) || pause(ctx, 0) != nil {
			return false
		}
	}
	return true
}

// openTerm waits for the entry with which Raft begins the term. That no FSM is sent it does not matter: when it is committed, so is what
// comes before it, and the FSM is waited for. An entry of our own would come a round trip later.
func (c *Cluster) openTerm(term uint64) {
	c.beginReign(term)
	c.nudgeCheckIn()
	first, before, err := c.firstOf(term)
	for err == nil && (first == 0 || c.raft.CommitIndex() < first) {
		select {
		case <-time.After(openingPoll):
		case <-c.ctx.Done():
			return
		}
		if !c.leadsIn(term) {
			return
		}
		if first == 0 {
			first, before, err = c.firstOf(term)
		}
	}
	// What is committed stays, so it is this term's entry if it still is now.
	var entry raft.Log
	if err == nil {
		err = c.Store.Logs().GetLog(first, &entry)
	}
	if errors.Is(err, raft.ErrLogNotFound) {
		return // a successor's snapshot took its place
	}
	if err != nil {
		c.fail(fmt.Errorf("the leader can't read its own log: %w", err))
		return
	}
	if entry.Term != term || c.fsm.Wait(c.ctx, before) != nil || !c.leadsIn(term) {
		return // the next nudge tries again
	}
	c.transport.Announce(first, term)
	c.openReign(term)
	c.openedAt.Store(time.Now().UnixNano())
	c.opened.Store(term)
	c.nudgeCheckIn()
	c.wg.Go(c.wakeMachines)
}

// wakeMachines has every member's Raft send its state machine something. One that has sent nothing since it started refuses to take a
// snapshot, and who has a folder to scrub serves nobody before it has one: where all start anew at once, nobody could write what would wake
// them. A barrier changes nothing.
func (c *Cluster) wakeMachines() {
	_ = c.answer(c.ctx, func() raft.Future { return c.raft.Barrier(memberTimeout) }) // else the next term's
}

// openingPoll is how often a new leader looks whether its first entry is committed: Raft tells nobody.
const openingPoll = time.Millisecond

// firstOf returns the first entry of the term that this node leads, 0 where it is not written yet, and the last entry before it that an FSM
// is sent, 0 where a snapshot holds that: what snapshots hold the FSM has applied.
func (c *Cluster) firstOf(term uint64) (first, before uint64, err error) {
	for index := c.raft.LastIndex(); ; index-- {
		var entry raft.Log
		err := c.Store.Logs().GetLog(index, &entry)
		switch {
		case errors.Is(err, raft.ErrLogNotFound):
			return first, 0, nil
		case err != nil:
			return 0, 0, err
		case entry.Term == term:
			first = index
		case entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration:
			return first, index, nil
		}
	}
}

// tick does once a second what needs doing once a second.
func (c *Cluster) tick() {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-c.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
		_, _, _ = c.fence(ctx) // compares this node's digest with the leader's
		c.tellAddress(ctx)
		c.askForVote(ctx)
		c.findSuccessor(ctx)
		c.findPlace(ctx)
		c.follow()
		c.snapshotByWeight()
		cancel()
	}
}

func (c *Cluster) transferTo(ctx context.Context, nodeID string) error {
	return c.answer(ctx, func() raft.Future {
		return c.raft.LeadershipTransferToServer(raft.ServerID(nodeID), raft.ServerAddress(nodeID))
	})
}

// Defaults of Compact.
const (
	compactWeight  = 16 << 20
	compactEntries = 256
)

// snapshotByWeight takes a snapshot when the log since the last one outweighs the state, so that writing costs stay
// proportional (decision 27). As much log as that stays behind it for followers that are a little late.
func (c *Cluster) snapshotByWeight() {
	weight := c.Store.Stats().LogBytesSinceSnapshot
	state, _ := c.fsm.View().Size()
	least := or(c.Compact.Weight, compactWeight)
	if weight < max(state, least) {
		return
	}
	kept := trailing(uint64(weight), c.raft.LastIndex()-c.snapshotIndex(), uint64(least), or(c.Compact.Entries, compactEntries))
	c.reload(func(r *raft.ReloadableConfig) { r.TrailingLogs = kept })
	if err := c.answer(c.ctx, func() raft.Future { return c.raft.Snapshot() }); err != nil && c.ctx.Err() == nil {
		c.logger.Error("no snapshot could be taken; the log goes on growing", "error", err)
	}
}

// trailing is how many entries weigh as much as the least log that is cut, where so many entries weigh that much, but least of all
// fewest.
func trailing(weight, entries, least, fewest uint64) uint64 {
	each := weight/max(entries, 1) + 1
	return min(max(least/each, fewest), 65536)
}

// snapshotIndex is where the newest snapshot ends, 0 without one.
func (c *Cluster) snapshotIndex() uint64 {
	list, err := c.Store.Snapshots().List()
	if err != nil || len(list) == 0 {
		return 0
	}
	return list[0].Index
}
