package main

import (
	"bytes"
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// update rewrites the golden files. Read the diff as somebody does who sees the program for the
// first time.
var update = flag.Bool("update", false, "rewrite the golden files of what people read")

// golden compares what people read with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if was, is, differs := firstDifference(string(want), got); differs {
		t.Errorf("%s, which -update rewrites, has\n\t%s\nand the program says\n\t%s", file, was, is)
	}
}

// firstDifference is the first line in which two texts differ.
func firstDifference(want, got string) (was, is string, differs bool) {
	wanted, given := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wanted), len(given)) {
		was, is = "(nothing)", "(nothing)"
		if i < len(wanted) {
			was = wanted[i]
		}
		if i < len(given) {
			is = given[i]
		}
		if was != is {
			return was, is, true
		}
	}
	return "", "", false
}

// TestHelp holds the help of every command: a file has that of a command of the first level, and of
// all below it. It fits a terminal of 80 columns, and loses no word by that.
func TestHelp(t *testing.T) {
	left := map[string]bool{}
	for _, file := range found(t, "testdata/help/*.txt") {
		left[filepath.Base(file)] = true
	}
	var all func(c *cobra.Command) string
	all = func(c *cobra.Command) string {
		text := helpOf(t, c)
		for _, child := range c.Commands() {
			if !child.Hidden {
				text += "\n" + all(child)
			}
		}
		return text
	}
	root := newRoot("keyquorum")
	root.InitDefaultHelpCmd() // which Execute adds
	texts := map[string]string{"keyquorum.txt": helpOf(t, root)}
	page := aboutCommands + section("keyquorum", texts["keyquorum.txt"])
	for _, c := range root.Commands() {
		texts[c.Name()+".txt"] = all(c)
		page += section("keyquorum "+c.Name(), texts[c.Name()+".txt"])
	}
	golden(t, "../../../docs/commands.md", page)
	for name, text := range texts {
		golden(t, filepath.Join("help", name), text)
		delete(left, name)
	}
	for name := range left {
		t.Errorf("testdata/help/%s is the help of no command; remove it", name)
	}
}

// aboutCommands begins docs/commands.md.
const aboutCommands = `# Commands

What each command says of itself with ` + "`--help`" + `. A test compares this page with the program.
`

func section(command, help string) string {
	return "\n## " + command + "\n\n```text\n" + help + "```\n"
}

func found(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// helpOf is a call of --help and what it shows.
func helpOf(t *testing.T, c *cobra.Command) string {
	t.Helper()
	args := append(strings.Fields(c.CommandPath())[1:], "--help")
	var out bytes.Buffer
	root := newRoot("keyquorum")
	root.SetArgs(args)
	root.SetOut(&out)
	if err := root.Execute(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%v: %d columns: %s", args, n, line)
		}
	}
	about := strings.Join(strings.Fields(cmp.Or(c.Long, c.Short)), " ")
	if shown := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(shown, about) {
		t.Errorf("%v: %s is missing in %s", args, about, shown)
	}
	return "$ keyquorum " + strings.Join(args, " ") + "\n" + out.String()
}

// TestExamplesOfHelpAreTaken: whoever types an example meets no flag that is not there.
func TestExamplesOfHelpAreTaken(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		for line := range strings.Lines(strings.ReplaceAll(c.Example, "\\\n", " ")) {
			_, call, ours := strings.Cut(line, "keyquorum ")
			if !ours {
				t.Errorf("%s: %q is no example of it", c.CommandPath(), line)
				continue
			}
			root := newRoot("keyquorum")
			called, args, err := root.Find(strings.Fields(strings.ReplaceAll(call, "'", `"`)))
			if err == nil {
				err = called.ParseFlags(args)
			}
			if err == nil && called.Args != nil {
				err = called.ValidateArgs(called.Flags().Args())
			}
			if err != nil || called.CommandPath() != c.CommandPath() {
				t.Errorf("%s: %q: %v", c.CommandPath(), strings.TrimSpace(line), err)
			}
		}
		for _, child := range c.Commands() {
			if !child.Hidden {
				look(child)
			}
		}
	}
	look(newRoot("keyquorum"))
}

// A golden file can fail.
func TestFirstDifference(t *testing.T) {
	for _, row := range []struct{ want, got, was, is string }{
		{"a\nb", "a\nb", "", ""}, {"a\nb", "a\nc", "b", "c"}, {"a", "a\nb", "(nothing)", "b"},
		{"a\nb", "a", "b", "(nothing)"},
	} {
		was, is, differs := firstDifference(row.want, row.got)
		if was != row.was || is != row.is || differs != (row.want != row.got) {
			t.Errorf("%q and %q: %q, %q, %v", row.want, row.got, was, is, differs)
		}
	}
}
