package conformance_test

import (
	"bytes"
	"encoding/json"
	"slices"
)

// A report is what came of a run, as far as another run would say the same: no times, no counts, no
// names of the machine.
type report struct {
	sections []section
	rows     map[row]map[string]outcome // by kind of node
	used     []use
}

// A section is a suite of the page, with the tests that each node must have seen.
type section struct {
	suite string
	title string
	brief bool // the table of operations names the suite alone
	tests []string
}

type row struct{ suite, test string }

// A use is an operation that a node has served at least once while a test ran.
type use struct {
	row
	operation, kind string
	passed          bool
}

func newReport(sections []section) *report {
	return &report{sections: sections, rows: map[row]map[string]outcome{}}
}

func (r *report) record(kind, suite, test string, all []outcome, operations []string) {
	passed := true
	for _, o := range all {
		key := row{suite, o.test}
		if r.rows[key] == nil {
			r.rows[key] = map[string]outcome{}
		}
		r.rows[key][kind] = o
		passed = passed && o.result != "FAIL"
	}
	for _, operation := range operations {
		r.used = append(r.used, use{row{suite, test}, operation, kind, passed})
	}
}

// complete says whether every node has seen every test. The killing is seen by one.
func (r *report) complete() bool {
	for _, s := range r.sections {
		for _, test := range s.tests {
			key := row{s.suite, test}
			if seen := len(r.rows[key]); seen == 0 || seen < len(kinds) && key != killed {
				return false
			}
		}
	}
	return true
}

// answered lists the operations of the application plane that lines of a usage log tell as done.
func answered(log []byte) (operations []string, err error) {
	for line := range bytes.Lines(log) {
		var e struct {
			Plane, Operation string
			Status           int
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		if e.Plane == "app" && e.Status < 300 && !slices.Contains(operations, e.Operation) {
			operations = append(operations, e.Operation)
		}
	}
	return operations, nil
}
