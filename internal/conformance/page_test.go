package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
)

// The page is generated from the template, which holds all that is written by hand.
var (
	page        = filepath.Join(root, "docs", "compatibility.md")
	handWritten = filepath.Join("testdata", "compatibility.md")
)

func (r *report) write() error {
	t, err := template.ParseFiles(handWritten)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, r); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(b.String()), 0o644)
}

// Operations is the table of the application plane.
func (r *report) Operations() (string, error) {
	var b strings.Builder
	heading(&b, "Request", "Operation", "Asked for by")
	all, err := operations()
	if err != nil {
		return "", err
	}
	for _, o := range all {
		cells := []string{o.request(), "`" + o.name + "`"}
		for _, kind := range kinds {
			cells = append(cells, r.served(o.name, kind))
		}
		writeRow(&b, append(cells, r.askedBy(o.name))...)
	}
	return b.String(), nil
}

// served says how an operation went at a kind of node. One that only failing tests asked for is not
// known to be right.
func (r *report) served(operation, kind string) string {
	cell := "no test"
	for _, u := range r.used {
		if u.operation == operation && u.kind == kind {
			if u.passed {
				return "pass"
			}
			cell = "fail"
		}
	}
	return cell
}

// askedBy lists tests in the order of the sections.
func (r *report) askedBy(operation string) string {
	var cell []string
	for _, s := range r.sections {
		var tests []string
		for _, u := range r.used {
			if u.operation == operation && u.suite == s.suite && !slices.Contains(tests, u.test) {
				tests = append(tests, u.test)
			}
		}
		switch {
		case tests == nil:
		case s.brief:
			cell = append(cell, s.suite)
		default:
			slices.Sort(tests)
			cell = append(cell, s.suite+": "+strings.Join(tests, ", "))
		}
	}
	return strings.Join(cell, "; ")
}

// Summary is a table of all sections: how many of their tests went how, at each kind of node.
func (r *report) Summary() string {
	var b strings.Builder
	heading(&b, "Client", "Tests", "Remark")
	for _, s := range r.sections {
		keys := r.rowsOf(s)
		cells := []string{s.title, fmt.Sprint(len(keys))}
		for _, kind := range kinds {
			cells = append(cells, r.counted(keys, kind))
		}
		writeRow(&b, append(cells, r.firstRemark(keys))...)
	}
	return b.String()
}

func (r *report) firstRemark(keys []row) string {
	for _, key := range keys {
		if said := r.remark(key); said != "" {
			return said
		}
	}
	return ""
}

// counted says how tests went at a kind of node: "30 pass, 2 skip".
func (r *report) counted(keys []row, kind string) string {
	counts := map[string]int{}
	for _, key := range keys {
		counts[r.rows[key][kind].cell()]++
	}
	var parts []string
	for _, cell := range []string{"pass", "fail", "skip", "-"} {
		if n := counts[cell]; n > 0 {
			parts = append(parts, fmt.Sprint(n, " ", cell))
		}
	}
	return strings.Join(parts, ", ")
}

// Tests are the tables of all sections.
func (r *report) Tests() string {
	var b strings.Builder
	for _, s := range r.sections {
		fmt.Fprintf(&b, "### %s\n\n", s.title)
		heading(&b, "Test", "", "Remark")
		for _, key := range r.rowsOf(s) {
			cells := []string{"`" + key.test + "`"}
			for _, kind := range kinds {
				cells = append(cells, r.rows[key][kind].cell())
			}
			writeRow(&b, append(cells, r.remark(key))...)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// rowsOf are the leaves among the tests of a section, in its order. Subtests without a name are
// told by their parent alone.
func (r *report) rowsOf(s section) (keys []row) {
	for _, test := range s.tests {
		var leaves []row
		for key := range r.rows {
			if key.suite == s.suite && strings.HasPrefix(key.test, test+"/") &&
				!strings.Contains(key.test, "/#") {
				leaves = append(leaves, key)
			}
		}
		slices.SortFunc(leaves, func(a, b row) int { return strings.Compare(a.test, b.test) })
		if leaves == nil {
			leaves = []row{{s.suite, test}}
		}
		keys = append(keys, leaves...)
	}
	return keys
}

func (o outcome) cell() string {
	if o.result == "" {
		return "-"
	}
	return strings.ToLower(o.result)
}

// remark is why a test was skipped.
func (r *report) remark(key row) string {
	for _, kind := range kinds {
		if o := r.rows[key][kind]; o.result == "SKIP" {
			return o.reason()
		}
	}
	return ""
}

// heading begins a table with a column for each kind of node.
func heading(b *strings.Builder, first, second, last string) {
	columns := []string{first}
	if second != "" {
		columns = append(columns, second)
	}
	columns = append(append(columns, kinds...), last)
	writeRow(b, columns...)
	writeRow(b, slices.Repeat([]string{"---"}, len(columns))...)
}

func writeRow(b *strings.Builder, cells ...string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", "\\|")
	}
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// TestPageIsOfThisProgram finds a page that nobody has generated since the routes or the words of
// the template have changed.
func TestPageIsOfThisProgram(t *testing.T) {
	written, err := os.ReadFile(page)
	must(t, err)
	words, err := os.ReadFile(handWritten)
	must(t, err)
	all, err := operations()
	must(t, err)
	for _, o := range all {
		if !strings.Contains(string(written), "\n| "+o.request()+" | `"+o.name+"` |") {
			t.Errorf("docs/compatibility.md has no row for %s: make conformance writes one", o.request())
		}
	}
	for _, part := range regexp.MustCompile(`\{\{[^}]*\}\}`).Split(string(words), -1) {
		if !strings.Contains(string(written), part) {
			t.Errorf("docs/compatibility.md does not say what its template says: make conformance writes it anew.\n%s",
				part)
		}
	}
}
