package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An event is a line of go test -json (go doc test2json; of builds go help buildjson).
type event struct {
	Action  string
	Package string
	Test    string // "" where it is of the package
	Output  string
}

// A name is that of a test, or of a package where test is "".
type name struct{ pkg, test string }

func (n name) String() string { return strings.TrimSuffix(n.pkg+" "+n.test, " ") }

// top is the test that n is a part of.
func (n name) top() name {
	test, _, _ := strings.Cut(n.test, "/")
	return name{n.pkg, test}
}

// A report is what is known of a run of go test.
type report struct {
	out   io.Writer
	begun time.Time
	since map[name]time.Time // of packages and top tests that run
	text  map[name][]byte    // what tests that run have said, by top test
	said  map[name][]byte    // the same by test, for the reasons of those that don't pass

	packages, passed  int
	failures, skipped []string
}

func newReport(out io.Writer, now time.Time) *report {
	return &report{
		out: out, begun: now,
		since: make(map[name]time.Time), text: make(map[name][]byte), said: make(map[name][]byte),
	}
}

// take takes a line of go test -json, and says whether it had something to print.
func (r *report) take(line []byte, now time.Time) (printed bool) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		r.print(string(line))
		return true
	}
	n := name{e.Package, e.Test}
	switch e.Action {
	case "start", "run":
		if n == n.top() {
			r.since[n] = now
		}
	case "output", "build-output":
		return r.output(n, e.Output)
	case "pass", "fail", "skip":
		return r.ended(n, e.Action)
	}
	return false
}

// output prints what packages and builds say. What tests say is kept until it is known how they end.
func (r *report) output(n name, text string) (printed bool) {
	switch {
	case n.test == "" && text != "PASS\n" && text != "FAIL\n":
		r.print(text)
		return true
	case n.test != "" && !strings.HasPrefix(text, "=== "):
		r.text[n.top()] = extended(r.text[n.top()], text)
		if said := r.said[n]; len(said) < longestReason {
			r.said[n] = append(said, text...)
		}
	}
	return false
}

const (
	most          = 1 << 20 // bytes of a test's output that are kept at least, half of the most
	longestReason = 4 << 10 // bytes
)

// extended leaves out the beginning of what becomes too long: the end says how it went wrong.
func extended(said []byte, text string) []byte {
	if len(said)+len(text) > 2*most {
		said = append([]byte("[...]"), said[max(0, len(said)-most):]...)
	}
	return append(said, text...)
}

func (r *report) ended(n name, how string) (printed bool) {
	if n.test == "" {
		return r.packageEnded(n, how)
	}
	switch how {
	case "pass":
		r.passed++
	case "fail":
		r.failures = append(r.failures, n.String()+": "+shortened(reason(string(r.said[n]))))
	case "skip":
		r.skipped = append(r.skipped, n.String()+": "+reason(string(r.said[n])))
	}
	text := r.text[n]
	delete(r.said, n)
	if n == n.top() {
		delete(r.since, n)
		delete(r.text, n)
		if how == "fail" {
			r.print(string(text))
			return true
		}
	}
	return false
}

// packageEnded prints what tests have said that began and did not end: the process ended in them.
func (r *report) packageEnded(n name, how string) (printed bool) {
	r.packages++
	delete(r.since, n)
	for _, test := range slices.SortedFunc(maps.Keys(r.text), byName) {
		if test.pkg != n.pkg {
			continue
		}
		if how == "fail" {
			r.print(string(r.text[test]))
			printed = true
		}
		delete(r.text, test)
		delete(r.since, test)
	}
	return printed
}

func byName(a, b name) int {
	return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.test, b.test))
}

// place is where in the code a test has said something.
var place = regexp.MustCompile(`\w+\.go:\d+: `)

// verdict begins the line with which go test ends what a test says.
var verdict = regexp.MustCompile(`--- (SKIP|FAIL): `)

// reason is what a test has said before it was skipped, or had failed.
func reason(text string) string {
	text = place.ReplaceAllString(verdict.Split(text, 2)[0], "")
	return cmp.Or(strings.Join(strings.Fields(text), " "), "no reason is given")
}

// shortened is the beginning, which says what was wrong. What follows may be the logs of nodes.
func shortened(reason string) string {
	const most = 300 // bytes
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most], "") + "..."
}

func (r *report) print(text string) { io.WriteString(r.out, text) }

// progress says how far it is, and of each package that runs which test has run for longest.
func (r *report) progress(now time.Time) {
	oldest := make(map[string]name)
	for n, since := range r.since {
		o, ok := oldest[n.pkg]
		if !ok || o.test == "" || (n.test != "" && since.Before(r.since[o])) {
			oldest[n.pkg] = n
		}
	}
	var running []string
	for _, pkg := range slices.Sorted(maps.Keys(oldest)) {
		n := oldest[pkg]
		running = append(running, fmt.Sprintf("%s (%d s)", n, int(now.Sub(r.since[n]).Seconds())))
	}
	if running == nil {
		running = []string{"the compiler"}
	}
	fmt.Fprintf(r.out, "... %d packages ended, %d tests passed, %d s; running: %s\n",
		r.packages, r.passed, r.seconds(now), strings.Join(running, ", "))
}

func (r *report) seconds(now time.Time) int { return int(now.Sub(r.begun).Seconds()) }

// end names what was skipped and what has failed, and counts.
func (r *report) end(now time.Time) {
	r.list("Skipped", r.skipped)
	r.list("Failed", r.failures)
	fmt.Fprintf(r.out, "\n%d packages in %d s: %d tests passed, %d failed, %d skipped\n",
		r.packages, r.seconds(now), r.passed, len(r.failures), len(r.skipped))
}

func (r *report) list(title string, tests []string) {
	if len(tests) > 0 {
		slices.Sort(tests)
		fmt.Fprintf(r.out, "\n%s:\n  %s\n", title, strings.Join(tests, "\n  "))
	}
}
