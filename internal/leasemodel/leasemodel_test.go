package leasemodel

import (
	"os"
	"strings"
	"testing"

	"keyquorum/cluster/lease"
)

func quiet(int, int) {}

// least is a world that is searched in a moment.
func least() Setup {
	return Setup{
		Nodes: 3, Voters: 3, Terms: 2, Writes: 1, Kinds: []Kind{PutX}, Reads: 1, Fences: 1,
		Lease: 1, Margin: 1, Slow: NoSlowClock, Liar: Nobody, Lively: 10,
	}
}

func with(change func(*Setup)) Setup { return world("", 0, least(), change).Setup }

// The protocol shows nothing wrong, and the group goes on, in small worlds of each kind. make model
// searches larger ones.
func TestWholeProtocol(t *testing.T) {
	small := map[string]Setup{
		"plain":   with(func(s *Setup) { s.AtOnce = true }),
		"listing": with(func(s *Setup) { s.Kinds, s.Writes, s.Terms = []Kind{PutX, DropY}, 2, 1 }),
		"leases off": with(func(s *Setup) {
			s.NoLeases, s.Crashes, s.Terms = true, 1, 1
		}),
		"sealed": with(func(s *Setup) { s.Sealed, s.AtOnce = 1<<2, true }),
	}
	larger := map[string]Setup{
		"travel":     least(),
		"slow clock": with(func(s *Setup) { s.Slow, s.AtOnce = 1, true }),
		"crash":      with(func(s *Setup) { s.Crashes, s.AtOnce = 1, true }),
		"timely":     with(func(s *Setup) { s.Timely, s.Terms = true, 1 }),
		"given back": with(func(s *Setup) { s.GiveBacks, s.Fences = 1, 0 }),
		"rotten":     with(func(s *Setup) { s.Rotten, s.Crashes, s.Terms = true, 1, 1 }),
		"liar":       with(func(s *Setup) { s.Nodes, s.Sealed, s.Liar, s.AtOnce = 4, 1<<3, 3, true }),
		"snapshots": with(func(s *Setup) {
			s.Snapshots, s.Log, s.AtOnce, s.Crashes, s.Terms = true, 1, true, 1, 1
		}),
		"joining": with(func(s *Setup) {
			s.Change(2, Change{lease.Promote, 2})
			s.AtOnce, s.Fences, s.Margin = true, 0, 0
		}),
		"leaving": with(func(s *Setup) {
			s.Change(2, Change{lease.Depart, 2})
			s.AtOnce, s.Fences = true, 0
		}),
	}
	mustBeRight(t, small)
	if !raceDetector {
		mustBeRight(t, larger)
	}
}

func mustBeRight(t *testing.T, worlds map[string]Setup) {
	for name, s := range worlds {
		found := New(s).Search(Limit, quiet)
		t.Logf("%s: %d states, %d steps deep", name, found.States, found.Depth)
		if !found.Complete {
			t.Errorf("%s: %v\n%s", name, found, strings.Join(found.Schedule, "\n"))
		}
	}
}

// What a search forgets must not be what something wrong needs: with everything kept the same
// schedules are the shortest. Liars make wrong answers without an edit of the core.
func TestForgettingHidesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("make test searches these without the race detector")
	}
	for name, s := range map[string]Setup{
		"two voters": with(func(s *Setup) { s.Nodes, s.Voters, s.Fences, s.Crashes = 2, 2, 0, 1 }),
		"three":      with(func(s *Setup) { s.Margin, s.Fences, s.AtOnce = 0, 0, true }),
		"a liar":     with(func(s *Setup) { s.Margin, s.Fences, s.Sealed, s.Liar = 0, 0, 1<<2, 2 }),
		"a liar, and fences": with(func(s *Setup) {
			s.NoLeases, s.Sealed, s.Liar = true, 1<<2, 2
		}),
		"a longer lease": with(func(s *Setup) {
			s.Lease, s.Fences, s.Sealed, s.Liar, s.AtOnce = 2, 0, 1<<2, 2, true
		}),
		"a liar, and one that leaves": with(func(s *Setup) {
			s.Change(3, Change{lease.Depart, 1})
			s.Margin, s.Sealed, s.Liar, s.AtOnce, s.Fences = 0, 1<<2, 2, true, 0
		}),
	} {
		short, long := New(s).Search(Limit, quiet), remembering(s)
		if len(short.Schedule) != len(long.Schedule) || short.Complete != long.Complete ||
			short.States > long.States {
			t.Errorf("%s: %v of %d states, and %v of %d when nothing is forgotten\n%s\n\n%s", name,
				short, short.States, long, long.States, strings.Join(short.Schedule, "\n"),
				strings.Join(long.Schedule, "\n"))
		}
	}
}

func remembering(s Setup) Result {
	s.Remember = true
	return New(s).Search(Limit, quiet)
}

// A grant that arrives at once is at most one step fewer on the same way.
func TestGrantsAtOnceHideNothing(t *testing.T) {
	if raceDetector {
		t.Skip("make test searches these without the race detector")
	}
	s := with(func(s *Setup) { s.Margin, s.Fences, s.Sealed, s.Liar, s.Lively = 0, 0, 1<<2, 2, 0 })
	slow := len(New(s).Search(Limit, quiet).Schedule)
	s.AtOnce = true
	if fast := len(New(s).Search(Limit, quiet).Schedule); fast != slow && fast != slow-1 {
		t.Errorf("%d steps when grants travel, %d when they arrive at once", slow, fast)
	}
}

// Every state of a search must survive its key.
func TestKeysHoldWholeStates(t *testing.T) {
	for _, s := range []Setup{
		with(func(s *Setup) { s.Slow, s.Crashes, s.Timely = 1, 1, true }),
		with(func(s *Setup) { s.Slow, s.Crashes, s.GiveBacks, s.Remember = 1, 1, 1, true }),
		with(func(s *Setup) {
			s.Change(4, Change{lease.Promote, 2}, Change{lease.Arrive, 3})
			s.Terms = 3
		}),
	} {
		m := New(s)
		keys := []key{m.pack(m.first())}
		var from, back State
		for at := 0; at < len(keys) && len(keys) < 5000; at++ {
			m.unpack(&keys[at], &from)
			m.steps(&from, func(step Step, next *State) {
				k := m.pack(next)
				m.unpack(&k, &back)
				if again := m.pack(&back); again != k {
					t.Fatalf("packed and unpacked, this became another state: %v", step)
				}
				keys = append(keys, k)
			})
		}
	}
}

// The page of results has a row for every world, and no other.
func TestPageListsTheWorlds(t *testing.T) {
	page, err := os.ReadFile("../../docs/lease-model.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if cells[len(cells)-1] == "complete, nothing wrong" {
			rows[cells[0]]++
		}
	}
	for _, w := range Worlds() {
		rows[w.Name]--
	}
	for row, surplus := range rows {
		if surplus != 0 {
			t.Errorf("docs/lease-model.md has %d rows too many (or too few) for %q", surplus, row)
		}
	}
}
