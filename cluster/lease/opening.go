package lease

// An Opening is what a new leader waits for before it serves anybody (O). Raft begins each term
// with an entry that no FSM is sent. When that is committed, so is everything before it; and what
// the leader's FSM has then, it needs to have before it shows anything.
type Opening struct {
	Term   uint64 // of which this node was elected leader
	First  uint64 // index of the term's first entry; 0: it is not written yet
	Before uint64 // of the last entry before it that an FSM is sent; 0: a snapshot holds that
}

// Done says whether the term may be opened. What it is told was read in the order of the arguments:
// the commit index; the term of the entry at First, since what is committed stays; the node itself;
// and that it leads still in the term of that reading.
func (o Opening) Done(commit, entryTerm uint64, r Reading, leads bool) bool {
	return o.First > 0 && commit >= o.First && entryTerm == o.Term &&
		r.Applied >= o.Before && r.Term == o.Term && leads
}
