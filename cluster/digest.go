package cluster

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// compare holds the digest of a fence's answer against this node's own at the same index (I9).
// known is false where this node has no digest for that index any more: then nothing was compared,
// and a newer answer is needed.
func (c *Cluster) compare(answer fenceAnswer) (known bool, err error) {
	own, ok := c.fsm.DigestAt(answer.Index)
	if !ok {
		return false, nil
	}
	if bytes.Equal(own[:], answer.Digest) {
		c.noteCompared()
		return true, nil
	}
	c.noteDiffers(answer.Index)
	c.suspect(answer.Index, true)
	if err := c.diverged.Load(); err != nil {
		return true, *err
	}
	return true, ErrUnavailable // the leader is wrong, and hears of it, or nobody can tell who is
}

// DigestAt returns the digest of this node's state after the entry at index, when it has got there.
// known is false for an index that it does not remember (it keeps some 4,000). The error is the
// context's.
func (c *Cluster) DigestAt(ctx context.Context, index uint64) (digest [32]byte, known bool,
	err error) {
	if err := c.fsm.Wait(ctx, index); err != nil {
		return digest, false, err
	}
	digest, known = c.fsm.DigestAt(index)
	return digest, known, nil
}

// suspect asks all voters for their digest at index, and stops this node for good when a majority
// has another: fewer may lie, or be those that are wrong. tell: who found a difference tells all
// voters, so that each judges for itself; they tell nobody, or it would never end. Whoever tells
// again and again keeps this node from judging what it has found itself in nothing.
func (c *Cluster) suspect(index uint64, tell bool) {
	judging := &c.judging.told
	if tell {
		judging = &c.judging.found
	}
	if !judging.TryLock() {
		return
	}
	defer judging.Unlock()
	own, ok := c.fsm.DigestAt(index)
	if !ok {
		return
	}
	voters := c.voters()
	answers := c.digests(voters, index)
	with, other := 0, []byte(nil)
	for _, digest := range answers {
		if bytes.Equal(digest, own[:]) {
			with++
		} else {
			other = digest
		}
	}
	if other == nil {
		return
	}
	c.counts.mismatches.Add(1)
	if mostAgree(answers, own[:]) > len(voters)/2 {
		c.diverge(fmt.Errorf("%w: at index %d this node's digest is %x, another's %x; %d of %d voters agree with this node",
			ErrDiverged, index, own, other, with, len(voters)))
	}
	if tell {
		c.tellSuspicion(voters, index)
	}
}

// mostAgree is how many answers say one and the same that is not own.
func mostAgree(answers [][]byte, own []byte) (most int) {
	count := map[string]int{}
	for _, a := range answers {
		if !bytes.Equal(a, own) {
			count[string(a)]++
			most = max(most, count[string(a)])
		}
	}
	return most
}

// digests asks the voters, all at once: one that hangs must not keep the others from being heard.
// One that is behind answers when it has got there.
func (c *Cluster) digests(voters []string, index uint64) (known [][]byte) {
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
	defer cancel()
	answers := make(chan digestAnswer, len(voters))
	for _, voter := range voters {
		go func() { // ends with ctx at the latest
			call := digestCall{Index: index}
			answer, err := atNode(ctx, c, voter, "/v1/digest", call, c.serveDigest)
			if err != nil {
				answer.Known = false
			}
			answers <- answer
		}()
	}
	for range voters {
		if answer := <-answers; answer.Known {
			known = append(known, answer.Digest)
		}
	}
	return known
}

func (c *Cluster) tellSuspicion(voters []string, index uint64) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	var told sync.WaitGroup
	for _, voter := range voters {
		if voter != c.id {
			told.Go(func() { // one that does not hear it finds out by its own fence
				_, _ = ask[digestCall, digestAnswer](ctx, c, voter, "/v1/suspect", digestCall{Index: index})
			})
		}
	}
	told.Wait()
}

// sweepEvery is how often a member hashes its whole state anew. For 1 GiB that takes seconds of one
// core.
const sweepEvery = time.Hour

// sweep finds memory that was altered without an entry of the log: the digest follows the entries,
// so nothing but hashing everything shows it (decision 19).
func (c *Cluster) sweep() {
	every := time.NewTicker(sweepEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-c.ctx.Done():
			return
		}
		view := c.fsm.View()
		kept := view.Digest()
		if found, err := view.Recompute(c.ctx); err == nil && found != kept {
			c.counts.mismatches.Add(1)
			c.diverge(fmt.Errorf("%w: at index %d the digest of this node's memory is %x, that of its log %x",
				ErrDiverged, view.Index(), found, kept))
		}
	}
}

// diverge stops this node from answering anything; only an empty data folder and a new join mend
// it.
func (c *Cluster) diverge(err error) {
	if !c.diverged.CompareAndSwap(nil, &err) {
		return
	}
	c.logger.Error("this node serves nothing any more", "error", err)
	if c.Diverged != nil {
		c.Diverged(err)
	}
}

type digestCall struct {
	_     struct{} `cbor:",toarray"`
	Index uint64
}

type digestAnswer struct {
	_      struct{} `cbor:",toarray"`
	Known  bool
	Digest []byte
}

func (c *Cluster) serveDigest(ctx context.Context, _ string, r digestCall) (digestAnswer, error) {
	digest, known, err := c.DigestAt(ctx, r.Index)
	if err != nil {
		return digestAnswer{}, errCallFailed
	}
	return digestAnswer{Known: known, Digest: digest[:]}, nil
}

// serveSuspect makes this node judge itself, unless it is about to already.
func (c *Cluster) serveSuspect(_ context.Context, _ string, r digestCall) (digestAnswer, error) {
	c.suspect(r.Index, false)
	return digestAnswer{}, nil
}
