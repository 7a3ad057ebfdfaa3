package console

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Format is the value of --format: table for people, json for scripts.
type Format string

// FormatFlag gives a command the flag --format.
func FormatFlag(c *cobra.Command) *Format {
	f := Format("table")
	c.Flags().Var(Choice((*string)(&f), "table", "json"), "format", "how to print")
	return &f
}

// Print writes v as JSON, or the table that says the same. Of a table without rows it says what to
// do about that.
func (f *Format) Print(c *cobra.Command, v any, t Table) error {
	switch {
	case *f == "json":
		return printJSON(c.OutOrStdout(), v)
	case len(t.rows) == 0 && t.empty != "":
		Tell(c, c.ErrOrStderr(), "%s", t.empty)
		return nil
	}
	return t.print(c.OutOrStdout())
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// A Table is rows of cells under a header.
type Table struct {
	header []string
	rows   [][]string
	empty  string // said instead of a table without rows; "": the table is shown all the same
}

func NewTable(header ...string) Table { return Table{header: header} }

// WhenEmpty is what is said instead of a table without rows.
func (t Table) WhenEmpty(sentence string) Table {
	t.empty = sentence
	return t
}

func (t *Table) Add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = cellText(cell)
	}
	t.rows = append(t.rows, row)
}

// Pairs is a table of names and values.
func Pairs(namesAndValues ...any) Table {
	t := NewTable("Key", "Value")
	for i := 0; i < len(namesAndValues); i += 2 {
		t.Add(namesAndValues[i], namesAndValues[i+1])
	}
	return t
}

func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		if v == "" {
			return "-"
		}
		return v
	case []string:
		return cellText(strings.Join(v, ","))
	}
	return fmt.Sprint(v)
}

const (
	columnGap   = 2     // columns between cells
	leastColumn = 10    // a column is not made narrower than this
	breaks      = " ,/" // after these a cell may go on in its next line
)

// print writes the table. On a terminal it is made to fit: what is too wide goes on in the next
// line of its cell, and nothing is left out. Elsewhere each row is one line.
func (t Table) print(w io.Writer) error {
	widths := t.widths(utf8.RuneCountInString)
	if terminal := Width(w); terminal > 0 && total(widths) > terminal {
		t.fit(widths, terminal)
	}
	rules := make([]string, len(t.header))
	for i, h := range t.header {
		rules[i] = strings.Repeat("-", utf8.RuneCountInString(h))
	}
	var b strings.Builder
	writeRow(&b, t.header, widths, func(s string) string { return Bold(w, s) })
	for _, row := range append([][]string{rules}, t.rows...) {
		writeRow(&b, row, widths, func(s string) string { return s })
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit makes columns narrower until all fit into a terminal: first those that go on after a word,
// so that an id stays whole and can be copied.
func (t Table) fit(widths []int, terminal int) {
	room := terminal - columnGap*(len(widths)-1)
	narrow(widths, t.widths(longestWord), room)
	narrow(widths, slices.Repeat([]int{leastColumn}, len(widths)), room)
}

// longestWord is the width below which a cell is broken within a word.
func longestWord(cell string) (width int) {
	for cell != "" {
		word := cell
		if at := strings.IndexAny(cell, breaks); at >= 0 {
			word = cell[:at+1]
		}
		cell = cell[len(word):]
		width = max(width, utf8.RuneCountInString(strings.TrimRight(word, " ")))
	}
	return width
}

// widths are those that the columns need, by what a cell needs.
func (t Table) widths(of func(cell string) int) []int {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], of(cell))
		}
	}
	return widths
}

func total(widths []int) int {
	sum := columnGap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// narrow takes from the widest columns until they fit into room, or have their least widths.
func narrow(widths, least []int, room int) {
	for total(widths)-columnGap*(len(widths)-1) > room {
		widest := -1
		for i, w := range widths {
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// writeRow writes a row, in as many lines as its tallest cell needs.
func writeRow(b *strings.Builder, row []string, widths []int, style func(string) string) {
	cells, height := make([][]string, len(row)), 1
	for i, cell := range row {
		cells[i] = wrap(cell, widths[i])
		height = max(height, len(cells[i]))
	}
	for line := range height {
		var text strings.Builder
		for i := range cells {
			part := ""
			if line < len(cells[i]) {
				part = cells[i][line]
			}
			text.WriteString(part)
			if i < len(cells)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(part)+columnGap))
			}
		}
		b.WriteString(style(strings.TrimRight(text.String(), " ")) + "\n")
	}
}

// wrap breaks a cell into lines, after spaces, commas and slashes where it can.
func wrap(cell string, width int) (lines []string) {
	rest := []rune(cell)
	for len(rest) > width {
		cut := width
		for i := width; i > 0 && rest[width] != ' '; i-- {
			if strings.ContainsRune(breaks, rest[i-1]) {
				cut = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:cut]), " "))
		rest = []rune(strings.TrimLeft(string(rest[cut:]), " "))
	}
	return append(lines, string(rest))
}
