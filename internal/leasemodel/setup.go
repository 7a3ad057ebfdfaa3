package leasemodel

import (
	"time"

	"keyquorum/cluster/lease"
)

// Bounds of what a key holds. A setup uses less.
const (
	maxNodes   = 4
	maxTerms   = 3
	maxLog     = 6 // entries
	maxChanges = 2
)

// A Setup says how large a world is searched. Everything in it is finite, so a search can be
// complete.
type Setup struct {
	// Nodes are n0 to n(Nodes-1). n0 leads term 1 when the search begins, every member follows,
	// and nothing is written.
	Nodes  int
	Voters int // the first ones vote, but for those that join
	Terms  int // at most; after the first any voter wins with any majority that its log allows

	Writes    int    // at most
	Kinds     []Kind // what a write may be
	Reads     int    // begun at most, each at any node
	Fences    int    // of them fenced at most; the others need a lease
	Crashes   int    // of any node, which comes back at once, its state at any older index
	GiveBacks int    // of leases, by any holder

	Lease  int // ticks that a lease lasts
	Margin int // ticks that whoever waits for its end counts longer
	Slow   int // the node whose clock may lose one tick in each lease and margin; or NoSlowClock

	// Log is the capacity of the logs. 0 is Raft in one step: an entry is committed when it is
	// proposed. Otherwise entries are proposed, stored, committed, overwritten.
	Log       int
	Changes   []Change // of the configuration, one after the other; they need a Log
	Snapshots bool     // a node may be sent the leader's state

	Sealed NodeSet // take part, serve no reads
	Liar   int     // a sealed node that says whatever helps it (liar.go); or Nobody
	Rotten bool    // a node that crashed comes back with a state that is none of the log's

	AtOnce   bool // a grant arrives when it is sent: the adverse case while L1 and L2 are kept
	NoLeases bool // leases are off: every read is fenced
	Timely   bool // also search for answers that miss what was acknowledged over a lease ago
	Anyone   bool // a leader hears those without a vote where it looks for a majority, too
	Remember bool // nothing is forgotten (forget.go): more states, the same answers
	// Lively is how often a state is tried for whether the group can go on from it (lively.go): one
	// in so many; 0: none.
	Lively int
}

// A Change is one of the configuration.
type Change struct {
	How  lease.Change // Arrive (without a vote), Promote (with one), Demote or Depart
	Node int
}

// NoSlowClock and Nobody are no node.
const (
	NoSlowClock = -1
	Nobody      = -1
)

// tick is what the model counts time in.
const tick = 1000 * time.Nanosecond

// start is what the clock of a node shows when a step begins: what a state holds is the distance
// from there. No two clocks show the same.
func start(i int) time.Duration { return time.Duration(1000*(maxNodes-i)) * tick }

func ticks(n uint8) time.Duration { return time.Duration(n) * tick }

// limits are those of the core by which one lease and its margin are so many ticks. Nobody is late
// enough to be kept from a lease (L12), clocks are never compared.
func (s *Setup) limits() *lease.Limits {
	life := time.Duration(s.Lease) * tick
	return &lease.Limits{
		Base: life, Most: life, MarginTenths: 10 * s.Margin / s.Lease, MaxDrift: 1e9,
	}
}

// whole is a lease and its margin.
func (s *Setup) whole() int { return s.Lease + s.Margin }

// initial is the configuration that the logs begin with.
func (s *Setup) initial() (members, voters NodeSet) {
	members, voters = firstNodes(s.Nodes), firstNodes(s.Voters)
	var told NodeSet // by their first change
	for _, c := range s.Changes {
		if !told.has(c.Node) && (c.How == lease.Arrive || c.How == lease.Promote) {
			members &^= 1 << c.Node
			voters &^= 1 << c.Node
		}
		told |= 1 << c.Node
	}
	return members, voters
}

// changesVoters says whether majorities may come to be those of others.
func (s *Setup) changesVoters() bool {
	_, voters := s.initial()
	for _, c := range s.Changes {
		if c.How == lease.Promote || voters.has(c.Node) {
			return true
		}
	}
	return false
}

// haveTwins says whether nothing tells n1 from n2 but what has happened.
func (s *Setup) haveTwins() bool {
	alike := NodeSet(1<<1 | 1<<2)
	for _, c := range s.Changes {
		alike &^= 1 << c.Node
	}
	for _, i := range []int{s.Slow, s.Liar} {
		if i >= 0 {
			alike &^= 1 << i
		}
	}
	_, voters := s.initial()
	return s.Nodes > 2 && alike.size() == 2 &&
		voters.has(1) == voters.has(2) && s.Sealed.has(1) == s.Sealed.has(2)
}
