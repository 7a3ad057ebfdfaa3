package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

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
		return t.print(c)
	}
	e := json.NewEncoder(c.OutOrStdout())
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

func (t Table) print(c *cobra.Command) error {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 4, ' ', 0)
	rules := make([]string, len(t.header))
	for i, h := range t.header {
		rules[i] = strings.Repeat("-", len(h))
	}
	for _, row := range append([][]string{t.header, rules}, t.rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
