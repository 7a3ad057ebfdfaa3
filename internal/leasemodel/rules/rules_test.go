package rules

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"keyquorum/internal/leasemodel"
)

// atOnce is how many rules are tried at a time.
var atOnce = make(chan struct{}, 2)

// forgettingRestsOn are rules without which the model forgets what matters: what is over is over,
// by the clock, the term and the epoch; tokens come back at once; reads wait for E and see one
// view. The last two are found by who is away, which is drawn by what is not forgotten.
var forgettingRestsOn = map[string]bool{
	"ClockAtLook": true, "TermAtLook": true, "TermAtReceipt": true, "EpochAtReceipt": true,
	"FromAsking": true, "Frozen": true, "FromQuestion": true,
	"LookBeforeView": true, "OneView": true, "LeaseReadsWait": true, "FencedReadsWait": true,
	"MissesWait": true, "AskerToo": true,
	"NoLonger": true, "WaitEnds": true,
}

// Without any one of its rules the core that ships is wrong, and the model says so by the shortest
// schedule. When the model forgets what nothing depends on it finds one as short. Every fourth rule
// is tried here, and with KEYQUORUM_RULES=all (make model) each.
func TestEachRuleIsNeeded(t *testing.T) {
	if raceDetector {
		t.Skip("this builds programs without the race detector: make test does it another time")
	}
	every := 4
	if os.Getenv("KEYQUORUM_RULES") == "all" {
		every = 1
	}
	for i, r := range All() {
		if i%every != 0 {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			search, err := r.Without(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			mustFind(t, search, r.Setup, r.Steps)
			if s := r.Setup; s.Remember && !forgettingRestsOn[r.Name] {
				s.Remember = false
				mustFind(t, search, s, r.Steps)
			}
		})
	}
}

func mustFind(t *testing.T, search Search, s leasemodel.Setup, steps int) {
	t.Helper()
	found, err := search(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Schedule) != steps {
		t.Errorf("%v where %d steps are the shortest way to something wrong\n%s",
			found, steps, strings.Join(found.Schedule, "\n"))
	}
}

// A number of package lease that no edit takes out may be a rule that nothing holds up. L12 is not
// about what readers see, F4 is L10.
func TestEachNumberIsTakenOut(t *testing.T) {
	taken := map[string]bool{}
	for _, r := range All() {
		taken[r.Of] = true
	}
	for _, of := range strings.Fields("L1 L2 L3 L4 L5 L6 L7 L8 L9 L10 L11 O F1 F2 F3 F5") {
		if !taken[of] {
			t.Errorf("no edit takes out rule %s", of)
		}
	}
}

// What is left of the core by an edit is searched in a world in which nothing is wrong before it.
func TestNothingIsWrongBeforeTheEdit(t *testing.T) {
	if raceDetector {
		t.Skip("make test searches these without the race detector")
	}
	for _, r := range All() {
		if len(r.Edits) == 0 {
			continue
		}
		found := leasemodel.New(r.Setup).Search(20_000, func(int, int) {})
		if found.Schedule != nil {
			t.Errorf("%s: %v with the rule\n%s", r.Name, found, strings.Join(found.Schedule, "\n"))
		}
	}
}

// The page of results has a row for every rule, with its result, and no other.
func TestPageListsTheRules(t *testing.T) {
	page, err := os.ReadFile("../../../docs/lease-model.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if last := cells[len(cells)-1]; len(cells) == 5 && strings.HasSuffix(last, " steps") {
			rows[strings.Join(cells[:3], ", ")+": "+last]++
		}
	}
	for _, r := range All() {
		rows[fmt.Sprintf("%s, %s, %s: %d steps", r.Name, r.Of, r.Says, r.Steps)]--
	}
	for row, surplus := range rows {
		if surplus != 0 {
			t.Errorf("docs/lease-model.md has %d rows too many (or too few) that say %q", surplus, row)
		}
	}
}
