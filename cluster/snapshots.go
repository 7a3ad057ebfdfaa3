package cluster

import (
	"context"

	"github.com/hashicorp/raft"
)

// Defaults of Compact.
const (
	compactWeight  = 16 << 20
	compactEntries = 256
)

// snapshotWhenDue takes a snapshot when the log since the last one outweighs the state, so that
// writing costs stay proportional (decision 27), and when the last one is good for no new member.
// As much log as the first takes stays behind it for followers that are a little late.
func (c *Cluster) snapshotWhenDue() {
	weight := c.Store.Stats().LogBytesSinceSnapshot
	state, _ := c.fsm.View().Size()
	least := or(c.Compact.Weight, compactWeight)
	if weight < max(state, least) && !c.outdated() {
		return
	}
	entries := c.raft.LastIndex() - c.snapshotIndex()
	kept := trailing(uint64(weight), entries, uint64(least), or(c.Compact.Entries, compactEntries))
	if err := c.snapshot(c.ctx, kept); err != nil && c.ctx.Err() == nil {
		c.logger.Error("no snapshot could be taken; the log goes on growing", "error", err)
	}
}

// outdated says whether the newest snapshot is from before anybody used the newest transaction key.
// A new member knows that key, and takes no snapshot that does not (fsm.FSM.Vet).
func (c *Cluster) outdated() bool {
	at := c.snapshotIndex()
	return at > 0 && at < c.fsm.View().Backing().Assured
}

// snapshot has Raft take one, and leave so many entries behind it. One at a time: how many is a
// setting of Raft's, which it reads when the snapshot is written.
func (c *Cluster) snapshot(ctx context.Context, kept uint64) error {
	return c.answer(ctx, func() raft.Future {
		c.snapshotting <- struct{}{}
		defer func() { <-c.snapshotting }()
		c.reload(func(r *raft.ReloadableConfig) { r.TrailingLogs = kept })
		future := c.raft.Snapshot()
		_ = future.Error() // also where nobody waits any more
		return future
	})
}

// trailing is how many entries weigh as much as the least log that is cut, where so many entries
// weigh that much, but least of all fewest.
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
