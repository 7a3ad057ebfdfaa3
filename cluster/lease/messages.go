package lease

import "time"

// A CheckIn is what a member tells its leader four times in the life of the shortest lease, and
// whenever it has applied something. One exchange does everything: it tells what the member has
// applied, proves that a voter was in the leader's term a moment ago, asks for a lease, and brings
// back E.
type CheckIn struct {
	_         struct{} `cbor:",toarray"`
	Term      uint64
	Process   uint64        // of the asker: another one is another holder
	Epoch     uint64        // leases of lower ones are dropped
	Applied   uint64        // the asker's FSM has at least this
	AtLeast   uint64        // not 0: answer when E is there, or half a base life later
	Echo      time.Duration // token of an earlier answer of this term; 0 for none
	Promised  time.Duration // for how long yet leaders of older terms may build on the asker's word
	Idle      bool          // the asker serves no reads
	RoundTrip time.Duration // the shortest of the latest exchanges of this term, 0 when not known
}

// An Answer is the leader's.
type Answer struct {
	_     struct{}      `cbor:",toarray"`
	E     uint64        // every node that may serve reads has applied up to here
	Life  time.Duration // of leases in this term
	Token time.Duration // to be echoed: until when the leader may build on that
	Grant time.Duration // of a lease, from when the check-in was prepared; 0 for none
	Held  time.Duration // how long the leader kept the question
}

// A Reading is what a node reads of itself before a step, in the order of the fields.
//
// The clock comes first: a lease that is counted from too early ends too early, and one that is
// waited for is waited for too long. The index comes before the term: what a node has applied when
// it is in a term still is that term's, and a leader that was deposed in between has its
// successor's entries in no reading of its own term.
//
// For Ask and Take index and term are read under the lock that keeps them apart: with terms from
// before another of these steps a voter echoes an old leader's token after it has told a new one
// its promises, and that leader does not wait. The clock may come before the lock, if it is from
// after what the step is about; so may the leader's whole reading.
type Reading struct {
	Now     time.Duration // of the node's lease clock
	Applied uint64        // index of its FSM
	Term    uint64        // Raft's, which is on disk before it counts
}

// A Server is a member of a configuration.
type Server struct {
	ID    string
	Voter bool
}
