package rules

import (
	"keyquorum/cluster/lease"
	"keyquorum/internal/leasemodel"
)

func arrive(i int) leasemodel.Change  { return leasemodel.Change{How: lease.Arrive, Node: i} }
func promote(i int) leasemodel.Change { return leasemodel.Change{How: lease.Promote, Node: i} }
func depart(i int) leasemodel.Change  { return leasemodel.Change{How: lease.Depart, Node: i} }

func changing() []Rule {
	leaves := func(node int) leasemodel.Setup {
		return with(two(), func(s *setup) { s.changes(3, depart(node)) })
	}
	lateLeave := with(two(), func(s *setup) {
		s.Terms, s.Voters = 3, 2
		s.changes(4, depart(2))
	})
	joins := with(two(), func(s *setup) { s.changes(4, promote(1), promote(2)) })
	return []Rule{
		rule("WaitBeforeChange", "L8", 17,
			"a new leader changes no configuration before older leases are over",
			lateLeave, edit("change.go", isQuiet, " {")),
		rule("OverBeforeLeave", "L8", 14, "a node's lease is over before its removal is proposed",
			leaves(2), edit("change.go", "return g.Node == node && r.Now < g.Until", "return false")),
		rule("NoneOnceLeaving", "L8", 14, "and it gets none afterwards",
			leaves(2), edit("grant.go", "Contains(t.Leaving, from),", "Contains(t.Leaving, \"\"),")),
		rule("OwnOver", "L8", 15, "a leader's own lease is over before it removes itself",
			leaves(0), edit("change.go", "return r.Now >= t.Own", "return true")),
		rule("Distance", "L8", 20, "voters are changed no sooner than a lease after the last change",
			joins, edit("change.go", "if t.Changed != 0 && r.Now <", "if t.Changed < 0 && r.Now <")),
	}
}
