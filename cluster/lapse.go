package cluster

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Raft looks whether its leader is still heard of when a timer of its own fires, one to two heartbeat time-outs after it last looked,
// so a dead leader is noticed one to three of them after its last word. A vote is refused by whoever still believes in the leader,
// so the slower of the voters decides, and a candidate that was refused waits an election time-out before it asks again. Together
// that took 1.2 s at a heartbeat time-out of 0.5 s. So each follower has Raft look at the moment at which the time-out has
// passed since the leader's last word.
//
// Raft's timers are random so that voters do not all stand for election at once and split the votes. Instead of that,
// followers look one after the other, in the order of their ids: by the time the one that completes a majority stands, all
// before it have stopped believing and grant it their votes. Nothing rests on this but time: Raft checks the lapse itself, and an
// election is one as ever.

// lapseStep is the share of a LAN's heartbeat time-out between one follower and the next. Over long ways votes take longer than that, and the
// next one stands meanwhile; it finds its voters taken, or takes them first.
const lapseStep = 5

// watchLeader ends with the member.
func (c *Cluster) watchLeader() {
	timer := time.NewTimer(time.Duration(c.heartbeat.Load()))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		timer.Reset(c.lapse())
	}
}

// lapse has Raft look at its leader if that one is overdue, and returns after how long it will be at the earliest.
func (c *Cluster) lapse() time.Duration {
	timeout := time.Duration(c.heartbeat.Load())
	turn, follows := c.turn()
	if !follows {
		return timeout
	}
	patience := timeout + time.Duration(turn)*or(c.Timing.Heartbeat, lan.Heartbeat)/lapseStep
	if silent := time.Since(c.raft.LastContact()); silent < patience {
		return max(patience-silent, time.Millisecond)
	}
	c.reload(func(r *raft.ReloadableConfig) { r.HeartbeatTimeout = timeout - 1 }) // a shorter one makes Raft look at once
	c.reload(func(r *raft.ReloadableConfig) { r.HeartbeatTimeout = time.Duration(c.heartbeat.Load()) })
	return timeout
}

// turn is this follower's place among the voters that are not the leader. false for who is no voter, or follows nobody.
func (c *Cluster) turn() (int, bool) {
	_, leader := c.raft.LeaderWithID()
	if leader == "" || string(leader) == c.id {
		return 0, false
	}
	voters := slices.DeleteFunc(c.voters(), func(id string) bool { return id == string(leader) })
	slices.Sort(voters)
	turn, ok := slices.BinarySearch(voters, c.id)
	return turn, ok
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
