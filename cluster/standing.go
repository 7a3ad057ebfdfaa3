package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// leader is the node id of whoever this node takes for the leader, itself perhaps, "" for nobody.
func (c *Cluster) leader() string {
	_, id := c.raft.LeaderWithID()
	return string(id)
}

// Standing is what this node knows of the Raft group without asking anybody.
type Standing struct {
	Leader             string // node id, "" when none is known
	Leads              bool   // this node does, in an opened term
	Since              time.Time
	Committed, Applied uint64
}

// Standing answers from memory.
func (c *Cluster) Standing() Standing {
	s := Standing{Leader: c.leader(), Leads: c.leads()}
	s.Committed, s.Applied = c.raft.CommitIndex(), c.fsm.View().Index()
	if s.Leads {
		s.Since = time.Unix(0, c.openedAt.Load())
	}
	return s
}

// CaughtUp says whether this node knows a leader, and its state machine has been given all that it
// knows to be committed.
func (c *Cluster) CaughtUp() bool {
	return c.leader() != "" && c.raft.AppliedIndex() >= c.raft.CommitIndex()
}

// whileFollowing gives a call to the leader a context that ends with its leadership as well: a call
// to one that this node has given up need not be waited for, and a connection into a partition may
// take seconds to be noticed. stop must be called.
func (c *Cluster) whileFollowing(ctx context.Context) (_ context.Context, stop func()) {
	return c.leaderEpoch.bind(ctx)
}

// atLeader has the leader serve a call: this node, if it leads, or whoever it follows, for as long
// as it does. errNotLeader: there is nobody.
func atLeader[Req, Resp any](
	ctx context.Context, c *Cluster, path string, request Req,
	serve func(ctx context.Context, from string, r Req) (Resp, error),
) (Resp, error) {
	following, stop := c.whileFollowing(ctx) // first: a change after this ends it
	defer stop()
	switch leader := c.leader(); leader {
	case "":
		var none Resp
		return none, errNotLeader
	case c.id:
		return serve(ctx, c.id, request)
	default:
		return ask[Req, Resp](following, c, leader, path, request)
	}
}

// atNode has a node serve a call, which may be this one.
func atNode[Req, Resp any](
	ctx context.Context, c *Cluster, nodeID, path string, request Req,
	serve func(ctx context.Context, from string, r Req) (Resp, error),
) (Resp, error) {
	if nodeID == c.id {
		return serve(ctx, c.id, request)
	}
	return ask[Req, Resp](ctx, c, nodeID, path, request)
}

// pauseFollowing is a pause that a new leader ends. It fails with ctx, and with the end of this
// member.
func (c *Cluster) pauseFollowing(ctx context.Context, try int) error {
	following, stop := c.whileFollowing(ctx)
	defer stop()
	_ = pause(following, try)
	return errors.Join(ctx.Err(), c.ctx.Err())
}

// WhileLeading gives what only the leader is to do a context that ends when this node ceases to
// lead, and says whether it leads. That another may lead already before this one knows is not ruled
// out: what is done must stand it. stop must be called.
func (c *Cluster) WhileLeading(ctx context.Context) (_ context.Context, stop func(), leads bool) {
	ctx, stop = c.whileFollowing(ctx) // first: a change after this ends it
	return ctx, stop, c.leads() && c.unfit() == nil
}

// observeLeader tells when this node begins or ceases to follow somebody.
func (c *Cluster) observeLeader() (changed <-chan raft.Observation, forget func()) {
	observed := make(chan raft.Observation, 1)
	observer := raft.NewObserver(observed, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	c.raft.RegisterObserver(observer)
	return observed, func() { c.raft.DeregisterObserver(observer) }
}
