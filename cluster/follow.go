package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// Who belongs to the cluster is signed for by an unsealed member (fsm.Change). The leader, sealed or not,
// has Raft's configuration follow it: no other configuration is taken by anybody (vetting.go).

// nudgeFollow has a leader look at the members now.
func (c *Cluster) nudgeFollow() {
	select {
	case c.followNow <- struct{}{}:
	default: // it is about to
	}
}

// followEvery is how often a leader looks whether its configuration is behind, when nothing tells it to. What keeps
// it from following, a lease that is not over yet, tells nobody when it ends.
const followEvery = 50 * time.Millisecond

// followMembers ends with the member.
func (c *Cluster) followMembers() {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-c.followNow:
		case <-every.C:
		case <-c.ctx.Done():
			return
		}
		for c.leads() && !c.followed1() {
			select {
			case <-time.After(followEvery):
			case <-c.ctx.Done():
				return
			}
		}
	}
}

// A difference between configuration and members, as leases see it.
type change uint8

const (
	arrive  change = 1 // a member without a vote, or another address
	promote change = 2
	depart  change = 3
	leave   change = 4 // what comes before depart: no lease any more
)

// followed1 takes the next step from the configuration to the members. true: there is none.
func (c *Cluster) followed1() bool {
	members := c.fsm.View().Members()
	servers := c.servers()
	if len(members) == 0 || members.Matches(raft.Configuration{Servers: servers}) {
		return true
	}
	kind, m := nextStep(members, servers)
	if !c.mayChange(kind, m.ID) {
		return false
	}
	id, address := raft.ServerID(m.ID), raft.ServerAddress(m.Address)
	ctx, cancel := context.WithTimeout(c.ctx, memberTimeout)
	defer cancel()
	err := c.answer(ctx, func() raft.Future {
		switch kind {
		case arrive:
			if m.Voter {
				return c.raft.AddVoter(id, address, 0, memberTimeout)
			}
			return c.raft.AddNonvoter(id, address, 0, memberTimeout)
		case promote:
			c.changes()
			defer c.changes()
			return c.raft.AddVoter(id, address, 0, memberTimeout)
		default:
			c.changes()
			defer c.changes()
			return c.raft.RemoveServer(id, 0, memberTimeout)
		}
	})
	if err != nil && !errors.Is(err, errNotLeader) && !errors.Is(err, raft.ErrNotLeader) {
		c.logger.Info("the configuration does not follow the members yet", "member", m.ID, "error", err)
	}
	return false
}

// nextStep is the first difference: one at most, but for a leader whose state is behind.
func nextStep(members fsm.Members, servers []raft.Server) (change, fsm.Member) {
	for _, s := range servers {
		if _, ok := members.Find(string(s.ID)); !ok {
			return depart, fsm.Member{ID: string(s.ID)}
		}
	}
	for _, m := range members {
		at := -1
		for i, s := range servers {
			if string(s.ID) == m.ID {
				at = i
			}
		}
		switch {
		case at < 0 || string(servers[at].Address) != m.Address:
			return arrive, m
		case m.Voter != (servers[at].Suffrage == raft.Voter):
			return promote, m
		}
	}
	return arrive, fsm.Member{}
}
