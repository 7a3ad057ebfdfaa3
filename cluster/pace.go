package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// Raft's time-outs follow the ways among the members, so that nobody has to tune a multiplier. A
// follower hears its leader once in a heartbeat's interval, a tenth to a fifth of its time-out, and
// a round trip. So the longest round trip comes on top of what is set for a LAN. It is known to
// every member: leases are that much longer (Table.life in package lease), up to ways of 300 ms.
//
// Raft's own leader lease cannot be changed while it runs. It need not be: nothing rests on it here
// but how soon a leader without a majority says so, and half a second is more than the way to the
// nearest majority takes anywhere on Earth.

// paceStep is how much a time-out must be off before Raft is told: below it a network counts as a
// LAN.
const paceStep = 50 * time.Millisecond

// follow has Raft's time-outs follow the ways. They grow at once and shrink slowly: a way that was
// slow once may be again.
func (c *Cluster) follow() {
	longest := c.longest()
	base := or(c.Timing.Heartbeat, lan.Heartbeat)
	now := time.Duration(c.heartbeat.Load())
	wanted := base + longest.Truncate(paceStep)
	if wanted < now {
		wanted = max(wanted, now-max(now/10, paceStep))
	}
	if wanted == now {
		return
	}
	c.heartbeat.Store(int64(wanted)) // first: whoever reloads after this finds it
	own := ownTimers(wanted)
	election := or(c.Timing.Election, lan.Election) + wanted - base
	c.reload(func(r *raft.ReloadableConfig) {
		r.HeartbeatTimeout, r.ElectionTimeout = own,
			max(election, own)
	})
	c.logger.Debug("Raft's time-outs follow the round trips", "heartbeat", wanted,
		"longest round trip", longest)
}

// reload changes settings of the running Raft, one caller at a time.
func (c *Cluster) reload(change func(*raft.ReloadableConfig)) {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	config := c.raft.ReloadableConfig()
	change(&config)
	if err := c.raft.ReloadConfig(config); err != nil {
		c.logger.Warn("Raft does not take a setting", "error", err)
	}
}
