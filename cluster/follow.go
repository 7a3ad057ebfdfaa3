package cluster

import (
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lease"
	"keyquorum/fsm"
)

// Who belongs to the cluster is signed for by an unsealed member (fsm.Change). The leader, sealed
// or not, has Raft's configuration follow it: no other configuration is taken by anybody
// (vetting.go).

// followEvery is how often a leader looks whether its configuration is behind, when nothing tells
// it to. What keeps it from following, a lease that is not over yet, tells nobody when it ends.
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
		for c.leads() && !c.followStep() {
			select {
			case <-time.After(followEvery):
			case <-c.ctx.Done():
				return
			}
		}
	}
}

// followStep takes the next step from the configuration to the members. true: there is none.
func (c *Cluster) followStep() bool {
	members := c.fsm.View().Members()
	servers := c.servers()
	if len(members) == 0 || members.Matches(raft.Configuration{Servers: servers}) {
		return true
	}
	kind, m := nextStep(members, servers)
	if !c.mayChange(kind, m.ID) {
		if kind == lease.Demote && m.ID == c.id {
			_ = c.stepDown(c.ctx) // else at the next step
		}
		return false
	}
	err := c.carryOut(kind, m)
	if err != nil && !errors.Is(err, errNotLeader) && !errors.Is(err, raft.ErrNotLeader) {
		c.logger.Info("the configuration does not follow the members yet",
			"member", c.nameOf(m.ID), "error", err)
	}
	return false
}

// carryOut has Raft change its configuration, and waits until Raft is done, however long that
// takes: the distance to the next change counts from then, and none may be under way beside it.
func (c *Cluster) carryOut(kind lease.Change, m fsm.Member) error {
	id, address := raft.ServerID(m.ID), raft.ServerAddress(m.Address)
	if kind != lease.Arrive {
		c.votersChange()
		defer c.votersChange()
	}
	return c.answer(c.ctx, func() raft.Future {
		switch {
		case kind == lease.Depart:
			return c.raft.RemoveServer(id, 0, memberTimeout)
		case kind == lease.Demote:
			return c.raft.DemoteVoter(id, 0, memberTimeout)
		case m.Voter:
			return c.raft.AddVoter(id, address, 0, memberTimeout)
		}
		return c.raft.AddNonvoter(id, address, 0, memberTimeout)
	})
}

// nextStep is the first difference: one at most, but for a leader whose state is behind.
func nextStep(members fsm.Members, servers []raft.Server) (lease.Change, fsm.Member) {
	for _, s := range servers {
		if _, ok := members.Find(string(s.ID)); !ok {
			return lease.Depart, fsm.Member{ID: string(s.ID)}
		}
	}
	for _, m := range members {
		at := slices.IndexFunc(servers, func(s raft.Server) bool { return string(s.ID) == m.ID })
		switch {
		case at < 0 && m.Voter: // it is one more voter, not only one more member
			return lease.Promote, m
		case at < 0 || string(servers[at].Address) != m.Address:
			return lease.Arrive, m
		case m.Voter && servers[at].Suffrage != raft.Voter:
			return lease.Promote, m
		case !m.Voter && servers[at].Suffrage == raft.Voter:
			return lease.Demote, m
		}
	}
	return lease.Arrive, fsm.Member{}
}
