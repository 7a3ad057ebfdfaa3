package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lease"
)

// elected lets members check in as soon as this node, which led in term a moment ago, leads.
func (c *Cluster) elected(term uint64) {
	members := c.configured()
	c.step(func(n lease.Steps, now lease.Reading) {
		if now.Term == term {
			n.Elected(now, members)
		}
	})
}

// serveCheckIn is the leader's part of a check-in.
func (c *Cluster) serveCheckIn(
	ctx context.Context, from string, in lease.CheckIn,
) (lease.Answer, error) {
	begun := c.clock()
	if !c.awaitElected(ctx, in.Term) || c.unfit() != nil || !c.hear(from, in) {
		return lease.Answer{}, errNotLeader
	}
	if in.Echo > 0 && !in.Idle { // else the answer brings what the next one is to say
		c.awaitFirm(ctx, in.Term)
	}
	if in.AtLeast > 0 {
		waiting, cancel := context.WithTimeout(ctx, lease.Standard.Base/2)
		_ = c.awaitEverywhere(waiting, in.AtLeast) // it is told how far E is in any case
		cancel()
	}
	answer, err := c.grant(from, in)
	answer.Held = c.clock() - begun
	return answer, err
}

func (c *Cluster) hear(from string, in lease.CheckIn) (heard bool) {
	c.step(func(n lease.Steps, now lease.Reading) { heard = n.Hear(now, from, in) })
	return heard
}

func (c *Cluster) grant(from string, in lease.CheckIn) (answer lease.Answer, err error) {
	servers, member := c.configured(), c.committedMember(from)
	c.step(func(n lease.Steps, now lease.Reading) {
		var verdict lease.Verdict
		switch answer, verdict = n.Grant(now, from, in, servers, member); verdict {
		case lease.NotLeader:
			err = errNotLeader
		case lease.Refused:
			c.leases.refused[from]++ // only members ask
		}
	})
	return answer, err
}

func (c *Cluster) committedMember(nodeID string) bool {
	configuration, _ := c.fsm.View().Configuration()
	return slices.ContainsFunc(configuration.Servers, func(s raft.Server) bool {
		return string(s.ID) == nodeID
	})
}

// awaitElected says whether this node leads in term. Who is sent the first entry of a term may
// check in before its leader has looked up.
func (c *Cluster) awaitElected(ctx context.Context, term uint64) (begun bool) {
	for end := time.Now().Add(lease.Standard.Base); ; {
		c.leases.ask(func(n *lease.Node) { begun = n.Table.Term == term })
		if begun || !c.leadsIn(term) || time.Now().After(end) || pause(ctx, 0) != nil {
			return begun
		}
	}
}

// awaitFirm waits, in a new term, until a check-in can bring a lease.
func (c *Cluster) awaitFirm(ctx context.Context, term uint64) {
	servers := c.configured()
	for end := time.Now().Add(lease.Standard.Base); ; {
		firm, now := false, c.clock()
		c.leases.ask(func(n *lease.Node) { firm = n.Firm(now, term, servers) })
		if firm || time.Now().After(end) || !c.leadsIn(term) || pause(ctx, 0) != nil {
			return
		}
	}
}

// mayChange says whether the configuration may be changed now.
func (c *Cluster) mayChange(kind lease.Change, nodeID string) (may bool) {
	c.step(func(n lease.Steps, now lease.Reading) { may = n.MayChange(now, kind, nodeID) })
	return may
}

// votersChange is called before and after the voters are changed.
func (c *Cluster) votersChange() {
	c.step(func(n lease.Steps, now lease.Reading) { n.VotersChange(now) })
}

// account is what this leader has in its books of a member.
func (c *Cluster) account(nodeID string) (a lease.Account, refused uint64) {
	now := c.clock()
	c.leases.ask(func(n *lease.Node) {
		a, refused = n.AccountOf(nodeID, now), c.leases.refused[nodeID]
	})
	return a, refused
}
