package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// openTerms commits an empty transaction at the beginning of each term that this node leads. With the same term read
// before and after, an entry of this very term is committed and this FSM is past everything older (decision 13);
// until then leads() is false and this leader serves nobody.
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
		if c.raft.State() == raft.Leader && !c.inOpenedTerm() {
			c.openTerm()
		}
	}
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

func (c *Cluster) openTerm() {
	term := c.raft.CurrentTerm()
	view := c.fsm.View()
	data, err := fsm.Txn{ID: fsm.NewID(), Base: view.Index(), Generation: view.Generation()}.Encode()
	if err != nil {
		c.fail(err)
		return
	}
	if _, err := c.apply(c.ctx, term, data); err != nil || c.raft.CurrentTerm() != term {
		return // not leader any more, or not yet: the next nudge tries again
	}
	c.beginReign(term)
	c.openedAt.Store(time.Now().UnixNano())
	c.opened.Store(term)
	c.nudgeCheckIn()
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
