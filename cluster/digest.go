package cluster

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// compare holds the digest of a fence's answer against this node's own at the same index (I9). Where this node no longer
// or not yet has one there is nothing to compare.
func (c *Cluster) compare(answer fenceAnswer) error {
	own, ok := c.fsm.DigestAt(answer.Index)
	if !ok || bytes.Equal(own[:], answer.Digest) {
		return nil
	}
	c.suspect(answer.Index)
	if err := c.diverged.Load(); err != nil {
		return *err
	}
	return ErrUnavailable // this node is with the majority: the leader is not, and hears of it
}

// suspect asks all voters for their digest at index, tells them that somebody differs, and stops this node from
// answering when it is not with a majority.
func (c *Cluster) suspect(index uint64) {
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
	defer cancel()
	own, ok := c.fsm.DigestAt(index)
	if !ok {
		return
	}
	voters := c.voters()
	with, other := 0, []byte(nil)
	for _, voter := range voters {
		digest := own[:]
		if voter != c.id {
			answer, err := ask[digestCall, digestAnswer](ctx, c, voter, "/v1/digest", digestCall{Index: index})
			if err != nil || !answer.Known {
				continue
			}
			digest = answer.Digest
		}
		if bytes.Equal(digest, own[:]) {
			with++
		} else {
			other = digest
		}
	}
	if other == nil {
		return
	}
	if with <= len(voters)/2 {
		c.diverge(fmt.Errorf("%w: at index %d this node's digest is %x, another's %x; %d of %d voters agree with this node",
			ErrDiverged, index, own, other, with, len(voters)))
	}
	for _, voter := range voters { // each judges for itself
		if voter != c.id {
			ask[digestCall, digestAnswer](ctx, c, voter, "/v1/suspect", digestCall{Index: index, Told: true})
		}
	}
}

// diverge stops this node from answering anything; only an empty data folder and a new join mend it.
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
	Told  bool
}

type digestAnswer struct {
	_      struct{} `cbor:",toarray"`
	Known  bool
	Digest []byte
}

func (c *Cluster) serveDigest(_ context.Context, _ string, r digestCall) (digestAnswer, error) {
	digest, ok := c.fsm.DigestAt(r.Index)
	return digestAnswer{Known: ok, Digest: digest[:]}, nil
}

// serveSuspect makes this node judge itself, unless it has done so for that index already.
func (c *Cluster) serveSuspect(_ context.Context, _ string, r digestCall) (digestAnswer, error) {
	if c.suspected.Swap(r.Index) != r.Index {
		c.wg.Go(func() { c.suspect(r.Index) })
	}
	return digestAnswer{}, nil
}
