package main

// A run is a search and what it must come to.
type run struct {
	world   string // in words
	without string // the rule that is taken out, none for the whole protocol
	steps   int    // of the shortest way to a wrong answer, 0 when there must be none
	Setup
}

// limit is how many states a search may see: about two gigabytes.
const limit = 30_000_000

func (r run) search(progress func(states, depth int)) Result {
	m := &Model{Setup: r.Setup, rules: allBut(r.without)}
	return m.Search(limit, progress)
}

// asItMust says whether a search came to what it must.
func (r run) asItMust(found Result) bool {
	return len(found.Schedule) == r.steps && found.Complete == (r.steps == 0)
}

// intact are the runs with all rules in force. Each must see every state of its world and no wrong answer.
func intact() []run {
	fenced := Setup{
		Nodes: 3, Voters: 3, Terms: 2, Writes: 2, Kinds: []kind{putX}, Reads: 1, Fences: 1,
		Lease: 2, Margin: 1, Slow: noSlowClock, AtOnce: true,
	}
	return []run{
		world("grants travel", fenced, func(s *Setup) { s.AtOnce = false }),
		world("two writes", fenced, func(*Setup) {}),
		world("two writes, n0's clock is slow", fenced, func(s *Setup) { s.Slow = 0 }),
		world("two writes, n1's clock is slow", fenced, func(s *Setup) { s.Slow = 1 }),
		world("two writes, a crash", fenced, func(s *Setup) { s.Crashes = 1 }),
		world("three terms", fenced, func(s *Setup) { s.Terms, s.Writes = 3, 1 }),
		world("three terms, a crash", fenced, func(s *Setup) { s.Terms, s.Writes, s.Crashes = 3, 1, 1 }),
		world("answers in time", fenced, func(s *Setup) { s.Timely, s.Writes = true, 1 }),
		world("leases off, three terms, a crash", fenced, func(s *Setup) { s.NoLeases, s.Terms, s.Crashes = true, 3, 1 }),

		world("two objects and a listing", fenced, func(s *Setup) { s.Kinds = []kind{putX, dropY} }),
		world("two objects and a listing, a crash", fenced, func(s *Setup) { s.Kinds, s.Crashes, s.Lease = []kind{putX, dropY}, 1, 1 }),

		world("a non-voter", fenced, func(s *Setup) { s.Nodes, s.Writes = 4, 1 }),
		world("a non-voter, its clock is slow", fenced, func(s *Setup) { s.Nodes, s.Writes, s.Slow = 4, 1, 3 }),
		world("a non-voter, a crash", fenced, func(s *Setup) { s.Nodes, s.Writes, s.Crashes = 4, 1, 1 }),

		world("logs of three entries", fenced, func(s *Setup) { s.Log = 3 }),
		world("logs of two entries, a crash", fenced, func(s *Setup) { s.Log, s.Writes, s.Crashes = 2, 1, 1 }),

		world("a non-voter joins three voters", fenced, func(s *Setup) { s.changes(join, 3, 3); s.Log, s.Lease, s.Margin = 3, 1, 0 }),
		world("a third voter joins", fenced, func(s *Setup) { s.changes(joinAsVoter, 2, 2); s.Log = 3 }),
		world("a fourth voter joins", fenced, func(s *Setup) { s.changes(joinAsVoter, 3, 3); s.Log, s.Lease, s.Margin = 3, 1, 0 }),
		world("a non-voter leaves three voters", fenced, func(s *Setup) { s.changes(leave, 3, 3); s.Log, s.Lease, s.Margin = 3, 1, 0 }),
		world("one of three voters leaves", fenced, func(s *Setup) { s.changes(leave, 3, 2); s.Log = 3 }),
		world("the first leader leaves three voters", fenced, func(s *Setup) { s.changes(leave, 3, 0); s.Log = 3 }),

		world("stored: logs of three entries", fenced, func(s *Setup) { s.Stored, s.Log, s.Fences = true, 3, 0 }),
		world("stored: logs of two entries, two objects, three writes", fenced, func(s *Setup) {
			s.Stored, s.Log, s.Writes, s.Kinds = true, 2, 3, []kind{putX, putY}
		}),
		world("stored: logs of two entries, a crash", fenced, func(s *Setup) { s.Stored, s.Log, s.Writes, s.Crashes = true, 2, 1, 1 }),
	}
}

func world(name string, from Setup, change func(*Setup)) run {
	change(&from)
	return run{world: name, Setup: from}
}

// changes lets a node join so many voters, or one of them or one more leave.
func (s *Setup) changes(change kind, voters, mover int) {
	s.Nodes, s.Voters, s.Writes, s.Changes, s.Change, s.Mover = max(voters, mover+1), voters, 1, 1, change, mover
}

// broken are the runs with a rule taken out, in a world that is just large enough to show what it is for.
func broken() []run {
	two := Setup{
		Nodes: 3, Voters: 3, Terms: 2, Writes: 1, Kinds: []kind{putX}, Reads: 1,
		Lease: 1, Margin: 0, Slow: noSlowClock,
	}
	one := two
	one.Terms = 1
	timed := one // worlds in which time passes
	timed.Lease, timed.Margin = 2, 1
	twice := one // worlds in which one answer shows what the next one misses
	twice.Reads = 2
	four := two
	four.Nodes = 4
	return []run{
		without("LookBeforeView", 8, two, func(*Setup) {}),
		without("ClockNotTimer", 12, timed, func(*Setup) {}),
		without("LastLook", 9, timed, func(s *Setup) { s.Timely = true }),
		without("LeaseReadsWait", 11, twice, func(*Setup) {}),
		without("FencedReadsWait", 9, twice, func(s *Setup) { s.Fences = 1 }),
		without("FencedReadsWait", 8, twice, func(s *Setup) { s.Fences, s.NoLeases = 2, true }),
		without("MissesWait", 11, twice, func(s *Setup) { s.Kinds = []kind{dropY} }),
		without("MapBeforeView", 11, twice, func(*Setup) {}),
		without("Floor", 12, twice, func(s *Setup) { s.Crashes = 1 }),
		without("OneView", 10, one, func(s *Setup) { s.Writes, s.Kinds = 2, []kind{putX, putY} }),

		without("NoLateJoin", 7, twice, func(s *Setup) { s.Fences, s.NoLeases = 2, true }),
		without("OpenedFence", 7, two, func(s *Setup) { s.Fences, s.NoLeases = 1, true }),
		without("VotersOnly", 7, four, func(s *Setup) { s.Fences, s.NoLeases = 1, true }),
		without("VotersOnly", 8, four, func(*Setup) {}),

		without("OpenedLease", 8, two, func(*Setup) {}),
		without("FromQuestion", 12, timed, func(s *Setup) { s.Terms = 2 }),

		without("UnderOwnLease", 9, two, func(*Setup) {}),
		without("WithinOwnLease", 12, two, func(s *Setup) { s.Lease = 2 }),
		without("AtE", 9, one, func(*Setup) {}),
		without("AtOpening", 10, two, func(*Setup) {}),
		without("OneLock", 10, one, func(*Setup) {}),
		without("Committed", 13, four, func(s *Setup) { s.changes(join, 3, 3); s.Log, s.AtOnce = 2, true }),
		without("FromAsking", 12, timed, func(*Setup) {}),
		without("TermAtGrant", 11, two, func(*Setup) {}),
		without("TermAtReceipt", 11, two, func(*Setup) {}),
		without("TermAtLook", 9, two, func(*Setup) {}),

		without("HoldersCount", 9, one, func(*Setup) {}),
		without("Margin", 11, timed, func(s *Setup) { s.Slow = 1 }),
		without("Frozen", 8, two, func(*Setup) {}),
		without("OfThisLife", 11, one, func(s *Setup) { s.Crashes = 1 }),

		without("NewLeaderWaits", 8, two, func(*Setup) {}),
		without("OldLeaderToo", 8, two, func(*Setup) {}),
		without("MajorityAnswered", 8, two, func(*Setup) {}),
		without("RestartAnswers", 9, two, func(s *Setup) { s.Crashes = 1 }),

		without("WaitBeforeChange", 14, two, func(s *Setup) { s.changes(leave, 2, 2); s.Log = 3 }),
		without("OverBeforeLeave", 13, two, func(s *Setup) { s.changes(leave, 2, 2); s.Log = 3 }),
		without("NoneOnceLeaving", 13, two, func(s *Setup) { s.changes(leave, 2, 2); s.Log = 3 }),
		without("NotItself", 12, two, func(s *Setup) { s.changes(leave, 3, 0); s.Log = 3 }),

		without("StoredInTerm", 16, two, func(s *Setup) {
			s.Stored, s.Log, s.Writes, s.Kinds, s.AtOnce = true, 2, 3, []kind{putX, putY}, true
		}),
		without("StoredPathsWait", 11, one, func(s *Setup) { s.Stored, s.Log = true, 1 }),
		without("MarksBeforeView", 12, one, func(s *Setup) { s.Stored, s.Log = true, 1 }),
		without("MarksFromLog", 12, one, func(s *Setup) { s.Stored, s.Log, s.Crashes = true, 1, 1 }),
	}
}

func without(rule string, steps int, from Setup, change func(*Setup)) run {
	r := world("", from, change)
	r.without, r.steps = rule, steps
	return r
}
