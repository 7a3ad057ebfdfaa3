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

func FormatFlag(c *cobra.Command) *Format {
	f := Format("table")
	c.Flags().Var(&f, "format", "table or json")
	return &f
}

func (f *Format) String() string { return string(*f) }
func (f *Format) Type() string   { return "table|json" }

func (f *Format) Set(s string) error {
	if s != "table" && s != "json" {
		return fmt.Errorf("it is table or json")
	}
	*f = Format(s)
	return nil
}

// Print writes v as JSON, or the table that says the same.
func (f *Format) Print(c *cobra.Command, v any, t Table) error {
	if *f == "table" {
		return t.print(c.OutOrStdout())
	}
	return printJSON(c.OutOrStdout(), v)
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
}

func NewTable(header ...string) Table { return Table{header: header} }

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
	columnGap   = 2  // columns between cells
	leastColumn = 10 // a column is not made narrower than this
)

// print writes the table. On a terminal it is made to fit: what is too wide goes on in the next
// line of its cell, and nothing is left out. Elsewhere each row is one line.
func (t Table) print(w io.Writer) error {
	widths := t.widths()
	if terminal := Width(w); terminal > 0 && total(widths) > terminal {
		narrow(widths, terminal-columnGap*(len(widths)-1))
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

func (t Table) widths() []int {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
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

// narrow takes from the widest columns until they fit into room.
func narrow(widths []int, room int) {
	for total(widths)-columnGap*(len(widths)-1) > room {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= leastColumn {
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
		for i := width; i > width/2; i-- {
			if strings.ContainsRune(" ,/", rest[i-1]) {
				cut = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:cut]), " "))
		rest = rest[cut:]
	}
	return append(lines, string(rest))
}
