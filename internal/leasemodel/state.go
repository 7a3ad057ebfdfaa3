package main

// A State is the whole world at one moment. Every number is small: indexes count entries, times count ticks.
type State struct {
	chosen entries // what Raft has committed, known to nobody in particular
	e      uint8   // the greatest E that any leader has announced; every node hears it at once
	shown  uint8   // newest index that was acknowledged or answered from: whoever begins to read now must not miss it
	since  uint8   // ticks since then, at most a lease, where the search is for late answers

	writes, reads, fences, crashes, changes uint8 // that may still happen

	nodes   [maxNodes]node
	leaders [maxTerms + 1]leader // by term; nobody leads term 0

	verdict verdict // of the answer that led here
}

// A node is what one node has on disk and in memory.
type node struct {
	term    uint8   // Raft's current term
	log     entries // where the setup has logs
	applied uint8   // its FSM's index

	lease   uint8 // ticks that are left of the lease it holds
	leaseOf uint8 // the term which that belongs to
	grant   grant // on its way to it

	silent uint8 // ticks since it last answered "which term?" to a leader that counted it for its own lease, at most whole
	slowed uint8 // ticks until its clock may lose one again

	floor    uint8 // the map of recent changes knows nothing up to this index
	unmapped bool  // the map lacks the entry that was applied last (only without MapBeforeView)
	told     uint8 // what it may have reported before it restarted (only without OfThisLife)
	unmarked uint8 // so many stored entries are not marked (only without MarksFromLog)

	read read
}

// A grant is a lease between the question and the answer's arrival.
type grant struct {
	state grantState
	by    uint8 // the term of the leader that was asked
	of    uint8 // the term in which the node asked
	left  uint8 // ticks
}

type grantState uint8

const (
	noGrant grantState = iota
	decided            // but not yet counted by the leader (only without OneLock)
	onItsWay
)

// A leader is what the winner of a term remembers in memory. Its term and FSM index are its node's.
type leader struct {
	elected bool
	alive   bool  // has not crashed since
	node    uint8 // who it is
	opens   uint8 // the index at which its FSM has everything older than its term

	own     uint8 // ticks that are left of its own lease
	pending bool  // a majority has answered, and it has not heard so (only without FromQuestion)
	e       uint8 // as far as it has moved E
	last    uint8 // one more than the index that the last fence answered (only without NoLateJoin)
	frozen  uint8 // FSM index when it was deposed

	waits bool            // for older leases to be over
	until [maxNodes]uint8 // how long yet by what each voter reported; unheard before it has
	table [maxNodes]uint8 // ticks until the lease of each node is over, margin included
}

// unheard says that a voter has not yet reported to a new leader when it last answered an older one.
const unheard = 7

// A read is one request on one node. A node has one at a time.
type read struct {
	phase  phase
	fenced bool
	paths  paths
	must   uint8    // shown, when it began
	view   [2]uint8 // FSM index of the view of x and of y; of a fence that waits, the index it waits for
	age    uint8    // ticks since the look, at most a lease, where the search is for late answers
	marks  bool     // looks at marks of stored entries: it is under a lease that was granted
}

type phase uint8

const (
	idle    phase = iota
	looked        // there is a lease
	waiting       // for the index of its fence
	halfway       // x was read, y will be from another view (only without OneView)
	viewed
)

// A verdict says what was wrong with an answer.
type verdict uint8

const (
	right verdict = iota
	stale         // it misses what had been acknowledged or answered when the read began
	torn          // it shows a state that never was
	late          // it misses what was acknowledged more than a lease ago
)

// leads says whether the leader of term t is one in its own eyes. There may be another with a higher term.
func (s *State) leads(t int) bool {
	l := &s.leaders[t]
	return l.elected && l.alive && s.nodes[l.node].term == uint8(t)
}

// leaderNode is the node that won term t.
func (s *State) leaderNode(t int) *node { return &s.nodes[s.leaders[t].node] }

// ledBy says whether node i won term t, if anybody did.
func (s *State) ledBy(t, i int) bool { return int(s.leaders[t].node) == i }

// opened says whether the FSM of term t's leader has everything older than the term.
func (s *State) opened(t int) bool {
	l := &s.leaders[t]
	return s.nodes[l.node].applied >= l.opens
}
