package doctor

import (
	"fmt"
	"slices"

	"keyquorum/cmd/keyquorum/console"
)

// A Result is how a check came out.
type Result string

// Skipped is a check that could not be made. It says nothing of whether all is well.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Failed  Result = "failed"
	Skipped Result = "skipped"
)

// A Check is one line of a report.
type Check struct {
	Of     string `json:"of"`    // what it is about: server, machine, node or cluster
	Check  string `json:"check"` // its name, the same in every report
	Result Result `json:"result"`
	Found  string `json:"found"`          // in words
	Next   string `json:"next,omitempty"` // what to do about it
}

// A Report is what an examination has found, in the order in which it looked.
type Report struct {
	OK     bool    `json:"ok"` // nothing has failed, though there may be warnings
	Checks []Check `json:"checks"`
}

// The parts of a report.
const (
	ofServer  = "server"
	ofMachine = "machine"
	ofNode    = "node"
	ofCluster = "cluster"
)

// A page gathers the checks of one part.
type page struct {
	of     string
	checks []Check
}

func (p *page) add(check string, r Result, next, format string, args ...any) {
	p.checks = append(p.checks, Check{p.of, check, r, fmt.Sprintf(format, args...), next})
}

func (p *page) ok(check, format string, args ...any) { p.add(check, OK, "", format, args...) }

func (p *page) skip(check, next, format string, args ...any) {
	p.add(check, Skipped, next, format, args...)
}

func reportOf(checks []Check) Report {
	failed := func(c Check) bool { return c.Result == Failed }
	return Report{OK: !slices.ContainsFunc(checks, failed), Checks: checks}
}

func (r Report) table() console.Table {
	t := console.NewTable("Of", "Check", "Result", "What was found, and what to do")
	for _, c := range r.Checks {
		text := c.Found
		if c.Next != "" {
			text += "; " + c.Next
		}
		t.Add(c.Of, c.Check, string(c.Result), text)
	}
	return t
}

// count is how many checks came out so.
func (r Report) count(as Result) (n int) {
	for _, c := range r.Checks {
		if c.Result == as {
			n++
		}
	}
	return n
}
