package rules

const (
	left      = "left := min(life, t.support(servers)-r.Now)"
	leftWhole = "left := life\n\tif t.support(servers) <= r.Now {\n\t\tleft = 0\n\t}"
	supports  = "report.Support = max(report.Support, min(c.Echo, r.Now+n.Limits.Most))"
	fromHere  = "if c.Echo > 0 {\n\t\treport.Support = r.Now + n.Limits.Most\n\t}"
	inTerm    = "if t.Term != c.Term {\n\t\treturn false\n\t}\n\treport"
	atLeast   = "c.Applied < n.E, c.Applied < t.Base,"
)

func granting() []Rule {
	return []Rule{
		rule("OpenedLease", "O", 8, "leases are given when the term is open",
			two(), edit("grant.go", "!member || !t.Open {", "!member {")),
		rule("FromAsking", "L1", 12, "a lease runs from before the question, not from the answer",
			with(timed(), func(s *setup) { s.AtOnce = false }),
			edit("holder.go", "Lease{c.Term, asked.Now + min", "Lease{c.Term, r.Now + min")),
		rule("TermAtGrant", "L2", 9, "terms are compared when a lease is asked for",
			two(),
			edit("table.go", inTerm, "report"),
			edit("grant.go", "if t.Term != c.Term || r.Term != t.Term {", "if r.Term != t.Term {")),
		rule("TermAtReceipt", "L2", 10, "terms are compared when it arrives",
			with(two(), func(s *setup) { s.AtOnce = false }),
			edit("holder.go", "if r.Term != c.Term || a.Life", "if a.Life"),
			edit("holder.go", "Lease{c.Term, asked.Now", "Lease{r.Term, asked.Now")),
		rule("EpochAtReceipt", "L2", 9, "a lease that was given back does not come back",
			with(one(), func(s *setup) { s.AtOnce, s.GiveBacks = false, 1 }),
			edit("holder.go", "n.Epoch != c.Epoch || ", "")),
		rule("VotersOnly", "L4", 7, "only voters make a majority, for a lease",
			with(four(), func(s *setup) { s.Anyone = true }),
			edit("majority.go", "\t\tif !s.Voter {\n\t\t\tcontinue\n\t\t}\n\t\tif r", "\t\tif r"),
			edit("majority.go", "return until[(len(until)-1)/2]", "return until[len(until)-2]")),
		rule("FromQuestion", "L4", 10,
			"the leader's lease runs from before its question, not from the answers",
			with(two(), func(s *setup) { s.Lease = 2 }), edit("table.go", supports, fromHere)),
		rule("UnderOwnLease", "L4", 7, "a leader gives leases only while it has its own",
			two(), edit("grant.go", left, "left := life")),
		rule("WithinOwnLease", "L4", 10, "and none that outlives it",
			with(two(), func(s *setup) { s.Lease, s.Remember = 2, false }),
			edit("grant.go", left, leftWhole)),
		rule("AtE", "L5", 7, "a lease goes to a node that has got to E",
			one(), edit("grant.go", atLeast, "c.Applied < t.Base,")),
		rule("AtOpening", "L5", 10, "and to what the leader had when its term was opened",
			two(), edit("grant.go", atLeast, "c.Applied < n.E,")),
		rule("Committed", "L5", 13, "a lease goes to a member of a committed configuration",
			with(two(), func(s *setup) { s.changes(2, arrive(3)) }),
			edit("grant.go", "if c.Idle || !member || !t.Open {", "if c.Idle || !t.Open {")),
	}
}
