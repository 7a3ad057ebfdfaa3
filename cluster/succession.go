package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lease"
	"keyquorum/cluster/succession"
)

// How the next leader is found. Raft's own timers are late, and over long ways they split votes
// (DESIGN.md, "Followers agree on a successor"). So a follower that misses its leader asks the
// other voters for how long they have, and how far their logs go. When a majority misses it and
// lacks nothing that would have it refuse its vote, the best of them stands at once (package
// succession); the others see that it is not they.
//
// It is an election of Raft's as ever: a vote is given once a term, to a log that lacks nothing.
// Nothing but time rests on who stands when. Where nobody does Raft's own timers go on. They are
// slower by half, because a candidate of theirs waits for an election time-out and can't stand for
// anything meanwhile.

// ownTimers is how much longer Raft's own heartbeat time-out is than the one that followers agree
// by.
func ownTimers(timeout time.Duration) time.Duration { return timeout * 3 / 2 }

const (
	// pollAgain is after how long a follower asks again, at first, that found no majority, or that
	// somebody else should stand.
	pollAgain = 50 * time.Millisecond
	// pollSlack is how long an answer may take besides its way and a quarter, else it is decided
	// without it.
	pollSlack = 20 * time.Millisecond
	// storing is how long a term and a vote may take to be stored, else the next one stands.
	storing = 100 * time.Millisecond
)

// watchLeader ends with the member.
func (c *Cluster) watchLeader() {
	timer := time.NewTimer(pollAgain)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		wait := time.Duration(c.heartbeat.Load())
		if c.maySucceed() {
			wait = c.untilOverdue() - c.longest() // the others' answers take that long
		}
		if wait <= 0 {
			c.succeed()
			wait = min(max(pollAgain, c.silent()/8), time.Second) // who is cut off asks seldom
		}
		timer.Reset(wait)
	}
}

// maySucceed says whether this node is a voter that does not lead.
func (c *Cluster) maySucceed() bool {
	return c.leader() != c.id && c.out.Load() == nil && slices.Contains(c.voters(), c.id)
}

// untilOverdue is for how long yet this node waits to hear of its leader.
func (c *Cluster) untilOverdue() time.Duration {
	if len(c.voters()) == 1 {
		return 0 // there is nobody to hear of
	}
	return time.Duration(c.heartbeat.Load()) - c.silent()
}

// silent is for how long this node has heard no leader, and given nobody its vote. Before it
// started it could not.
func (c *Cluster) silent() time.Duration {
	return min(time.Since(c.raft.LastContact()), time.Since(c.begun))
}

// longest is the longest round trip among the members, as leases say it: no more than 300 ms.
func (c *Cluster) longest() time.Duration {
	return max(0, c.life()-lease.Standard.Base) / time.Duration(lease.Standard.PerTrip)
}

// succeed has this node stand as soon as its leader is overdue, if it is the one to.
func (c *Cluster) succeed() {
	term := c.raft.CurrentTerm()
	if !c.transport.Follows(term) || !c.shouldStand() {
		return
	}
	select {
	case <-time.After(c.untilOverdue()):
	case <-c.ctx.Done():
		return
	}
	if c.untilOverdue() <= 0 && c.transport.Follows(term) {
		now := time.Now()
		c.stood.Store(&now)
		c.transport.Stand()
	}
}

// shouldStand asks the voters, but for the leader. When a majority would vote for this node, those
// that have not answered in time may be gone too.
func (c *Cluster) shouldStand() bool {
	timeout, leader, voters := time.Duration(c.heartbeat.Load()), c.leader(), c.voters()
	ctx, cancel := context.WithTimeout(c.ctx, timeout/2)
	defer cancel()
	poll := succession.NewPoll(c.asVoter(), len(voters), timeout)
	answers := make(chan *succession.Voter, len(voters))
	asked := 0
	for _, voter := range voters {
		if voter == leader || voter == c.id {
			continue
		}
		asked++
		go func() { answers <- c.askSilence(ctx, voter) }() // ends with ctx at the latest
	}
	inTime := time.NewTimer(c.longest()*5/4 + pollSlack)
	defer inTime.Stop()
	for late := false; asked > 0 && !(late && poll.Won()) && !poll.Beaten(); {
		select {
		case voter := <-answers:
			if asked--; voter != nil {
				poll.Hear(*voter)
			}
		case <-inTime.C:
			late = true
		}
	}
	return poll.Won() && !poll.Beaten()
}

// askSilence returns nil where there is no answer.
func (c *Cluster) askSilence(ctx context.Context, nodeID string) *succession.Voter {
	v, err := ask[silenceCall, succession.Voter](ctx, c, nodeID, "/v1/silence", silenceCall{})
	if err != nil {
		return nil
	}
	v.ID = nodeID
	return &v
}

type silenceCall struct {
	_ struct{} `cbor:",toarray"`
}

func (c *Cluster) serveSilence(context.Context, string, silenceCall) (succession.Voter, error) {
	return c.asVoter(), nil
}

// asVoter is what this node says of itself.
func (c *Cluster) asVoter() succession.Voter {
	v := succession.Voter{ID: c.id, Term: c.raft.CurrentTerm(), Serves: c.whyNotLead() == nil}
	v.Ready = c.raft.State() == raft.Follower || c.stands()
	v.LastTerm, v.Last = c.lastEntry()
	if c.leader() != c.id && c.transport.Stuck() == nil { // whose disk hangs can't vote
		v.Missed = c.silent()
	}
	return v
}

// stands says whether this node has just begun to stand. It stores the new term before it asks for
// a vote, and whoever asks it meanwhile must not take it for one that can't stand, and stand as
// well: neither would get the other's vote.
func (c *Cluster) stands() bool {
	stood := c.stood.Load()
	return stood != nil && time.Since(*stood) < storing
}

// lastEntry is what votes compare.
func (c *Cluster) lastEntry() (term, index uint64) {
	var entry raft.Log
	index = c.raft.LastIndex()
	if c.Store.Logs().GetLog(index, &entry) == nil {
		return entry.Term, index
	}
	index, term = c.Store.NewestSnapshot()
	return term, index
}
