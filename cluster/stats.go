package cluster

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/autopilot"
	"keyquorum/cluster/gossip"
	"keyquorum/cluster/port"
	"keyquorum/internal/tally"
)

// counts are what a member has counted since it was opened.
type counts struct {
	leased      atomic.Uint64   // views taken under a lease
	fences      tally.Durations // that readers waited for and got
	fenceFailed atomic.Uint64
	rounds      atomic.Uint64 // in which this node as leader asked for its term
	proposed    atomic.Uint64 // transactions, to this node as leader
	commits     tally.Durations
	writes      tally.Durations
	mismatches  atomic.Uint64
	states      [raft.Shutdown + 1]atomic.Uint64 // how often Raft entered each
}

func (n *counts) fenced(took time.Duration, err error) {
	if err != nil {
		n.fenceFailed.Add(1)
		return
	}
	n.fences.Note(took)
}

// countStates has Raft count for us: the filter of an observer is called for each change, and
// nothing is sent anywhere.
func (c *Cluster) countStates() {
	c.counts.states[raft.Follower].Add(1) // as which Raft begins
	c.raft.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		if state, ok := o.Data.(raft.RaftState); ok && int(state) < len(c.counts.states) {
			c.counts.states[state].Add(1)
		}
		return false
	}))
}

// Stats are what a member has counted since it was opened, and where it stands, all from memory.
// Indexes are those of entries of the log.
type Stats struct {
	Leased       uint64             // reads whose view a lease made current at once
	Fences       tally.Distribution // waits of reads that asked the leader; some got a lease first
	FencesFailed uint64
	FenceRounds  uint64             // in which this node as leader had voters confirm its term
	Proposed     uint64             // transactions, to this node as leader
	Commits      tally.Distribution // of those, from being proposed to being applied here
	Writes       tally.Distribution // likewise, until every node that may answer had them
	Mismatches   uint64             // of digests: of two members, or of a member's memory and its log
	Diverged     bool
	Outcast      string // the deed for which this member takes no part; "" while it does
	Lacking      uint64 // an entry that this member has and its leader lacks; 0 for none

	State                         string // Raft's: leader, follower, candidate
	Elected, Followed, Candidated uint64 // how often it became each
	LeaderKnown, Leads            bool
	LeaderHeard                   time.Duration // since then; negative: never, or this node leads
	Term                          uint64
	Last, Committed, Applied      uint64 // indexes
	Shown                         uint64 // every node that may answer has applied this
	Snapshot                      uint64 // index of the newest, 0 for none

	Lease       time.Duration // for how long yet this node has one; 0: it has none
	Life        time.Duration // of a lease
	ClockAstray bool          // the lease clock's rate differs from the leader's
	Bytes       int64         // of the state in memory, about
	Records     int
	DiskWait    time.Duration   // of the commit to the log that is under way, 0 for none
	Members     []Member        // as Members lists them
	Autopilot   autopilot.State // of this node as leader

	Port   port.Counts   // of the connections that others have opened
	Gossip gossip.Counts // of what came to gossip's port

	Refused   uint64         // entries of the log, ever, that nobody signed: they changed nothing
	Accused   []AccusedStats // what this node has caught others at
	Vouched   uint64         // index of the state that an unsealed member has vouched for
	Tail      int64          // bytes of entries behind it
	Leftover  time.Duration  // since this folder may hold something that was deleted; 0: nothing
	Scrubs    uint64         // how often the folder was rid of that
	ScrubTook time.Duration  // the last time
}

// AccusedStats count one deed of one node.
type AccusedStats struct {
	ID, Label, Deed string
	Times           uint64
}

// Stats never waits.
func (c *Cluster) Stats() Stats {
	view, n := c.fsm.View(), &c.counts
	s := Stats{
		Leased: n.leased.Load(), Fences: n.fences.Read(), FencesFailed: n.fenceFailed.Load(),
		FenceRounds: n.rounds.Load(), Proposed: n.proposed.Load(), Commits: n.commits.Read(),
		Writes: n.writes.Read(), Mismatches: n.mismatches.Load(), Diverged: c.diverged.Load() != nil,
		Elected: n.states[raft.Leader].Load(), Followed: n.states[raft.Follower].Load(),
		Candidated: n.states[raft.Candidate].Load(),
		Term:       c.raft.CurrentTerm(), Last: c.raft.LastIndex(), Committed: c.raft.CommitIndex(),
		Applied: view.Index(), Shown: c.leases.everywhere.index.Load(),
		Life: c.life(), ClockAstray: c.clockAstray.Load(), DiskWait: c.Store.Waiting(),
	}
	s.Port, s.Gossip = c.port.Counts(), c.gossip.Counts()
	s.State, s.LeaderHeard = stateName(c.raft.State()), c.leaderHeard()
	if o := c.out.Load(); o != nil {
		s.Outcast = o.deed.word
	}
	if l := c.lackNow(); l != nil {
		s.Lacking = l.index
	}
	s.LeaderKnown, s.Leads = c.leader() != "", c.leads()
	s.Snapshot, _ = c.Store.NewestSnapshot()
	s.Bytes, s.Records = view.Size()
	if now := c.clock(); c.mayRead(now) {
		s.Lease = max(0, c.leases.tenure.Load().Lease.Until-now)
	}
	s.Members, _ = c.Members()
	if s.Leads {
		s.Autopilot, _, _ = c.lookAtMembers() // unreadable, it says that nobody is healthy
	}
	s.Refused, _ = view.Refused()
	s.Vouched, s.Tail = view.Backing().Vouched, view.Backing().Tail
	for _, a := range c.Accusations() {
		s.Accused = append(s.Accused, AccusedStats{a.Node, c.labelOf(a.Node), a.Deed, a.Times})
	}
	s.Leftover, s.Scrubs, s.ScrubTook = c.scrubbing.read()
	return s
}

func stateName(s raft.RaftState) string {
	switch s {
	case raft.Leader:
		return "leader"
	case raft.Candidate:
		return "candidate"
	}
	return "follower"
}

// leaderHeard is since when this node, a follower, has not heard of the leader.
func (c *Cluster) leaderHeard() time.Duration {
	last := c.raft.LastContact()
	if last.IsZero() || c.raft.State() == raft.Leader {
		return -1
	}
	return time.Since(last)
}

// nameOf is a member's label with its id behind it: people know the one, and the other is sure.
func (c *Cluster) nameOf(id string) string { return Named(c.lastAbout(id).Label, id) }

// Named is a node's name for people: its label, if it has one, and its id.
func Named(label, id string) string {
	if label == "" {
		return id
	}
	return label + " (" + id + ")"
}

// labelOf is what people call another member, as far as it has ever told this one.
func (c *Cluster) labelOf(id string) string { return cmp.Or(c.lastAbout(id).Label, id) }
