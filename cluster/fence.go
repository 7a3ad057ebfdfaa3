package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"keyquorum/cluster/lease"
	"keyquorum/fsm"
)

// fence returns a view that holds everything acknowledged before the call. It may hold more than
// every reader sees yet. Errors: ErrUnavailable, ErrBusy, ErrDiverged, ErrRemoved or the context's.
func (c *Cluster) fence(ctx context.Context) (fenced, error) {
	if err := c.unfit(); err != nil {
		return fenced{}, err
	}
	if c.leadsAlone() && !c.behindTrust(c.fsm.View()) {
		c.noteCompared() // there is nobody to compare with
		look := Look{c.clock()}
		view := c.fsm.View()
		return fenced{view.Index(), view, look}, nil
	}
	waiting, cancel := context.WithTimeout(ctx, leaderWait) // for a round to begin, and for its end
	defer cancel()
	f, err := c.fences.join(waiting, c.fenceRound)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = ErrUnavailable
	}
	return f, err
}

// A fenced view is as current as at its look, which came before the leader was asked, if it has got
// to the fence's index: the read that takes it looks (F3).
type fenced struct {
	index uint64 // of the leader's FSM, before it asked its voters
	view  fsm.View
	look  Look
}

// leadsAlone says whether this node is its own majority: then what its FSM shows is what is
// acknowledged.
func (c *Cluster) leadsAlone() bool { return lease.Alone(c.id, c.configured()) && c.leads() }

// fenceRound asks the leader where the state stands, waits for this node's own FSM, and takes the
// view.
func (c *Cluster) fenceRound() (fenced, error) {
	ctx, cancel := context.WithTimeout(c.ctx, leaderWait)
	defer cancel()
	for {
		look, answer, err := c.askFence(ctx)
		if err != nil {
			return fenced{}, err
		}
		if err := c.fsm.Wait(ctx, answer.Index); err != nil {
			return fenced{}, ErrUnavailable
		}
		known, err := c.compare(answer)
		if err != nil {
			return fenced{}, err
		}
		if view := c.fsm.View(); known && !c.behindTrust(view) {
			return fenced{answer.Index, view, look}, nil
		} else if known {
			return fenced{}, ErrUnavailable
		}
	}
}

// askFence asks whoever leads, again and again until ctx ends. Each try is a new round, and has its
// own look.
func (c *Cluster) askFence(ctx context.Context) (Look, fenceAnswer, error) {
	for try := 0; ; try++ {
		if err := c.unfit(); err != nil {
			return Look{}, fenceAnswer{}, err
		}
		look := Look{c.clock()}
		answer, err := c.askFenceOnce(ctx)
		if err == nil {
			return look, answer, nil
		}
		if c.pauseFollowing(ctx, try) != nil {
			return Look{}, fenceAnswer{}, ErrUnavailable
		}
	}
}

func (c *Cluster) askFenceOnce(ctx context.Context) (fenceAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // one that hangs must not take the whole wait
	defer cancel()
	return atLeader(ctx, c, "/v1/fence", fenceCall{}, c.serveFence)
}

type fenceCall struct {
	_ struct{} `cbor:",toarray"`
}

// A fenceAnswer says where the leader's FSM stood, and the digest of its state there. For a fence,
// nothing beyond Index had been acknowledged when it was asked for.
type fenceAnswer struct {
	_      struct{} `cbor:",toarray"`
	Index  uint64
	Digest []byte
}

// serveFence is the leader's part.
func (c *Cluster) serveFence(ctx context.Context, _ string, _ fenceCall) (fenceAnswer, error) {
	if !c.awaitOpening(ctx) || c.unfit() != nil {
		return fenceAnswer{}, errNotLeader
	}
	return c.confirms.join(ctx, c.confirmRound)
}

// confirmRound is one fence of this leader.
func (c *Cluster) confirmRound() (fenceAnswer, error) {
	c.counts.rounds.Add(1)
	if !c.leads() {
		return fenceAnswer{}, errNotLeader
	}
	view := c.fsm.View()
	at := lease.Reading{Now: c.clock(), Applied: view.Index(), Term: c.raft.CurrentTerm()}
	fence, ok := lease.BeginFence(at, c.opened.Load(), c.configured())
	if !ok {
		return fenceAnswer{}, errNotLeader
	}
	c.askVoters(&fence)
	if !fence.Proves(c.raft.CurrentTerm()) {
		return fenceAnswer{}, errNotConfirmed
	}
	return answerAt(view), nil
}

func answerAt(v fsm.View) fenceAnswer {
	digest := v.Digest()
	return fenceAnswer{Index: v.Index(), Digest: digest[:]}
}

// askVoters asks the voters for their current term, with a message of its own for each, and returns
// as soon as the fence holds or can't any more. Never raft.VerifyLeader: it counts non-voters and
// answers to older questions (DESIGN.md).
func (c *Cluster) askVoters(fence *lease.Fence) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	type termOfVoter struct {
		voter string
		term  uint64 // 0: no answer
	}
	voters := slices.Clone(fence.Asks)
	answers := make(chan termOfVoter, len(voters))
	for _, voter := range voters {
		if voter == c.id { // the leader counts itself only when it is a voter
			answers <- termOfVoter{voter, c.raft.CurrentTerm()}
			continue
		}
		go func() { // ends with ctx at the latest
			answer, err := ask[termCall, termAnswer](ctx, c, voter, "/v1/term", termCall{})
			if err != nil {
				answer.Term = 0
			}
			answers <- termOfVoter{voter, answer.Term}
		}()
	}
	for !fence.Over() {
		a := <-answers
		fence.Hear(a.voter, a.term)
	}
}

type termCall struct {
	_ struct{} `cbor:",toarray"`
}

type termAnswer struct {
	_    struct{} `cbor:",toarray"`
	Term uint64
}

// serveTerm says "I have helped nobody beyond this term": Raft stores a new term before it votes or
// follows in it.
func (c *Cluster) serveTerm(context.Context, string, termCall) (termAnswer, error) {
	return termAnswer{Term: c.raft.CurrentTerm()}, nil
}
