package lease

import "time"

// A Table is what a leader knows of leases in one term. The zero Table is that of a node which
// never led.
type Table struct {
	Term      uint64
	Begun     time.Duration // when this node was elected
	Inherited time.Duration // life of leases until then
	Base      uint64        // this FSM's index when the term was opened: who lacks it gets no lease
	Members   []Server      // at the election: whoever may hold a lease of an older term
	Open      bool          // leases may be given, and E may move
	Quiet     bool          // no lease of an older term lives any more
	Reports   []Report
	Leases    []Granted
	Own       time.Duration // until when this node's lease runs, by its own clock
	Leaving   []string      // members that are about to be removed get no lease any more
	Changed   time.Duration // when this leader last changed the voters; 0: not yet
	Longest   time.Duration // lease that was given
	Overdue   uint64        // an index that was applied here, and that E has not reached
	Since     time.Duration // then
}

// A Report is what a member has said by its check-ins.
type Report struct {
	Node    string
	Free    time.Duration // until when leases of older terms may live by what this voter told
	Support time.Duration // until when this leader may build on this voter
	Trip    time.Duration // between it and this leader; no more than Limits.Most
	Heard   time.Duration // when
	Applied uint64        // then, for people to see
}

// A Granted is a lease in the books. It is noted by process: a member that was started again is
// another holder, and what the one before it had applied says nothing of it.
type Granted struct {
	Node           string
	Process, Epoch uint64
	Until          time.Duration // margin included
	Applied        uint64
}

// Elected begins the table of the term that this node leads. Members check in from now on, so that
// what leases are built on is on its way while the term is opened.
func (n *Node) Elected(r Reading, members []Server) {
	if n.Table.Term == r.Term {
		return
	}
	n.Table = Table{Term: r.Term, Begun: r.Now, Inherited: n.Life, Members: members,
		Reports: []Report{{Node: n.ID, Free: n.Promise.older(r.Term)}}}
}

// Opened comes when an Opening is done, and before anybody is served in the term.
func (n *Node) Opened(r Reading) {
	if t := &n.Table; t.Term == r.Term {
		t.Open, t.Base, t.Since = true, r.Applied, r.Now
	}
}

// Hear notes what a member says. false: it is not in the term that this node leads. The reading is
// from after the check-in came.
func (n *Node) Hear(r Reading, from string, c CheckIn) bool {
	t := &n.Table
	if t.Term != c.Term {
		return false
	}
	report, free := t.report(from), r.Now+min(c.Promised, n.Limits.longest()) // L7
	if report == nil {
		t.Reports = append(t.Reports, Report{Node: from, Free: free})
		report = &t.Reports[len(t.Reports)-1]
	}
	report.Free = min(report.Free, free)
	report.Support = max(report.Support, min(c.Echo, r.Now+n.Limits.Most))
	report.Trip = min(max(c.RoundTrip, 0), n.Limits.Most) // L13
	report.Heard, report.Applied = r.Now, c.Applied
	t.noteApplied(from, c)
	n.MoveE(r)
	return true
}

// noteApplied brings the leases of a process up to what it reports, and drops what it has given
// back.
func (t *Table) noteApplied(from string, c CheckIn) {
	kept := t.Leases[:0]
	for _, g := range t.Leases {
		if g.Node == from && g.Process == c.Process {
			if g.Epoch < c.Epoch {
				continue
			}
			if g.Epoch == c.Epoch {
				g.Applied = max(g.Applied, c.Applied)
			}
		}
		kept = append(kept, g)
	}
	t.Leases = kept
}

func (t *Table) report(node string) *Report {
	for i := range t.Reports {
		if t.Reports[i].Node == node {
			return &t.Reports[i]
		}
	}
	return nil
}
