package rules

const sameProcess = "g.Node == from && g.Process == c.Process && g.Epoch"

func moving() []Rule {
	lively := func(s *setup) { s.Lively = 1 }
	return []Rule{
		rule("HoldersCount", "L6", 8, "E waits for everybody whose lease is not over",
			one(), edit("everywhere.go", "\t\tleast = min(least, g.Applied)\n", "")),
		rule("NoLonger", "L6", 4, "and no longer",
			with(one(), lively), edit("everywhere.go", "if r.Now >= g.Until {", "if r.Now < 0 {")),
		rule("Margin", "L6", 10, "the leader counts a lease a margin longer than its holder",
			with(timed(), func(s *setup) { s.Slow = 1 }),
			edit("grant.go", "r.Now+left+n.Limits.margin(life)", "r.Now+left")),
		rule("Frozen", "L6", 8, "a deposed leader moves E no further than it had applied in its term",
			two(), edit("everywhere.go", "if !t.Open || r.Term != t.Term || ", "if !t.Open || ")),
		rule("OfThisLife", "L6", 11,
			"a report counts for the lease under which it was made, not for one after a restart",
			with(one(), crash), edit("grant.go", sameProcess, "g.Node == from && g.Epoch")),
	}
}

func crash(s *setup) { s.Crashes = 1 }
