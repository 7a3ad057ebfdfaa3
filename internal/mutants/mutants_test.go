package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"keyquorum/internal/overlay"
)

// A seeded bug whose edits no longer fit the source tests nothing.
func TestEveryBugStillFits(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
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
	for _, m := range mutants {
		pkg, test, _ := strings.Cut(m.test, " ")
		row := fmt.Sprintf("| %s | %s | `%s` in `%s` |", m.name, m.bug, test, strings.TrimPrefix(pkg, "./"))
		if !strings.Contains(string(b), row) {
			t.Errorf("docs/reliability.md lacks the row\n%s", row)
		}
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
		{out: "# keyquorum/seal\nx.go:1:1: no\nFAIL\tkeyquorum/seal [build failed]\n", err: exit, refuse: true},
		{out: "ok  \tkeyquorum/seal\t0.1s [no tests to run]\n", refuse: true},
		{out: "", err: errors.New("go is not there"), refuse: true},
	} {
		f, err := judge(row.out, row.err)
		if f.found != row.found || (err != nil) != row.refuse {
			t.Errorf("%q: found %v, %v", row.out, f.found, err)
		}
	}
}
