package prove

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/anishathalye/porcupine"
)

// A Verdict says what a history was found to be.
type Verdict struct {
	Seed         uint64         // that the run was begun with
	Histories    int            // one for each object that was used
	Operations   int            // in all of them, those that read back among them
	Acknowledged int            // writes that were made, and whose clients were told so
	Unknown      int            // writes that may have been made
	Failures     map[string]int // how often each failure was the answer: "503 NoLeader", "connection refused"
	Undecided    int            // histories that took too long to search
	Violations   []Violation
}

func (v *Verdict) count(ops []*operation) {
	v.Histories++
	v.Operations += len(ops)
	for _, op := range ops {
		if op.acknowledged() {
			v.Acknowledged++
		}
		if op.writes() && op.outcome == unknown {
			v.Unknown++
		}
	}
}

// Err is nil if every history is linearizable. Else it names the objects, with the part of each
// one's history that is not.
func (v *Verdict) Err() error {
	var all []error
	for i := range v.Violations {
		all = append(all, errors.New(v.Violations[i].String()))
	}
	if v.Undecided > 0 {
		all = append(all, fmt.Errorf("%d of %d histories are undecided", v.Undecided, v.Histories))
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("prove: seed %d: %w", v.Seed, errors.Join(all...))
}

// String sums up in a line, and a line for each kind of failure.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d histories, %d operations, %d acknowledged writes, %d unknown; %d violations, %d undecided",
		v.Seed, v.Histories, v.Operations, v.Acknowledged, v.Unknown, len(v.Violations), v.Undecided)
	for _, what := range slices.Sorted(maps.Keys(v.Failures)) {
		fmt.Fprintf(&b, "\n%6d × %s", v.Failures[what], what)
	}
	return b.String()
}

// A Violation is an object whose history no linearizable cluster could have had.
type Violation struct {
	Object  string
	minimal history
}

// String is the part of the history that is not linearizable, as a table: its last answer is the
// one that cannot be.
func (v *Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: no order of these operations gives these answers\n", v.Object)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  client\tnode\tasked\tanswered\tcall..return\t")
	for _, op := range v.minimal.operations {
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\t%s\t\n", op.client, op.node, op.request, op.answered(),
			op.span())
	}
	w.Flush()
	return b.String()
}

func (op *operation) answered() string {
	if op.outcome == known {
		return op.reply.text(op.request)
	}
	return "unknown: " + op.detail
}

func (op *operation) span() string {
	if op.outcome == known {
		return fmt.Sprintf("%d..%d", op.called, op.returned)
	}
	return fmt.Sprintf("%d..", op.called)
}

// String is the operation as pictures show it.
func (op *operation) String() string {
	if op == end {
		return "the end"
	}
	return fmt.Sprintf("%s → %s", op.request, op.answered())
}

// Draw draws the violation as an HTML page in dir, which exists, and returns the page's path.
func (v *Violation) Draw(dir string) (string, error) {
	path := filepath.Join(dir, v.Object+".html")
	left := maxSteps
	model := v.minimal.porcupine(&left)
	_, info := porcupine.CheckOperationsVerbose(model, v.minimal.intervals(), 0)
	left = maxSteps // it steps through what was found again
	return path, porcupine.VisualizePath(model, info, path)
}
