// Package succession decides which follower stands for election when a leader is missed. It is
// plain data: no clock, no goroutine, no I/O. Package cluster asks the voters and stands. Only time
// depends on what is decided here: an election of Raft's follows.
package succession

import (
	"cmp"
	"time"
)

// A Voter is what a voter says of its leader, and of what it is worth as the next.
type Voter struct {
	_        struct{}      `cbor:",toarray"`
	ID       string        `cbor:"-"` // whoever asked knows it
	Term     uint64        // which it is in
	Missed   time.Duration // since it last heard a leader, or gave its vote to somebody
	LastTerm uint64        // of the last entry of its log
	Last     uint64        // and its index
	Ready    bool          // to stand now, or it has begun to: no candidate of Raft's own timers is
	Serves   bool
}

// log compares what they have as votes do: over 0 has a more.
func (a Voter) log(b Voter) int {
	return cmp.Or(cmp.Compare(a.LastTerm, b.LastTerm), cmp.Compare(a.Last, b.Last))
}

// before orders those that can stand: by log, then whoever serves, then by id.
func (a Voter) before(b Voter) bool {
	switch log := a.log(b); {
	case log != 0:
		return log > 0
	case a.Serves != b.Serves:
		return a.Serves
	}
	return a.ID < b.ID
}

// agreeShare is how many tenths of the time-out a voter must have missed the leader to agree that
// it is gone. Of one moment's silence some have heard less than others: by a heartbeat's interval,
// and by their ways.
const agreeShare = 6

// A Poll is what a follower that misses its leader has heard of the other voters.
type Poll struct {
	self    Voter
	voters  int
	timeout time.Duration
	votes   int
	beaten  bool
}

// NewPoll begins the poll of one of so many voters, which miss a leader after a time-out.
func NewPoll(self Voter, voters int, timeout time.Duration) *Poll {
	return &Poll{self: self, voters: voters, timeout: timeout, votes: 1}
}

// Hear counts the answer of another voter.
func (p *Poll) Hear(v Voter) {
	switch {
	case v.Term > p.self.Term: // it stands or gave its vote, unless it has stood in vain
		p.beaten = p.beaten || v.Ready
	case v.Missed >= p.timeout*agreeShare/10:
		if v.log(p.self) <= 0 { // else it refuses its vote
			p.votes++
		}
		p.beaten = p.beaten || v.Ready && v.before(p.self)
	}
}

// Won says whether a majority would vote for this follower.
func (p *Poll) Won() bool { return p.votes > p.voters/2 }

// Beaten says whether another should stand, or does.
func (p *Poll) Beaten() bool { return p.beaten }
