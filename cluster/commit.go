package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/lease"
	"keyquorum/fsm"
)

// Commit signs txn, sends it to the leader and returns its outcome when this node has applied it
// and every reader can see it.
//
// A lost answer is asked for again under the same id, which is safe because the first outcome of an
// id is its outcome for ever. What was sealed before the key that would sign it was made is TooOld:
// surely not applied, and to be decided again. Errors: ErrSealed, ErrUnavailable (surely not
// applied), ErrUnknown (maybe), ErrDiverged, ErrRemoved, ErrRefused, a *release.Waiting (nothing was
// done: not all members can apply it yet), or txn's own fault.
func (c *Cluster) Commit(ctx context.Context, txn fsm.Txn) (fsm.Outcome, error) {
	if err := c.mayWrite(txn); err != nil {
		return fsm.Outcome{}, err
	}
	for sent := false; ; { // whether some copy may have come into a log, whoever signed it
		data, err := c.sign(ctx, txn)
		switch {
		case errors.Is(err, errSealedBefore):
			return c.sealedTooEarly(ctx, txn, sent)
		case err != nil:
			return fsm.Outcome{}, failed(sent, err)
		}
		outcome, err := c.commitSigned(ctx, txn.ID, data, &sent)
		switch {
		case err != nil:
			return outcome, err
		case outcome.Kind != fsm.Retired:
			return outcome, nil
		}
		// What was signed under a key that has a successor is not applied any more: it is signed again,
		// when the successor is here.
		if err := c.fsm.Wait(ctx, outcome.Index); err != nil {
			return fsm.Outcome{}, failed(sent, ErrUnavailable)
		}
	}
}

// sealedTooEarly is the outcome of what is not signed again. A copy that came into a log was signed
// under an older key. This member's state has the change of the key, so the copy was applied before
// that, and has its outcome, or never is.
func (c *Cluster) sealedTooEarly(
	ctx context.Context, txn fsm.Txn, sent bool,
) (fsm.Outcome, error) {
	view := c.fsm.View()
	if outcome, ok := view.Outcome(txn.ID); ok {
		return c.settle(ctx, txn.ID, outcome, sent)
	}
	if sent && view.Index()-txn.Base > fsm.IDWindow {
		return fsm.Outcome{}, ErrUnknown
	}
	return fsm.Outcome{Kind: fsm.TooOld}, nil
}

// failed is the error of a write that is given up for a reason: where a copy of it may have come
// into a log, the others may apply it.
func failed(sent bool, reason error) error {
	if sent {
		return ErrUnknown
	}
	return reason
}

func (c *Cluster) commitSigned(
	ctx context.Context, id fsm.ID, data []byte, sent *bool,
) (fsm.Outcome, error) {
	begun := time.Now()
	for try := 0; ; try++ {
		if err := c.unfit(); err != nil {
			return fsm.Outcome{}, failed(*sent, err)
		}
		outcome, err := c.proposeAnywhere(ctx, data)
		if err == nil {
			return c.settle(ctx, id, outcome, *sent)
		}
		*sent = *sent || !surelyNot(err)
		if !*sent && time.Since(begun) > leaderWait {
			return fsm.Outcome{}, ErrUnavailable
		}
		if c.pauseFollowing(ctx, try) != nil {
			return fsm.Outcome{}, failed(*sent, ErrUnavailable)
		}
	}
}

// settle waits until this node's own state holds the outcome, and believes nobody else about it.
// What no state keeps, that every node refused it or that it is to be signed again, is the leader's
// word alone. The leader answered when E had reached it.
func (c *Cluster) settle(
	ctx context.Context, id fsm.ID, outcome fsm.Outcome, sentBefore bool,
) (fsm.Outcome, error) {
	if outcome.Kind == fsm.Retired {
		return outcome, nil // it is signed again, under the same id
	}
	if err := c.fsm.Wait(ctx, outcome.Index); err != nil {
		return fsm.Outcome{}, ErrUnknown
	}
	if outcome.Kind == fsm.Refused {
		return fsm.Outcome{}, ErrRefused
	}
	if outcome.Kind == fsm.Foreign { // this node has another past than the leader, or the leader lies
		c.suspect(outcome.Index, true)
		return fsm.Outcome{}, ErrUnknown
	}
	own, ok := c.fsm.View().Outcome(id)
	switch {
	case !ok, own != outcome:
		c.suspect(outcome.Index, true) // one of the two has another state than the rest
		return fsm.Outcome{}, ErrUnknown
	case sentBefore && (own.Kind == fsm.TooOld || own.Kind == fsm.WrongGeneration):
		return fsm.Outcome{}, ErrUnknown // an earlier copy may have been applied and forgotten
	}
	c.step(func(n lease.Steps, _ lease.Reading) {
		n.Settled(own.Index, own.Kind == fsm.Applied)
	})
	return own, nil
}

// proposeWait bounds one attempt at a write: a leader that does not answer may have lost the call,
// and the same id is sent again.
const proposeWait = 10 * time.Second

// proposeAnywhere proposes here or at the leader, whoever that is.
func (c *Cluster) proposeAnywhere(ctx context.Context, data []byte) (fsm.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, proposeWait)
	defer cancel()
	a, err := atLeader(ctx, c, "/v1/commit", commitCall{Txn: data}, c.commitHere)
	return fsm.Outcome{Kind: a.Kind, Index: a.Index, Path: a.Path, At: a.At}, err
}

// commitHere proposes what is signed for certain: by this node, or by one whose signature was
// checked.
func (c *Cluster) commitHere(ctx context.Context, _ string, r commitCall) (commitAnswer, error) {
	o, err := c.propose(ctx, r.Txn)
	return commitAnswer{Kind: o.Kind, Index: o.Index, Path: o.Path, At: o.At}, err
}

// propose appends the transaction to the log of this node, the leader. It serves nobody before its
// own term is opened.
func (c *Cluster) propose(ctx context.Context, data []byte) (fsm.Outcome, error) {
	if !c.leads() || c.unfit() != nil || c.removesThis(data) {
		return fsm.Outcome{}, errNotLeader
	}
	term, begun := c.opened.Load(), time.Now()
	c.counts.proposed.Add(1)
	response, err := c.apply(ctx, term, data)
	switch {
	case err == nil:
		c.counts.commits.Note(time.Since(begun))
		outcome, ok := response.(fsm.Outcome)
		if !ok || outcome.Kind == fsm.Applied && c.awaitEverywhere(ctx, outcome.Index) != nil {
			return fsm.Outcome{}, errMaybe
		}
		c.counts.writes.Note(time.Since(begun))
		return outcome, nil
	case errors.Is(err, errNotLeader), errors.Is(err, raft.ErrNotLeader),
		errors.Is(err, raft.ErrLeadershipTransferInProgress),
		errors.Is(err, raft.ErrEnqueueTimeout):
		return fsm.Outcome{}, errNotLeader
	}
	return fsm.Outcome{}, errMaybe
}

// surelyNot says that a proposal failed before anything could reach a log. A peer that could not
// even be dialled counts.
func surelyNot(err error) bool {
	var notSent *calls.DialError
	for _, word := range []error{
		errNotLeader, errBadCall, errNotMember, errOtherLife, errOutcast, errOtherRelease, errTooMany,
	} {
		if errors.Is(err, word) {
			return true
		}
	}
	return errors.As(err, &notSent)
}

// pause waits a little before try+1: 5 ms at first, 100 ms at most.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(min(5*time.Millisecond<<min(try, 5), 100*time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type commitCall struct {
	_   struct{} `cbor:",toarray"`
	Txn []byte
}

type commitAnswer struct {
	_     struct{} `cbor:",toarray"`
	Kind  fsm.OutcomeKind
	Index uint64
	Path  string
	At    uint64
}

func (c *Cluster) serveCommit(ctx context.Context, from string, r commitCall) (commitAnswer,
	error) {
	if err := c.fsm.Check(r.Txn); err != nil {
		if fsm.SignedUnder(r.Txn) > c.fsm.View().Line().Newest().Term {
			return commitAnswer{}, errNotLeader // a key that this node has yet to hear of
		}
		c.accuse(from, deedUnsigned, "why", err)
		return commitAnswer{}, errBadCall // in the log every node would refuse it
	}
	return c.commitHere(ctx, from, r)
}
