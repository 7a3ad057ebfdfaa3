package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"keyquorum/internal/statespace"
)

func quiet(int, int) {}

// The whole protocol does nothing wrong in the smaller worlds. make model searches the others too.
func TestWholeProtocol(t *testing.T) {
	most := 60_000
	if raceDetector {
		most = 5_000
	}
	for _, r := range intact() {
		t.Run(r.world, func(t *testing.T) {
			found := newModel(r.Setup, statespace.AllBut[Rules]()).search(most, quiet)
			if found.Way != nil {
				t.Errorf("%v\n%s", found, told(found))
			}
		})
	}
}

// Without any one of its rules something is wrong, or another rule holds it up.
func TestEachRuleIsNeeded(t *testing.T) {
	for _, r := range append(broken(), append(held(), open()...)...) {
		t.Run(r.name(), func(t *testing.T) {
			if raceDetector && r.finds == nothingWrong {
				t.Skip("make test searches these without the race detector")
			}
			if found := r.search(quiet); found.String() != r.finds {
				t.Errorf("%v where it must be %s\n%s", found, r.finds, told(found))
			}
		})
	}
}

// A rule that no run takes out may be one that nothing needs.
func TestEachRuleIsTakenOut(t *testing.T) {
	taken := make(map[string]bool)
	for _, r := range append(broken(), held()...) {
		for _, name := range r.without {
			taken[name] = taken[name] || r.finds != nothingWrong
		}
	}
	rules := reflect.TypeFor[Rules]()
	for i := range rules.NumField() {
		name := rules.Field(i).Name
		if says := statespace.Says[Rules](name); !taken[name] || says == "" {
			t.Errorf("%s says %q; something is wrong without it: %v", name, says, taken[name])
		}
	}
}

// A world in which nothing happens has nothing wrong either. In each, whatever may be signed is
// applied somewhere, joiners stand, and a key that leaks is used.
func TestWorldsAreAlive(t *testing.T) {
	if raceDetector {
		t.Skip("make test searches these without the race detector")
	}
	for _, r := range intact() {
		m := newModel(r.Setup, statespace.AllBut[Rules]())
		stood := false
		look := func(w world, emit func(world, bool)) {
			last := &w.members[m.Members-1]
			stood = stood || m.shows(last) && m.states[last.state].index > 1
			m.reach(w, emit)
		}
		statespace.Space[world]{First: m.first(), Hash: m.hash, Next: look}.Search(20_000, quiet)
		var applies [verbs]bool
		forged := false
		for i := range m.states {
			last := &m.states[i].last
			if last.entry.kind == command && last.outcome == applied {
				applies[m.txns[last.entry.txn].verb] = true
				forged = forged || m.txns[last.entry.txn].thief
			}
		}
		for v := range verbs {
			if r.Signs[v] > 0 && !applies[v] && v != meddle {
				t.Errorf("%s: verb %d is never applied", r.world, v)
			}
		}
		if !stood || forged != r.Leak {
			t.Errorf("%s: the last member stood: %v; the thief signed something: %v", r.world, stood, forged)
		}
	}
}

// The page of results has a row for every run, with its result, and no other.
func TestPageListsTheRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/thief-model.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]int)
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		last := cells[len(cells)-1]
		if len(cells) == 4 && (last == nothingWrong || strings.Contains(last, " in ")) {
			rows[cells[0]+": "+last]++
		}
	}
	for _, runs := range [][]run{intact(), broken(), held(), open()} {
		for _, r := range runs {
			name := strings.TrimPrefix(r.name(), "without ")
			rows[name+": "+r.finds]--
		}
	}
	for row, surplus := range rows {
		if surplus != 0 {
			t.Errorf("docs/thief-model.md has %d rows too many (or too few) that say %q", surplus, row)
		}
	}
}

func Example() {
	for _, r := range broken() {
		if r.name() == "without Floor" {
			fmt.Print(told(r.search(quiet)))
		}
	}
	// Output:
	//      1  n0 signs the creation of x1 (seen 1)
	//      2  the thief leads, and n0 applies the creation of x1 (seen 1) at 2
	//      3  n0 signs the deletion of x (seen 2)
	//      4  the thief leads, and n0 applies the deletion of x (seen 2) at 3
	//      5  n0 restarts
	//      6  the thief leads, and n0 applies the creation of x1 (seen 1) at 2: WRONG, P2: it has seen that go
}
