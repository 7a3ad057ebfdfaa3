package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

func quiet(int, int) {}

// least is a world that is searched in a moment.
func least() Setup {
	return Setup{
		Nodes: 3, Voters: 3, Terms: 2, Writes: 1, Kinds: []kind{putX}, Reads: 1, Fences: 1,
		Lease: 1, Margin: 1, Slow: noSlowClock,
	}
}

func with(change func(*Setup)) Setup { return world("", least(), change).Setup }

// The protocol answers nothing wrong in small worlds of each kind. make model searches larger ones.
func TestWholeProtocol(t *testing.T) {
	small := map[string]Setup{
		"plain":      with(func(s *Setup) { s.AtOnce = true }),
		"listing":    with(func(s *Setup) { s.Kinds, s.Writes, s.Terms = []kind{putX, dropY}, 2, 1 }),
		"leases off": with(func(s *Setup) { s.NoLeases, s.Crashes = true, 1 }),
		"stored":     with(func(s *Setup) { s.Stored, s.Log, s.Terms, s.Crashes, s.Fences = true, 1, 1, 1, 0 }),
	}
	larger := map[string]Setup{
		"travel":            least(),
		"slow clock":        with(func(s *Setup) { s.Slow, s.AtOnce = 1, true }),
		"crash":             with(func(s *Setup) { s.Crashes, s.AtOnce = 1, true }),
		"timely":            with(func(s *Setup) { s.Timely, s.Terms = true, 1 }),
		"joining":           with(func(s *Setup) { s.changes(joinAsVoter, 2, 2); s.Log, s.AtOnce, s.Fences, s.Margin = 2, true, 0, 0 }),
		"leaving":           with(func(s *Setup) { s.changes(leave, 2, 2); s.Log, s.AtOnce, s.Fences = 2, true, 0 }),
		"stored, two terms": with(func(s *Setup) { s.Stored, s.Log, s.Margin, s.AtOnce, s.Fences = true, 2, 0, true, 0 }),
	}
	mustBeRight(t, small)
	if !raceDetector {
		mustBeRight(t, larger)
	}
}

func mustBeRight(t *testing.T, worlds map[string]Setup) {
	for name, s := range worlds {
		found := (&Model{s, all()}).Search(limit, quiet)
		t.Logf("%s: %d states, %d steps deep", name, found.States, found.Depth)
		if !found.Complete {
			t.Errorf("%s: %v\n%s", name, found, told(found))
		}
	}
}

// Without any one of its rules the protocol is wrong, and the model says so by the shortest schedule.
func TestEachRuleIsNeeded(t *testing.T) {
	for i, r := range broken() {
		t.Run(fmt.Sprintf("%s-%d", r.without, i), func(t *testing.T) {
			if raceDetector && i%4 != 0 {
				t.Skip("make test searches these without the race detector")
			}
			if found := r.search(quiet); !r.asItMust(found) {
				t.Errorf("%v where %d steps are the shortest way to a wrong answer\n%s", found, r.steps, told(found))
			}
		})
	}
}

func told(r Result) string {
	var b strings.Builder
	for i, scene := range r.Schedule {
		fmt.Fprintf(&b, "%6d  %s\n", i+1, scene)
	}
	return b.String()
}

// A rule that no run takes out may be one that nothing holds up.
func TestEachRuleIsTakenOut(t *testing.T) {
	taken := make(map[string]bool)
	for _, r := range broken() {
		taken[r.without] = true
	}
	rules := reflect.TypeFor[Rules]()
	for i := range rules.NumField() {
		if name := rules.Field(i).Name; !taken[name] || says(name) == "" {
			t.Errorf("%s says %q; taken out by a run: %v", name, says(name), taken[name])
		}
	}
}

// What a search forgets must not be what a wrong answer needs: with everything kept the same schedules are the shortest.
func TestForgettingHidesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("make test searches these without the race detector")
	}
	two := with(func(s *Setup) { s.Nodes, s.Voters, s.Fences, s.Crashes = 2, 2, 0, 1 })
	three := with(func(s *Setup) { s.Margin, s.Fences = 0, 0 })
	sameWhenKept(t, two, "")
	for _, name := range []string{"LookBeforeView", "AtOpening", "Frozen", "OldLeaderToo"} {
		sameWhenKept(t, three, name)
	}
}

func sameWhenKept(t *testing.T, s Setup, without string) {
	short := (&Model{s, allBut(without)}).Search(limit, quiet)
	s.Remember = true
	long := (&Model{s, allBut(without)}).Search(limit, quiet)
	if len(short.Schedule) != len(long.Schedule) || short.Complete != long.Complete || short.States >= long.States {
		t.Errorf("without %q: %v of %d states, and %v of %d when nothing is forgotten", without, short, short.States, long, long.States)
	}
}

// A grant that arrives at once is one step fewer on the same way, where the rules about its way are kept.
func TestGrantsAtOnceHideNothing(t *testing.T) {
	if raceDetector {
		t.Skip("make test searches these without the race detector")
	}
	for _, r := range broken() {
		switch r.without {
		case "OneLock", "FromAsking", "TermAtReceipt":
			continue
		}
		slow := r.steps
		if r.AtOnce {
			continue
		}
		r.AtOnce = true
		if fast := len(r.search(quiet).Schedule); fast != slow && fast != slow-1 {
			t.Errorf("without %s: %d steps when grants travel, %d when they arrive at once", r.without, slow, fast)
		}
	}
}

// Every state of a search must survive its key.
func TestKeysHoldWholeStates(t *testing.T) {
	for _, s := range []Setup{
		with(func(s *Setup) { s.Slow, s.Crashes, s.Timely, s.Terms = 1, 1, true, 1 }),
		with(func(s *Setup) { s.Log, s.Stored, s.Terms = 2, true, 3 }),
	} {
		m := &Model{s, all()}
		states := []State{m.first()}
		for at := 0; at < len(states) && len(states) < 5000; at++ {
			m.steps(&states[at], func(_ Step, next State) {
				if back := m.unpack(m.pack(&next)); back != next {
					t.Fatalf("packed and unpacked\n%+v\nbecame\n%+v", next, back)
				}
				states = append(states, next)
			})
		}
	}
}

// The page of results has a row for every run, with its result, and no other.
func TestPageListsTheRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/lease-model.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]int)
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		switch last := cells[len(cells)-1]; {
		case strings.HasSuffix(last, "no wrong answer"):
			rows[cells[0]+": "+last]++
		case strings.HasSuffix(last, " steps"):
			rows[cells[0]+", "+cells[1]+": "+last]++
		}
	}
	for _, r := range intact() {
		rows[r.world+": complete, no wrong answer"]--
	}
	for _, r := range broken() {
		rows[fmt.Sprintf("%s, %s: %d steps", r.without, says(r.without), r.steps)]--
	}
	for row, surplus := range rows {
		if surplus != 0 {
			t.Errorf("docs/lease-model.md has %d rows too many (or too few) that say %q", surplus, row)
		}
	}
}

func Example() {
	for _, r := range broken() {
		if r.without == "NoLateJoin" {
			fmt.Print(told(r.search(quiet)))
		}
	}
	// Output:
	//      1  n0, leader of term 1, puts a write of x into the log
	//      2  n0 begins to read x, must not miss 0, and is fenced at 0 by n0, leader of term 1
	//      3  n0 applies 1
	//      4  n0, leader of term 1, moves E to 1 and acknowledges
	//      5  n1 begins to read x, must not miss 1, and joins the fence at 0, which was sent before
	//      6  n1 takes its view at 0
	//      7  n1 answers with x as of 0: WRONG, this misses what was acknowledged or shown before the read began
}
