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

func (c *Cluster) openTerm() {
	term := c.raft.CurrentTerm()
	view := c.fsm.View()
	data, err := fsm.Txn{ID: fsm.NewID(), Base: view.Index(), Generation: view.Generation()}.Encode()
	if err != nil {
		c.fail(err)
		return
	}
	if err := c.raft.Apply(data, time.Second).Error(); err != nil || c.raft.CurrentTerm() != term {
		return // not leader any more, or not yet: the next nudge tries again
	}
	c.openedAt.Store(time.Now().UnixNano())
	c.opened.Store(term)
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
		c.Fence(ctx) // compares this node's digest with the leader's
		c.askForVote(ctx)
		c.findSuccessor(ctx)
		c.snapshotByWeight()
		cancel()
	}
}

// findSuccessor hands a sealed leader's office to an unsealed voter that is caught up, where there is one (decision 2).
func (c *Cluster) findSuccessor(ctx context.Context) {
	if !c.sealed.Load() || !c.leads() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, voter := range c.voters() {
		if voter == c.id {
			continue
		}
		status, err := ask[statusCall, statusAnswer](ctx, c, voter, "/v1/status", statusCall{})
		if err != nil || status.Sealed || status.Applied < c.fsm.View().Index() {
			continue
		}
		c.logger.Info("this leader is sealed: handing leadership to an unsealed voter", "node", voter)
		if c.transferTo(voter) == nil {
			return
		}
	}
}

func (c *Cluster) transferTo(nodeID string) error {
	return c.raft.LeadershipTransferToServer(raft.ServerID(nodeID), raft.ServerAddress(nodeID)).Error()
}

// minSnapshotWeight is the weight of log below which no snapshot is worth its writing.
const minSnapshotWeight = 16 << 20

// snapshotByWeight takes a snapshot when the log since the last one outweighs the state, so that writing costs stay
// proportional (decision 27). As much log as that stays behind it for followers that are a little late.
func (c *Cluster) snapshotByWeight() {
	weight := c.Store.Stats().LogBytesSinceSnapshot
	state, _ := c.fsm.View().Size()
	if weight < max(state, minSnapshotWeight) {
		return
	}
	entries := max(c.raft.LastIndex()-c.lastSnapshot.Load(), 1)
	config := c.raft.ReloadableConfig()
	config.TrailingLogs = min(max(minSnapshotWeight/(uint64(weight)/entries+1), 256), 65536)
	if err := c.raft.ReloadConfig(config); err != nil {
		c.logger.Warn("trailing logs not set", "error", err)
	}
	if err := c.raft.Snapshot().Error(); err != nil {
		c.logger.Error("no snapshot could be taken; the log goes on growing", "error", err)
		return
	}
	c.lastSnapshot.Store(c.raft.LastIndex())
}
