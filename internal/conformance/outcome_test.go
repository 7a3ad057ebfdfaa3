package conformance_test

import (
	"bufio"
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// An outcome is what became of one test or subtest.
type outcome struct {
	test   string // "TestCRUD/EC"
	result string // "PASS", "FAIL" or "SKIP"
	said   string // while it ran, without what its subtests said
}

var (
	turns   = regexp.MustCompile(`^=== (?:RUN|NAME|CONT) +(\S+)`)
	results = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (\S+) \(`)
)

// outcomes reads what a test binary prints under -test.v, in the order in which it reports results:
// parents before children.
func outcomes(output []byte) (all []outcome) {
	said := map[string]*strings.Builder{}
	current := ""
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, len(output)+1)
	for lines.Scan() {
		line := lines.Text()
		if m := turns.FindStringSubmatch(line); m != nil {
			current = m[1]
		} else if m := results.FindStringSubmatch(line); m != nil {
			all = append(all, outcome{test: m[2], result: m[1]})
			current = "" // what follows is no test's
		} else {
			if said[current] == nil {
				said[current] = new(strings.Builder)
			}
			said[current].WriteString(line + "\n")
		}
	}
	for i := range all {
		if b := said[all[i].test]; b != nil {
			all[i].said = b.String()
		}
	}
	return all
}

// reason is the last thing that a test said, without the place in its source: why it was skipped.
func (o outcome) reason() string {
	lines := strings.Split(strings.TrimSpace(o.said), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if place, reason, found := strings.Cut(last, ": "); found && strings.Contains(place, ".go:") {
		return reason
	}
	return last
}

func TestOutcomesAreRead(t *testing.T) {
	got := outcomes([]byte(`=== RUN   TestCRUD
=== RUN   TestCRUD/EC
    client_test.go:10: something
=== RUN   TestCRUD/EC_MHSM
    client_test.go:166: Skipping: not there yet
--- PASS: TestCRUD (0.01s)
    --- PASS: TestCRUD/EC (0.00s)
    --- SKIP: TestCRUD/EC_MHSM (0.00s)
=== RUN   TestBad
    client_test.go:12:
        	Error: it differs
--- FAIL: TestBad (0.00s)
FAIL
`))
	want := []outcome{
		{"TestCRUD", "PASS", ""},
		{"TestCRUD/EC", "PASS", "    client_test.go:10: something\n"},
		{"TestCRUD/EC_MHSM", "SKIP", "    client_test.go:166: Skipping: not there yet\n"},
		{"TestBad", "FAIL", "    client_test.go:12:\n        \tError: it differs\n"},
	}
	if len(got) != len(want) {
		t.Fatalf("read %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("read %q, want %q", got[i], want[i])
		}
	}
	if r := got[2].reason(); r != "Skipping: not there yet" {
		t.Errorf("the reason is %q", r)
	}
}
