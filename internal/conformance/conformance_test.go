package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestConformance is make conformance. Its subtests are named by node, suite and test; -run
// picks among them, but only a whole run writes the page.
func TestConformance(t *testing.T) {
	if os.Getenv(asked) == "" {
		t.Skip("Microsoft's suites take minutes and a network of their own: make conformance runs them")
	}
	b := newBed(t)
	r := newReport(b.sections())
	for _, n := range b.nodes {
		t.Run(n.kind, func(t *testing.T) {
			for _, s := range b.suites {
				t.Run(s.name, func(t *testing.T) { b.runSuite(t, n, s, r) })
			}
			t.Run(ours, func(t *testing.T) { b.prove(t, n, r) })
			t.Run(lives, func(t *testing.T) { b.live(t, n, r) })
		})
	}
	t.Run("while nodes are killed", func(t *testing.T) { b.liveOn(t, r) })
	t.Log("\n" + r.Summary())
	if r.complete() {
		must(t, r.write())
	}
}

// sections are what every node must have seen.
func (b *bed) sections() (all []section) {
	for _, s := range b.suites {
		all = append(all, s.section())
	}
	own := section{suite: ours, brief: true,
		title: "What Microsoft's suites do not ask for, with the same clients"}
	for _, c := range claims() {
		own.tests = append(own.tests, c.name)
	}
	return append(all, own, section{suite: lives, brief: true, title: "examples/" + lives,
		tests: []string{oneRound, killed.test}})
}

// runSuite runs one test after the other, each in a process of its own, so that the usage log
// tells what it asked for.
func (b *bed) runSuite(t *testing.T, n node, s suite, r *report) {
	if s.absent != "" {
		r.record(n.kind, s.name, s.tests[0], []outcome{{s.tests[0], "SKIP", s.absent}}, nil)
		t.Skip(s.absent)
	}
	for _, test := range s.tests {
		t.Run(test, func(t *testing.T) {
			all := b.seated(t, n, r, s.name, test, func() []outcome {
				line := s.run(test)
				cmd := b.command(n, line[0], line[1:]...)
				cmd.Dir = s.dir
				return testOutcomes(test, cmd)
			})
			judge(t, test, all)
		})
	}
}

// testOutcomes runs the command for one test. A process that ends before it has told how the
// test went, or that fails where no test did, has failed it.
func testOutcomes(test string, cmd *exec.Cmd) []outcome {
	output, err := cmd.CombinedOutput()
	all := outcomes(output)
	told, failed := false, false
	for _, o := range all {
		told = told || o.test == test
		failed = failed || o.result == "FAIL"
	}
	if !told || err != nil && !failed {
		return []outcome{{test, "FAIL", fmt.Sprintf("%v: %v\n%s", cmd.Args, err, output)}}
	}
	return all
}

// seated is watched while node n is what it is called.
func (b *bed) seated(t *testing.T, n node, r *report, suite, test string,
	do func() []outcome) []outcome {
	t.Helper()
	b.seat(n)
	all := b.watched(t, n, r, suite, test, do)
	if !b.isSeated(n) {
		t.Errorf("leadership moved meanwhile, so nobody knows whether this went through the %s: run it again",
			n.kind)
	}
	return all
}

// seat makes node n what it is called. On a busy machine leadership moves by itself.
func (b *bed) seat(n node) {
	for tries := 0; !b.isSeated(n) && tries < 20; tries++ {
		b.StepDown()
	}
}

func (b *bed) isSeated(n node) bool { return (b.Leader() == n.number) == (n.kind == kinds[0]) }

// watched has do ask things of node n, and reports what came of it and which operations the node
// has recorded.
func (b *bed) watched(t *testing.T, n node, r *report, suite, test string,
	do func() []outcome) []outcome {
	before := len(b.UsageLog(n.number))
	all := do()
	operations, err := answered(b.UsageLog(n.number)[before:])
	must(t, err)
	r.record(n.kind, suite, test, all, operations)
	return all
}

// judge makes subtests of the outcomes of a test, so that each has its line.
func judge(t *testing.T, test string, all []outcome) {
	for _, o := range all {
		if sub, is := strings.CutPrefix(o.test, test+"/"); is {
			t.Run(sub, func(t *testing.T) { o.judge(t) })
		}
	}
	for _, o := range all {
		if o.test == test {
			o.judge(t)
		}
	}
}

func (o outcome) judge(t *testing.T) {
	switch o.result {
	case "SKIP":
		t.Skip(o.reason())
	case "FAIL":
		t.Error("\n" + o.said)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
