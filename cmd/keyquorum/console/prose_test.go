package console

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Long lines go on below the column that they end in.
func TestWrapped(t *testing.T) {
	for text, want := range map[string][2]int{ // how many lines, and how far the second is indented
		"  list       " + strings.Repeat("word ", 20):   {2, 13},
		strings.Repeat("ä ", 60):                        {2, 0},
		"  " + strings.Repeat("x", 100) + " and so on":  {2, 2},
		strings.Repeat("word ", 15) + "word":            {1, 0},
		"keyquorum: " + strings.Repeat("sentence. ", 9): {2, 0},
	} {
		lines := strings.Split(wrapped(text, 80), "\n")
		indent := 0
		if len(lines) > 1 {
			indent = len(lines[1]) - len(strings.TrimLeft(lines[1], " "))
		}
		if len(lines) != want[0] || indent != want[1] {
			t.Errorf("%q becomes %q", text, lines)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 80 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%d columns: %q", utf8.RuneCountInString(line), line)
			}
		}
		words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		if words(text) != words(wrapped(text, 80)) {
			t.Errorf("%q loses words", text)
		}
	}
	if got := flowing("one\ntwo\n\n  example\nthree"); got != "one two\n\n  example\nthree" {
		t.Errorf("%q", got)
	}
}

// What is to be typed begins as whoever reads it has called the program.
func TestAsCalled(t *testing.T) {
	root := &cobra.Command{Use: "keyquorum",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "bin/keyquorum"}}
	root.AddCommand(&cobra.Command{Use: "status"}, &cobra.Command{Use: "login"})
	for text, want := range map[string]string{
		"keyquorum status; keyquorum login": "bin/keyquorum status; bin/keyquorum login",
		"see `keyquorum status` (keyquorum login)": "see `bin/keyquorum status` " +
			"(bin/keyquorum login)",
		"keyquorum: no":             "keyquorum: no",
		"bin/keyquorum status":      "bin/keyquorum status",
		"my-keyquorum status":       "my-keyquorum status",
		"keyquorum statuses":        "keyquorum statuses",
		"a login by keyquorum":      "a login by keyquorum",
		"  keyquorum login --vault": "  bin/keyquorum login --vault",
	} {
		if got := asCalled(root, text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
