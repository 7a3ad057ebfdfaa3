package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// outputFormat is the value of --format: table for people, json for scripts.
type outputFormat string

func formatFlag(c *cobra.Command) *outputFormat {
	f := outputFormat("table")
	c.Flags().Var(&f, "format", "table or json")
	return &f
}

func (f *outputFormat) String() string { return string(*f) }
func (f *outputFormat) Type() string   { return "table|json" }

func (f *outputFormat) Set(s string) error {
	if s != "table" && s != "json" {
		return fmt.Errorf("it is table or json")
	}
	*f = outputFormat(s)
	return nil
}

// print writes v as JSON, or the table that says the same.
func (f *outputFormat) print(c *cobra.Command, v any, t table) error {
	if *f == "table" {
		return t.print(c)
	}
	e := json.NewEncoder(c.OutOrStdout())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// A table is rows of cells under a header.
type table struct {
	header []string
	rows   [][]string
}

func newTable(header ...string) table { return table{header: header} }

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = cellText(cell)
	}
	t.rows = append(t.rows, row)
}

// pairs is a table of names and values.
func pairs(namesAndValues ...any) table {
	t := newTable("Key", "Value")
	for i := 0; i < len(namesAndValues); i += 2 {
		t.add(namesAndValues[i], namesAndValues[i+1])
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

func (t table) print(c *cobra.Command) error {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	rules := make([]string, len(t.header))
	for i, h := range t.header {
		rules[i] = strings.Repeat("-", len(h))
	}
	for _, row := range append([][]string{t.header, rules}, t.rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
