package cluster

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lease"
)

// How the next leader is found. Raft alone looks whether its leader is still heard of when a timer of its own fires, one to two heartbeat
// time-outs after it last looked; a vote is refused by whoever still believes in the leader, and a candidate that was refused waits an
// election time-out before it asks again. Together that took 1.2 s on a LAN at a heartbeat time-out of 0.5 s. Over long ways it took
// 1.8 s in the median and 3.6 at worst: followers have heard their leader at different moments, so they stand at different times and
// split their votes, and the farthest, whose logs are shortest, stand in vain.
//
// So followers agree before anybody stands. Who has not heard its leader for the time-out asks the other voters how long they have not, and how
// far their logs go. When a majority has missed it for most of the time-out, and lacks nothing that would have it refuse its vote, one of
// them stands at once: of those that can, the one with the longest log; the others see that it is not they. An election that came to
// nothing is followed by another in the same way. Nothing rests on this but time. It is an election of Raft's as ever: a vote is
// given once a term, to a log that lacks nothing. And where the one that should stand does not, Raft's own timers go on; they are
// slower by half, because a candidate of theirs waits for an election time-out and can't stand for anything meanwhile.

// agreeShare is how many tenths of the time-out a voter must have missed the leader to agree that it is gone. Of one moment's silence some
// have heard less than others: by a heartbeat's interval, and by their ways.
const agreeShare = 6

// again is how long a follower waits, at first, that found no majority, or that somebody else should stand.
const again = 50 * time.Millisecond

// ownTimers is how much longer Raft's own heartbeat time-out is than the one that followers agree by.
func ownTimers(timeout time.Duration) time.Duration { return timeout * 3 / 2 }

// watchLeader ends with the member.
func (c *Cluster) watchLeader() {
	timer := time.NewTimer(again)
	defer timer.Stop()
	for vain := 0; ; {
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		wait, overdue := c.lapse()
		if overdue { // a member that is cut off asks ever more seldom
			wait = min(again<<vain, time.Duration(c.heartbeat.Load()))
			vain = min(vain+1, 8)
		} else {
			vain = 0
		}
		timer.Reset(wait)
	}
}

// lapse sees to a successor if the leader is overdue. If not, it returns after how long it will be at the earliest.
func (c *Cluster) lapse() (earliest time.Duration, overdue bool) {
	timeout := time.Duration(c.heartbeat.Load())
	leader, voters := c.leader(), c.voters()
	if leader == c.id || !slices.Contains(voters, c.id) || c.out.Load() != nil {
		return timeout, false
	}
	if len(voters) == 1 {
		timeout = 0 // there is nobody to hear of
	}
	early := timeout - c.longest() // the others' answers take that long
	if silent := c.silent(); silent < early {
		return max(early-silent, time.Millisecond), false
	}
	term := c.raft.CurrentTerm()
	if !c.shouldStand(term, leader, voters, timeout) {
		return 0, true
	}
	if rest := timeout - c.silent(); rest > 0 {
		select {
		case <-time.After(rest):
		case <-c.ctx.Done():
		}
	}
	if c.silent() >= timeout && c.transport.Follows(term) {
		now := time.Now()
		c.stood.Store(&now)
		c.transport.Stand()
	}
	return 0, true
}

// silent is for how long this node has heard no leader, and given nobody its vote. Before it started it could not.
func (c *Cluster) silent() time.Duration {
	return min(time.Since(c.raft.LastContact()), time.Since(c.begun))
}

// longest is the longest round trip among the members, as leases say it: no more than 300 ms.
func (c *Cluster) longest() time.Duration {
	return max(0, c.life()-lease.Standard.Base) / time.Duration(lease.Standard.PerTrip)
}

type silenceCall struct {
	_ struct{} `cbor:",toarray"`
}

// A silence is what a voter knows of its leader, and what it is worth as the next.
type silence struct {
	_        struct{} `cbor:",toarray"`
	Term     uint64
	Missed   time.Duration // since it last heard a leader, or gave its vote to somebody
	LastTerm uint64        // of the last entry of its log
	Last     uint64        // and its index
	Ready    bool          // to stand now, or it has begun to: a candidate of Raft's own timers is not
	Serves   bool
}

func (c *Cluster) serveSilence(context.Context, string, silenceCall) (silence, error) {
	s := silence{Term: c.raft.CurrentTerm(), Ready: c.raft.State() == raft.Follower || c.stands(), Serves: c.whyNotLead() == ""}
	s.LastTerm, s.Last = c.lastEntry()
	if c.leader() != c.id && c.transport.Stuck() == nil { // whose disk hangs can't vote
		s.Missed = c.silent()
	}
	return s, nil
}

// stands says whether this node has just begun to stand. It stores the new term before it asks for a vote, and whoever asks it meanwhile
// must not take it for one that can't stand, and stand as well: neither would get the other's vote.
func (c *Cluster) stands() bool {
	stood := c.stood.Load()
	return stood != nil && time.Since(*stood) < storing
}

// storing is how long a term and a vote may take to be stored, else the next one stands.
const storing = 100 * time.Millisecond

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

// shouldStand asks all other voters but the leader. It is true when a majority of all voters misses the leader and would vote for this
// node, which follows in term, and none that misses it would be a better one.
func (c *Cluster) shouldStand(term uint64, leader string, voters []string, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.ctx, timeout/2)
	defer cancel()
	own, _ := c.serveSilence(ctx, c.id, silenceCall{})
	if !c.transport.Follows(term) {
		return false
	}
	answers := make(chan *candidate, len(voters))
	asked := 0
	for _, voter := range voters {
		if voter == leader || voter == c.id {
			continue
		}
		asked++
		go func() { // ends with ctx at the latest
			s, err := ask[silenceCall, silence](ctx, c, voter, "/v1/silence", silenceCall{})
			if err != nil || s.Term <= term && s.Missed < timeout*agreeShare/10 {
				answers <- nil
				return
			}
			answers <- &candidate{voter, s}
		}()
	}
	self, votes, best := candidate{c.id, own}, 1, true
	late := time.NewTimer(c.longest()*3/2 + again)
	defer late.Stop()
	for patient := true; asked > 0 && (patient || votes <= len(voters)/2); {
		select {
		case other := <-answers:
			asked--
			if other == nil {
				continue
			}
			if other.Term > term { // it stands or gave its vote, unless it has stood in vain
				best = best && !other.Ready
				continue
			}
			if other.log(self) <= 0 {
				votes++
			}
			best = best && !(other.Ready && other.better(self))
		case <-late.C: // some may be gone with the leader
			patient = false
		}
	}
	return best && votes > len(voters)/2 && c.transport.Follows(term)
}

// A candidate is a voter that misses the leader too.
type candidate struct {
	id string
	silence
}

// log compares what they have as votes do: over 0 has a more.
func (a candidate) log(b candidate) int {
	return cmp.Or(cmp.Compare(a.LastTerm, b.LastTerm), cmp.Compare(a.Last, b.Last))
}

// better orders those that can stand: by log, then whoever serves, then by id.
func (a candidate) better(b candidate) bool {
	switch log := a.log(b); {
	case log != 0:
		return log > 0
	case a.Serves != b.Serves:
		return a.Serves
	}
	return a.id < b.id
}

// reload changes settings of the running Raft, one caller at a time.
func (c *Cluster) reload(change func(*raft.ReloadableConfig)) {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	config := c.raft.ReloadableConfig()
	change(&config)
	if err := c.raft.ReloadConfig(config); err != nil {
		c.logger.Warn("Raft does not take a setting", "error", err)
	}
}
