package lease

// A Node is one member's part: as holder and voter, as reader and, in the terms that it leads, as
// leader. All of it is plain data, so that it can be copied (CopyTo), compared and told. Steps
// change its slices in place, but for Table.Members.
type Node struct {
	Limits  *Limits
	ID      string
	Process uint64 // tells this process from those of the node before it
	// E is the index up to which every node that may serve reads has applied, as far as this node
	// knows. It only grows, and stays true whoever leads.
	E uint64
	Holder
	Table    Table     // of the newest term that this node led
	Backoffs []Backoff // of members that delayed writes; they outlive a term
}

// New is a node that starts at a reading. What an earlier process of it promised is not known, so
// it is taken to be the most (L7).
func New(limits *Limits, id string, process uint64, r Reading) Node {
	n := Node{Limits: limits, ID: id, Process: process}
	n.Life = limits.Base
	n.Promise.Before = r.Now + limits.longest()
	return n
}

func (n *Node) raise(index uint64) { n.E = max(n.E, index) }

// Settled says that the leader has answered a write, which it does when E has reached it. What is
// refused, a conflict too, changed nothing and says nothing of E.
func (n *Node) Settled(index uint64, changed bool) {
	if changed {
		n.raise(index)
	}
}

// CopyTo makes to the same as n, in the memory of to's slices. The two share only Table.Members,
// which no step changes.
func (n *Node) CopyTo(to *Node) {
	t, backoffs := to.Table, to.Backoffs
	*to = *n
	to.Table.Reports = append(t.Reports[:0], n.Table.Reports...)
	to.Table.Leases = append(t.Leases[:0], n.Table.Leases...)
	to.Table.Leaving = append(t.Leaving[:0], n.Table.Leaving...)
	to.Backoffs = append(backoffs[:0], n.Backoffs...)
}
