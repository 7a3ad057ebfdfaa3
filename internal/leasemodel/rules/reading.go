package rules

import (
	"strings"

	"keyquorum/internal/leasemodel"
)

const (
	viewed    = "r.Need, r.Stage = lastChange, Showing }"
	covers    = "return look < l.Until && term == l.Term"
	seen      = "view uint8) uint8 { return l.lastChange(p, view) }"
	seenNoGap = `view uint8) uint8 {
	if i := l.lastChange(p, view); i > 0 && l.get(i).kind() != DropY {
		return i
	}
	return 0
}`
)

// unless is a Viewed that waits for nothing where a condition holds.
func unless(condition string) string {
	return strings.ReplaceAll(`r.Need, r.Stage = lastChange, Showing
	if CONDITION {
		r.Need = 0
	}
}`, "CONDITION", condition)
}

func reading() []Rule {
	drops := []leasemodel.Kind{leasemodel.DropY}
	both := []leasemodel.Kind{leasemodel.PutX, leasemodel.PutY}
	return []Rule{
		rule("ClockAtLook", "L2", 9, "a lease is over when the own clock says so",
			one(), edit("holder.go", covers, "return term == l.Term")),
		rule("TermAtLook", "L2", 8, "terms are compared when a lease is used",
			two(), edit("holder.go", covers, "return look < l.Until")),
		rule("LookBeforeView", "L3", 8, "a read looks at its lease before it takes its view",
			two(),
			edit("read.go", "Looking  Stage = iota //", "Viewing  Stage = iota\n\tLooking         //"),
			edit("read.go", "\tViewing               // one view", "\t_                     // one view"),
			edit("read.go", "term) {\n\t\tr.Stage = Viewing", "term) {\n\t\tr.Stage = Showing"),
			edit("read.go", viewed, "r.Need, r.Stage = lastChange, Looking }")),
		rule("LastLook", "L3", 9, "an answer leaves within one lease of the look",
			with(timed(), func(s *setup) { s.Timely = true }),
			edit("read.go", "return now-look < life", "return true")),
		rule("OneView", "L3", 10, "a listing takes everything from one view",
			with(one(), func(s *setup) { s.Writes, s.Kinds = 2, both }),
			editModel("read.go", "{ return r.paths&p != 0 }", "{ return r.paths&^r.seen&p != 0 }"),
			editModel("read.go", "r.view[p-x] = n.applied", "r.view[p-x] = n.applied\n\t\t\tbreak")),
		rule("LeaseReadsWait", "L9", 10,
			"a read under a lease waits until E has reached the last change of what it shows",
			twice(), edit("read.go", viewed, unless("!r.Must"))),
		rule("MissesWait", "L9", 10, "for a miss or a refusal that is the deletion that it comes from",
			with(twice(), func(s *setup) { s.Kinds = drops }), editModel("read.go", seen, seenNoGap)),
		rule("FencedReadsWait", "L10", 9, "so does a fenced read",
			with(twice(), func(s *setup) { s.Fences = 1 }), edit("read.go", viewed, unless("r.Must"))),
		rule("FencedReadsWait", "L10", 8, "so does a fenced read, with leases off",
			with(twice(), leasesOff), edit("read.go", viewed, unless("r.Must"))),
		rule("Compared", "L11", 6,
			"a node compares its state with the leader's before its first read",
			with(one(), func(s *setup) { s.Rotten, s.Crashes = true, 1 }),
			edit("holder.go", "return t.Compared && t.Lease", "return t.Lease")),
	}
}
