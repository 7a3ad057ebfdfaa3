package lease

import "time"

// A Lease lets a node answer from its own copy: in one term, until a moment of its own clock. The
// zero Lease is none.
type Lease struct {
	Term  uint64
	Until time.Duration
}

// covers is rule L2 and half of L3: a lease ends by the clock, and dies with its term.
func (l Lease) covers(look time.Duration, term uint64) bool {
	return look < l.Until && term == l.Term
}

// A Tenure is what a read has to know of its node. It is small and never changed, so that readers
// may look at one without a lock.
type Tenure struct {
	Lease    Lease
	Life     time.Duration // of leases, as the leader said last: how old an answer may get
	Compared bool          // this node's state was the leader's when they were compared last
}

// MayRead says whether a look at the clock, and at the term after it, found a lease (L2). Before
// its first read a node has compared its state with the leader's, and found no difference since
// (L11).
func (t Tenure) MayRead(look time.Duration, term uint64) bool {
	return t.Compared && t.Lease.covers(look, term)
}

// A Holder is what a node holds, and what it has promised as a voter.
type Holder struct {
	Tenure
	Epoch   uint64 // counts how often this process has given its leases back
	Echo    Echo
	Promise Promise
	Clocks  Clocks // compares this node's with the leader's
	Astray  bool   // the two run at different rates
}

// An Echo proves to the leader of a term that this node was in that term after the answer with that
// token was sent.
type Echo struct {
	Term  uint64
	Token time.Duration
}

// A Promise is until when leases may live that leaders made from this node's word.
type Promise struct {
	Term   uint64        // of the newest leader
	Until  time.Duration // by that leader
	Before time.Duration // by leaders of older terms
}

// older is until when leases of leaders before term may live by this word (L7).
func (p *Promise) older(term uint64) time.Duration {
	if p.Term < term {
		return max(p.Before, p.Until)
	}
	return p.Before
}

// note is called before an answer is echoed.
func (p *Promise) note(term uint64, until time.Duration) {
	if term > p.Term {
		p.Before = max(p.Before, p.Until)
		p.Term, p.Until = term, until
		return
	}
	p.Until = max(p.Until, until)
}

// Ask makes a check-in from a reading that came before it: the lease runs from that reading of the
// clock, in that term (L1). serves says whether the node may answer reads, trip is the way to the
// leader, 0 when not known.
func (n *Node) Ask(r Reading, serves bool, trip time.Duration) CheckIn {
	c := CheckIn{Term: r.Term, Process: n.Process, Epoch: n.Epoch, Applied: r.Applied,
		Idle: !serves || n.Astray, RoundTrip: trip}
	if n.Echo.Term == r.Term {
		c.Echo = n.Echo.Token
	}
	c.Promised = max(0, n.Promise.older(r.Term)-r.Now)
	return c
}

// Take takes what the leader answered to a check-in that was made from an earlier reading. leased:
// a lease came where there was none.
func (n *Node) Take(asked, r Reading, serves bool, c CheckIn, a Answer) (leased bool) {
	// E not beyond what this node has applied: if it leads later it hands on what it believes, and
	// one leader's lie must not last.
	n.raise(min(a.E, r.Applied))
	if r.Term != c.Term || a.Life <= 0 || a.Life > n.Limits.Most { // L2: when the answer comes
		return false
	}
	n.Life = a.Life
	n.Astray = n.Clocks.differ(n.Limits.MaxDrift, sample{c.Term, asked.Now, r.Now, a.Token - a.Life})
	if n.Astray {
		n.Echo, n.Lease = Echo{}, Lease{} // it runs out at the leader, who counts longer
		return false
	}
	n.Promise.note(c.Term, r.Now+a.Life+n.Limits.margin(a.Life))
	n.Echo = Echo{c.Term, a.Token}
	if a.Grant <= 0 || n.Epoch != c.Epoch || !serves {
		return false
	}
	old, granted := n.Lease, Lease{c.Term, asked.Now + min(a.Grant, n.Limits.Most)} // L1
	if old.Term != granted.Term || old.Until < granted.Until {
		n.Lease = granted
	}
	return !old.covers(r.Now, granted.Term) && granted.Until > r.Now
}

// GiveBack ends this node's lease. The leader learns of it by the next check-in's epoch.
func (n *Node) GiveBack() {
	n.Epoch++
	n.Lease = Lease{}
}

// NoteCompared says that this node's state was the leader's (L11).
func (n *Node) NoteCompared() { n.Compared = true }

// NoteDiffers says that it was not. Whose fault that is others may judge, and may be kept from it;
// meanwhile each read asks the leader.
func (n *Node) NoteDiffers() { n.Compared = false }
