package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"keyquorum/internal/overlay"
)

// A seeded bug whose edits no longer fit the source tests nothing.
func TestEveryBugStillFits(t *testing.T) {
	names := map[string]bool{}
	for _, m := range everyMutant() {
		if names[m.name] {
			t.Errorf("two bugs are called %s", m.name)
		}
		names[m.name] = true
		if _, err := overlay.Write(t.TempDir(), m.edits); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// docs/reliability.md has a row for each: bug, test, command.
func TestEveryBugIsInTheDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range everyMutant() {
		pkg, test, _ := strings.Cut(m.test, " ")
		row := fmt.Sprintf("| %s | %s | `%s` in `%s` |",
			m.name, m.bug, test, strings.TrimPrefix(pkg, "./"))
		if !strings.Contains(string(b), row) {
			t.Errorf("docs/reliability.md lacks the row\n%s", row)
		}
	}
}

// found.txt says of each bug when it was last found, also of one that is new.
func TestEveryBugHasItsRevision(t *testing.T) {
	b, err := os.ReadFile("found.txt")
	if err != nil {
		t.Fatal(err)
	}
	if want := recorded(string(b), mutants[0].name, revisionOf(string(b))); string(b) != want {
		t.Errorf("found.txt has not a line for each bug, in their order. It should be\n%s", want)
	}
	line := regexp.MustCompile(`(?m)^[a-z0-9-]+ (unrecorded|[0-9a-f]{12})$`)
	if n := len(line.FindAllString(string(b), -1)); n != len(everyMutant()) {
		t.Errorf("%d lines name a bug and a revision, want %d", n, len(everyMutant()))
	}
}

// revisionOf is what the first line says.
func revisionOf(file string) string {
	line, _, _ := strings.Cut(file, "\n")
	_, found, _ := strings.Cut(line, " ")
	return found
}

// What is recorded of one bug leaves the others alone.
func TestRecorded(t *testing.T) {
	first, second := everyMutant()[0].name, everyMutant()[1].name
	file := recorded("no-more 000000000000\n", second, "123456789abc")
	file = recorded(file, first, "abcdefabcdef")
	if want := first + " abcdefabcdef\n" + second + " 123456789abc\n"; !strings.HasPrefix(file, want) {
		t.Errorf("recorded:\n%s", file)
	}
	if strings.Contains(file, "no-more") || strings.Count(file, unrecorded) != len(everyMutant())-2 {
		t.Errorf("recorded:\n%s", file)
	}
}

// A test that could not be built, or did not run, has found nothing.
func TestOnlyAFailedTestIsAFinding(t *testing.T) {
	exit := &exec.ExitError{}
	for _, row := range []struct {
		out    string
		err    error
		found  bool
		refuse bool
	}{
		{out: "ok  \tkeyquorum/seal\t0.1s\n"},
		{out: "--- FAIL: TestX (0.00s)\n    x_test.go:7: it is wrong\nFAIL\n", err: exit, found: true},
		{out: "# keyquorum/seal\nx.go:1:1: no\nFAIL\tkeyquorum/seal [build failed]\n", err: exit,
			refuse: true},
		{out: "ok  \tkeyquorum/seal\t0.1s [no tests to run]\n", refuse: true},
		{out: "", err: errors.New("go is not there"), refuse: true},
	} {
		f, err := judge(row.out, row.err)
		if f.found != row.found || (err != nil) != row.refuse {
			t.Errorf("%q: found %v, %v", row.out, f.found, err)
		}
	}
}
