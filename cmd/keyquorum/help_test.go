package main

import (
	"bytes"
	"cmp"
	"strings"
	"testing"
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
