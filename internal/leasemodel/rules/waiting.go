package rules

const (
	isQuiet  = " || !t.quiet(n.Limits, r.Now) {"
	everyone = "all = all && r != nil"
	allOr    = "t.Quiet = all || now >= t.Begun+limits.longest() ||" +
		" len(free) > 0 && free[len(free)/2] <= now"
	longest  = "now >= t.Begun+limits.longest()"
	promised = "n.Promise.note(c.Term, r.Now+a.Life+n.Limits.margin(a.Life))"
	older    = "if p.Term < term {\n\t\treturn max(p.Before, p.Until)\n\t}\n"
)

func waiting() []Rule {
	return []Rule{
		rule("NewLeaderWaits", "L7", 7, "a new leader moves no E before older leases are over",
			two(), edit("everywhere.go", isQuiet, " {")),
		rule("OldLeaderToo", "L7", 7,
			"if it hears everybody instead of waiting, it hears the leaders before it too",
			two(), edit("majority.go", everyone, `all = all && (r != nil || s.ID == "n0")`)),
		rule("MajorityAnswered", "L7", 7,
			"it waits for what a majority of the voters promised, not for one's promise alone",
			two(), edit("majority.go", "free[len(free)/2] <= now", "free[0] <= now")),
		rule("LongestWait", "L7", 7,
			"without their word it waits for as long as a lease and its margin can be",
			two(), edit("majority.go", longest, longest+"-limits.Base")),
		rule("WaitEnds", "L7", 2, "its wait ends, whoever is away",
			with(two(), func(s *setup) { s.Lively = 1 }), edit("majority.go", allOr, "t.Quiet = all")),
		rule("PromiseNoted", "L7", 7, "a voter notes a promise before it lets a token go",
			two(), edit("holder.go", promised, "")),
		rule("PromiseMargin", "L7", 9, "with the margin on it",
			with(two(), func(s *setup) { s.Lease, s.Margin, s.Slow, s.Remember = 2, 1, 0, false }),
			edit("holder.go", promised, "n.Promise.note(c.Term, r.Now+a.Life)")),
		rule("PromiseTold", "L7", 7, "it tells the next leader what it promised the last one",
			two(), edit("holder.go", older, "")),
		rule("PromiseKept", "L7", 8, "and those after it",
			with(two(), func(s *setup) { s.Terms = 3 }),
			edit("holder.go", "\t\tp.Before = max(p.Before, p.Until)\n", "")),
		rule("OwnPromise", "L7", 7, "a new leader counts its own promise too",
			two(), edit("table.go", "Free: n.Promise.older(r.Term)", "Free: 0")),
		rule("RestartAnswers", "L7", 8, "a voter that restarted promised the longest lease",
			with(two(), crash), edit("node.go", "n.Promise.Before = r.Now + limits.longest()", "")),
	}
}
