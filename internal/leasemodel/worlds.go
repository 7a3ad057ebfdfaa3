package leasemodel

import "keyquorum/cluster/lease"

// A World is searched whole, with all rules in force.
type World struct {
	Name  string
	About int // thousands of states: the largest are begun first
	Setup
}

// Worlds are what make model searches. Nothing may be wrong in any.
func Worlds() []World {
	three := Setup{
		Nodes: 3, Voters: 3, Terms: 2, Writes: 2, Kinds: []Kind{PutX}, Reads: 1, Fences: 1,
		Lease: 2, Margin: 1, Slow: NoSlowClock, Liar: Nobody, AtOnce: true, Lively: 50,
	}
	all := []World{
		world("grants travel", 500, three, func(s *Setup) { s.AtOnce = false }),
		world("two writes", 191, three, func(*Setup) {}),
		world("two writes, n0's clock is slow", 936, three, func(s *Setup) { s.Slow = 0 }),
		world("two writes, n1's clock is slow", 1869, three, func(s *Setup) { s.Slow = 1 }),
		world("two writes, a crash", 2919, three, func(s *Setup) { s.Crashes = 1 }),
		world("three terms", 391, three, func(s *Setup) { s.Terms, s.Writes = 3, 1 }),
		world("three terms, a crash", 3985, three, func(s *Setup) {
			s.Terms, s.Writes, s.Crashes = 3, 1, 1
		}),
		world("answers in time", 1418, three, func(s *Setup) { s.Timely, s.Writes = true, 1 }),
		world("leases off, three terms, a crash", 249, three, func(s *Setup) {
			s.NoLeases, s.Terms, s.Crashes = true, 3, 1
		}),
		world("two objects and a listing", 723, three, func(s *Setup) { s.Kinds = []Kind{PutX, DropY} }),
		world("two objects and a listing, a crash", 2130, three, func(s *Setup) {
			s.Kinds, s.Crashes, s.Lease = []Kind{PutX, DropY}, 1, 1
		}),
		world("a non-voter", 363, three, func(s *Setup) { s.Nodes, s.Writes = 4, 1 }),
		world("a non-voter, its clock is slow", 1567, three, func(s *Setup) {
			s.Nodes, s.Writes, s.Slow = 4, 1, 3
		}),
		world("a non-voter, a crash", 8764, three, func(s *Setup) {
			s.Nodes, s.Writes, s.Crashes = 4, 1, 1
		}),
		world("a holder gives its lease back", 224, three, func(s *Setup) {
			s.AtOnce, s.GiveBacks, s.Writes = false, 1, 1
		}),
		world("a sealed voter", 109, three, func(s *Setup) { s.Sealed = 1 << 2 }),
		world("a sealed leader, a crash", 221, three, func(s *Setup) {
			s.Sealed, s.Writes, s.Crashes = 1<<0, 1, 1
		}),
		world("a non-voter that lies", 497, three, func(s *Setup) {
			s.Nodes, s.Writes, s.Sealed, s.Liar = 4, 1, 1<<3, 3
		}),
		world("a rotten state", 8207, three, func(s *Setup) {
			s.Rotten, s.Crashes, s.Writes = true, 1, 1
		}),
	}
	return append(all, withLogs(three)...)
}

// withLogs are worlds in which entries are stored here and there, committed or overwritten.
func withLogs(three Setup) []World {
	short := three // leases, where majorities and logs are what matters
	short.Lease, short.Margin = 1, 0
	return []World{
		world("logs of three entries", 1032, three, func(s *Setup) { s.Log = 3 }),
		world("logs of two entries, a crash", 850, three, func(s *Setup) {
			s.Log, s.Writes, s.Crashes = 2, 1, 1
		}),
		world("logs of two entries, snapshots, a crash", 850, three, func(s *Setup) {
			s.Log, s.Writes, s.Crashes, s.Snapshots = 2, 1, 1, true
		}),
		world("a non-voter joins three voters", 2420, short, func(s *Setup) {
			s.Change(3, Change{lease.Arrive, 3})
		}),
		world("a third voter joins", 3146, three, func(s *Setup) {
			s.Change(3, Change{lease.Promote, 2})
		}),
		world("a fourth voter joins", 6091, short, func(s *Setup) {
			s.Change(3, Change{lease.Promote, 3})
		}),
		world("a non-voter leaves three voters", 351, short, func(s *Setup) {
			s.Voters = 3
			s.Change(3, Change{lease.Depart, 3})
		}),
		world("one of three voters leaves", 481, three, func(s *Setup) {
			s.Change(3, Change{lease.Depart, 2})
		}),
		world("the first leader leaves three voters", 735, three, func(s *Setup) {
			s.Change(3, Change{lease.Depart, 0})
		}),
		world("one of three voters leaves, three terms", 900, short, func(s *Setup) {
			s.Change(4, Change{lease.Depart, 2})
			s.Terms = 3
		}),
		world("two voters join one", 8879, three, func(s *Setup) {
			s.Change(4, Change{lease.Promote, 1}, Change{lease.Promote, 2})
		}),
		world("two voters join one, three terms", 22526, short, func(s *Setup) {
			s.Change(5, Change{lease.Promote, 1}, Change{lease.Promote, 2})
			s.Terms, s.Fences = 3, 0
		}),
		world("one of three voters loses its vote", 1928, three, func(s *Setup) {
			s.Change(3, Change{lease.Demote, 2})
		}),
		world("the first leader of three loses its vote", 150, three, func(s *Setup) {
			s.Change(3, Change{lease.Demote, 0})
		}),
		world("two of three voters lose their votes", 643, short, func(s *Setup) {
			s.Change(4, Change{lease.Demote, 1}, Change{lease.Demote, 2})
		}),
		world("a voter loses its vote and gets it back", 2389, short, func(s *Setup) {
			s.Change(4, Change{lease.Demote, 2}, Change{lease.Promote, 2})
		}),
		world("two of three voters leave", 766, three, func(s *Setup) {
			s.Change(4, Change{lease.Depart, 1}, Change{lease.Depart, 2})
		}),
		world("a voter leaves and joins again under another id", 2499, short, func(s *Setup) {
			s.Change(4, Change{lease.Depart, 2}, Change{lease.Promote, 3})
		}),
	}
}

func world(name string, about int, from Setup, change func(*Setup)) World {
	change(&from)
	return World{Name: name, About: about, Setup: from}
}

// Change makes a world of one write in which the configuration changes, with logs of so many
// entries.
func (s *Setup) Change(log int, changes ...Change) {
	s.Log, s.Writes, s.Changes = log, 1, changes
	for _, c := range changes {
		s.Nodes = max(s.Nodes, c.Node+1)
		if c.How == lease.Promote {
			s.Voters = max(s.Voters, c.Node+1)
		}
	}
}
