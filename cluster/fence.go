package cluster

import (
	"context"
	"errors"
	"time"

	"keyquorum/fsm"
)

// Fence returns a view that holds everything acknowledged before the call, and nothing that a later reader elsewhere
// could miss. Errors: ErrUnavailable, ErrBusy, ErrDiverged, ErrRemoved or the context's.
func (c *Cluster) Fence(ctx context.Context) (fsm.View, error) {
	if err := c.unfit(); err != nil {
		return fsm.View{}, err
	}
	if c.leadsAlone() {
		return c.fsm.View(), nil
	}
	waiting, cancel := context.WithTimeout(ctx, leaderWait) // for a round to begin, and for its end
	defer cancel()
	view, err := c.fences.join(waiting, c.fenceRound)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = ErrUnavailable
	}
	return view, err
}

// leadsAlone is the fence of a node that is the only voter and leads an opened term: the majority is itself, and what its
// FSM shows is what is acknowledged. A configuration with a second voter is seen here before that voter can elect anybody.
func (c *Cluster) leadsAlone() bool {
	voters := c.voters()
	return len(voters) == 1 && voters[0] == c.id && c.leads()
}

// fenceRound asks the leader where the state stands, waits for this node's own FSM, and takes the view.
func (c *Cluster) fenceRound() (fsm.View, error) {
	ctx, cancel := context.WithTimeout(c.ctx, leaderWait)
	defer cancel()
	for {
		answer, err := c.askFence(ctx, fenceCall{})
		if err != nil {
			return fsm.View{}, err
		}
		if err := c.fsm.Wait(ctx, answer.Index); err != nil {
			return fsm.View{}, ErrUnavailable
		}
		known, err := c.compare(answer)
		if err != nil {
			return fsm.View{}, err
		}
		if known {
			view := c.fsm.View()
			return view, c.waitShown(ctx, view.Index(), answer.Index)
		}
	}
}

// waitShown waits until E, the leader's FSM index while leases are off, has reached index. A view ahead of it must not be
// answered from: the next reader elsewhere, fenced at the leader, could miss what this one saw.
// The view itself stays good, it was current after the fence's answer.
func (c *Cluster) waitShown(ctx context.Context, index, shown uint64) error {
	for shown < index && !c.leads() {
		answer, err := c.askFence(ctx, fenceCall{AtLeast: index})
		if err != nil {
			return err
		}
		shown = answer.Index
	}
	return nil
}

// askFence asks whoever leads, again and again until ctx ends. Each try is a new round.
func (c *Cluster) askFence(ctx context.Context, call fenceCall) (fenceAnswer, error) {
	for try := 0; ; try++ {
		if err := c.unfit(); err != nil {
			return fenceAnswer{}, err
		}
		answer, err := c.askFenceOnce(ctx, call)
		if err == nil {
			return answer, nil
		}
		if pause(ctx, try) != nil {
			return fenceAnswer{}, ErrUnavailable
		}
	}
}

func (c *Cluster) askFenceOnce(ctx context.Context, call fenceCall) (fenceAnswer, error) {
	_, leader := c.raft.LeaderWithID()
	switch string(leader) {
	case "":
		return fenceAnswer{}, errNotLeader
	case c.id:
		return c.serveFence(ctx, c.id, call)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a leader that hangs must not take the whole wait
	defer cancel()
	return ask[fenceCall, fenceAnswer](ctx, c, string(leader), "/v1/fence", call)
}

type fenceCall struct {
	_ struct{} `cbor:",toarray"`
	// AtLeast 0 asks for a fence. Another number asks for E alone, once it has reached that index: no round to the voters.
	AtLeast uint64
}

// A fenceAnswer says where the leader's FSM stood, and the digest of its state there. For a fence, nothing beyond Index
// had been acknowledged when it was asked for.
type fenceAnswer struct {
	_      struct{} `cbor:",toarray"`
	Index  uint64
	Digest []byte
}

// serveFence is the leader's part.
func (c *Cluster) serveFence(ctx context.Context, _ string, r fenceCall) (fenceAnswer, error) {
	if !c.leads() || c.unfit() != nil {
		return fenceAnswer{}, errNotLeader
	}
	if r.AtLeast == 0 {
		return c.confirms.join(ctx, c.confirmRound)
	}
	if c.fsm.Wait(ctx, r.AtLeast) != nil {
		return fenceAnswer{}, errNotConfirmed
	}
	// E: the index is read first, then the term must still be the opened one. Whatever a node applied in a term up to
	// its own opened one, a later leader's FSM holds before that leader answers anybody.
	view := c.fsm.View()
	if !c.inOpenedTerm() {
		return fenceAnswer{}, errNotLeader
	}
	return answerAt(view), nil
}

// confirmRound notes F and the voters, and then asks those for their term with a message of its own. A majority still
// in T proves that nobody was elected before the question, so nobody else has acknowledged anything that F lacks.
// Never raft.VerifyLeader: it counts non-voters and answers to older questions (DESIGN.md).
func (c *Cluster) confirmRound() (fenceAnswer, error) {
	term := c.opened.Load()
	if !c.leads() {
		return fenceAnswer{}, errNotLeader
	}
	view := c.fsm.View()
	if !c.majorityIn(term, c.voters()) || c.raft.CurrentTerm() != term {
		return fenceAnswer{}, errNotConfirmed
	}
	return answerAt(view), nil
}

func answerAt(v fsm.View) fenceAnswer {
	digest := v.Digest()
	return fenceAnswer{Index: v.Index(), Digest: digest[:]}
}

// majorityIn asks the voters for their current term and returns as soon as a majority is known to be in term, or not.
func (c *Cluster) majorityIn(term uint64, voters []string) bool {
	need := len(voters)/2 + 1
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	answers := make(chan bool, len(voters))
	for _, voter := range voters {
		if voter == c.id { // the leader counts itself only when it is a voter
			answers <- c.raft.CurrentTerm() == term
			continue
		}
		go func() { // ends with ctx at the latest
			answer, err := ask[termCall, termAnswer](ctx, c, voter, "/v1/term", termCall{})
			answers <- err == nil && answer.Term == term
		}()
	}
	yes, no := 0, 0
	for yes < need && no <= len(voters)-need {
		if <-answers {
			yes++
		} else {
			no++
		}
	}
	return yes >= need
}

type termCall struct {
	_ struct{} `cbor:",toarray"`
}

type termAnswer struct {
	_    struct{} `cbor:",toarray"`
	Term uint64
}

// serveTerm says "I have helped nobody beyond this term": Raft stores a new term before it votes or follows in it.
func (c *Cluster) serveTerm(context.Context, string, termCall) (termAnswer, error) {
	return termAnswer{Term: c.raft.CurrentTerm()}, nil
}
