package lease

import "slices"

// A Change is a difference between a configuration and what it is to become.
type Change uint8

const (
	Arrive  Change = 1 // a member without a vote, or another address
	Promote Change = 2 // to a voter
	Depart  Change = 3
	Leave   Change = 4 // what comes before the mark that cuts a member off: no lease any more
	Demote  Change = 5 // to a member without a vote
)

// MayChange says whether the configuration may be changed now (L8). Not before leases of older
// terms are over: whoever holds one must be known. Not a voter soon after another: a lease was
// built on a majority of the voters of its time, and only neighbouring configurations have
// majorities that meet. And not the removal of a member that may hold a lease, this leader itself
// included: it gets no more, and the last one runs out. A leader that is still to be marked hands
// its office over first: the mark cuts it off. So does one that is to lose its vote, for nobody
// leads without one; its leases stay, as it stays a member.
func (n *Node) MayChange(r Reading, kind Change, node string) bool {
	t := &n.Table
	if !t.Open || r.Term != t.Term || !t.quiet(n.Limits, r.Now) {
		return false
	}
	removes := kind == Depart || kind == Leave
	if (kind == Leave || kind == Demote) && node == n.ID {
		return false
	}
	if kind == Promote || kind == Demote || kind == Depart {
		if t.Changed != 0 && r.Now < t.Changed+t.Longest+n.Limits.margin(t.Longest) {
			return false
		}
	}
	if !removes {
		return true
	}
	if !slices.Contains(t.Leaving, node) {
		t.Leaving = append(t.Leaving, node) // for the term: what seems to fail may be committed
	}
	if node == n.ID {
		return r.Now >= t.Own
	}
	return !slices.ContainsFunc(t.Leases, func(g Granted) bool {
		return g.Node == node && r.Now < g.Until
	})
}

// VotersChange is said before and after the voters are changed.
func (n *Node) VotersChange(r Reading) { n.Table.Changed = r.Now }
