package mover

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// A report is what is printed of a plan, before or after it was done.
type report struct {
	Source  string        `json:"source"`
	Vault   string        `json:"vault"`
	Applied bool          `json:"applied"`
	Rows    []*row        `json:"rows"`
	Summary map[state]int `json:"summary"` // how many rows there are of a state
	// Versions are those to be added in a plan, and those that were added after it was done.
	Versions int `json:"versions"`
}

func (pl plan) report(source, vault string, applied bool) report {
	rep := report{Source: source, Vault: vault, Applied: applied, Rows: pl.rows,
		Summary: map[state]int{}}
	if rep.Rows == nil {
		rep.Rows = []*row{}
	}
	for _, r := range pl.rows {
		rep.Summary[r.State]++
		rep.Versions += r.Versions
	}
	return rep
}

// print writes the table with what is to be said of it, or the JSON.
func (rep report) print(c *cobra.Command, format *console.Format) error {
	out := c.OutOrStdout()
	people := *format == "table"
	if people {
		fmt.Fprintf(out, "From %s\ninto %s\n\n", rep.Source, rep.Vault)
	}
	if len(rep.Rows) > 0 || !people {
		if err := format.Print(c, rep, rep.table()); err != nil {
			return err
		}
	}
	if people {
		rep.conclude(out)
	}
	return nil
}

func (rep report) table() console.Table {
	t := console.NewTable("Kind", "Name", "Versions", "State", "Why")
	for _, r := range rep.Rows {
		why := r.Why
		if len(r.Left) > 0 {
			left := "left out: " + strings.Join(r.Left, ", ")
			why = strings.TrimPrefix(why+"; "+left, "; ")
		}
		t.Add(r.Kind, cmp.Or(r.Name, r.From), r.versions(), string(r.State), why)
	}
	return t
}

// versions is the cell of how many are to be added, and are there.
func (r *row) versions() string {
	switch {
	case r.State == stays:
		return ""
	case r.There > 0 && r.Versions > 0:
		return fmt.Sprintf("%d, %d there", r.Versions, r.There)
	case r.There > 0:
		return fmt.Sprintf("%d there", r.There)
	case r.Versions > 0:
		return fmt.Sprint(r.Versions)
	}
	return ""
}

// conclude sums up, and says what to do next.
func (rep report) conclude(out io.Writer) {
	if len(rep.Rows) == 0 {
		fmt.Fprintln(out, "There is nothing to move.")
		return
	}
	var parts []string
	for _, s := range []state{toMove, moved, there, differs, taken, stays, failed, untouched} {
		if n := rep.Summary[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.of(n)))
		}
	}
	fmt.Fprintf(out, "\n%s; %s %s.\n", strings.Join(parts, ", "), count(rep.Versions, "version"),
		map[bool]string{false: "to add", true: "added"}[rep.Applied])
	for _, advice := range rep.advice() {
		fmt.Fprintf(out, "\n%s\n", folded(advice))
	}
	switch {
	case rep.Applied:
	case rep.Summary[toMove] > 0:
		fmt.Fprintln(out, "\nNothing was written. The same command with --apply does it.")
	default:
		fmt.Fprintln(out, "\nNothing was written, and nothing is to be.")
	}
}

// advice is what to do about the rows that are not moved, each once, in the order of the rows.
func (rep report) advice() (all []string) {
	for _, r := range rep.Rows {
		if r.Advice != "" && !slices.Contains(all, r.Advice) {
			all = append(all, r.Advice)
		}
	}
	return all
}

// of is the state as it is said of n things.
func (s state) of(n int) string {
	if n > 1 && (s == differs || s == stays) {
		return strings.TrimSuffix(string(s), "s") // they differ, they stay
	}
	return string(s)
}

// columns is how wide a line of advice is at most.
const columns = 78

// folded is a paragraph in lines.
func folded(text string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > columns {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return strings.Join(append(lines, line), "\n")
}
