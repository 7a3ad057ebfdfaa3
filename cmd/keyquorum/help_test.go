package main

import (
	"bytes"
	"cmp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// The help of every command fits a terminal of 80 columns, and loses no word by that.
func TestHelpFitsATerminal(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		var out bytes.Buffer
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(line) > helpColumns+1 && len(strings.Fields(line)) > 1 { // its newline
				t.Errorf("%s: %d columns: %s", c.CommandPath(), len(line), line)
			}
		}
		about := strings.Join(strings.Fields(cmp.Or(c.Long, c.Short)), " ")
		if shown := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(shown, about) {
			t.Errorf("%s: %s is missing in %s", c.CommandPath(), about, shown)
		}
		for _, child := range c.Commands() {
			look(child)
		}
	}
	look(newRoot())
}

// The tables that are looked at most fit too, with names and versions as long as they usually are.
func TestTablesFitATerminal(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	nodes := clusterStatus{Leader: "a", Nodes: []nodeStatus{
		{ID: "a", Name: "kv-frankfurt", Region: "eu-west", Role: "non-voter", State: "unreachable",
			Applied: 123456789, Lag: 999, Version: "v1.10.3-12-g0123456",
			RoundTrips: map[string]float64{"b": 123.4}},
		{ID: "b", Name: "kv-paris", Role: "voter", State: "unsealed"},
	}}
	for name, table := range map[string]table{
		"status": nodes.table(),
		"vault list": vaultsTable([]vaultInfo{{Name: "payments-of-europe", State: "deleted",
			RetentionDays: 90, PurgeProtection: true, Created: now, ScheduledPurge: &now}}),
	} {
		var out bytes.Buffer
		c := &cobra.Command{}
		c.SetOut(&out)
		if err := table.print(c); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(line) > helpColumns+1 {
				t.Errorf("%s: %d columns: %s", name, len(line), line)
			}
		}
	}
}

// Long lines go on below the column that they end in.
func TestWrapped(t *testing.T) {
	got := wrapped("  list       " + strings.Repeat("word ", 20))
	lines := strings.Split(got, "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[1], strings.Repeat(" ", 13)+"word") {
		t.Errorf("%q", got)
	}
	if got := flowing("one\ntwo\n\n  example\nthree"); got != "one two\n\n  example\nthree" {
		t.Errorf("%q", got)
	}
}
