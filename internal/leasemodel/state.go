package leasemodel

import (
	"time"

	"keyquorum/cluster/lease"
)

// A State is all there is at one moment.
type State struct {
	shared
	nodes [maxNodes]node
}

// What is shared is what is no node's. Every number is small: indexes count entries, times count
// ticks.
type shared struct {
	chosen entries // what Raft has committed, known to nobody in particular
	shown  uint8   // newest index acknowledged or answered from: later reads must not miss it
	since  uint8   // ticks since then, at most a lease, where the search is for late answers
	won    uint8   // the newest term that somebody has won

	writes, reads, fences, crashes, changes, gives uint8 // that may still happen

	over    bool    // nobody will ever see anything again
	verdict verdict // of the step that led here
}

// A node is what one node has on disk and in memory. The core is cluster/lease's.
type node struct {
	member
	core lease.Node
}

// A member is what the core is told of its node, and what is on its way to it.
type member struct {
	now     time.Duration // on its lease clock
	term    uint8         // Raft's current term
	log     entries       // where the setup has logs
	applied uint8         // its FSM's index
	slowed  uint8         // ticks until its clock may lose one again
	rotten  bool          // its state is none of the log's (only with Rotten)
	first   uint8         // of a leader whose term is not open: the term's first entry
	before  uint8         // and the last one before it that an FSM is sent
	frozen  uint8         // FSM index when it was last deposed
	last    uint8         // one more than the last fence answered (only when readers may join late)
	flight  flight
	read    read
}

// A flight is the answer to a check-in, on its way back.
type flight struct {
	up     bool
	asked  time.Duration // when the check-in was made, by the asker's clock
	call   lease.CheckIn
	answer lease.Answer
}

// A read is one request on one node. A node has one at a time.
type read struct {
	on    bool
	steps lease.Read
	paths paths
	must  uint8    // shown, when it began
	seen  paths    // what a view was taken of
	view  [2]uint8 // FSM index of the views of x and y
}

// A verdict says what was wrong with an answer, or with a state.
type verdict uint8

const (
	right  verdict = iota
	stale          // it misses what had been acknowledged or answered when the read began
	torn           // it shows a state that never was
	late           // it misses what was acknowledged more than a lease ago
	rotten         // it shows a state that is none of the log's
	stuck          // the group can't go on
)

// ids are the nodes' names in the core.
var ids = [maxNodes]string{"n0", "n1", "n2", "n3"}

// copyTo makes to the same as s, in to's memory.
func (m *Model) copyTo(s, to *State) {
	to.shared = s.shared
	for i := range m.Nodes {
		to.nodes[i].member = s.nodes[i].member
		s.nodes[i].core.CopyTo(&to.nodes[i].core)
	}
}

// fork is a copy of s for a step to change. There is one at a time.
func (m *Model) fork(s *State) *State {
	m.copyTo(s, &m.next)
	return &m.next
}

// reading is what a node reads of itself.
func (n *node) reading() lease.Reading {
	return lease.Reading{Now: n.now, Applied: uint64(n.applied), Term: uint64(n.term)}
}

// leads says whether a node is leader in its own eyes. There may be another with a higher term.
func (n *node) leads() bool { return n.term > 0 && n.core.Table.Term == uint64(n.term) }

// leaderIn is who leads a term, or Nobody.
func (m *Model) leaderIn(s *State, t uint8) int {
	for i := range m.Nodes {
		if s.nodes[i].term == t && s.nodes[i].leads() {
			return i
		}
	}
	return Nobody
}

// serves says whether a node answers reads.
func (m *Model) serves(n *node, i int) bool {
	return !m.Sealed.has(i) && !m.NoLeases && (!n.rotten || !n.core.Compared)
}
