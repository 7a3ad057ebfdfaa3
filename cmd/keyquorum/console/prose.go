package console

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Tell writes sentences for people, with the commands in them as the program was called. On a
// terminal they are broken between words, elsewhere they stay as they are.
func Tell(c *cobra.Command, w io.Writer, format string, args ...any) {
	text := asCalled(c, fmt.Sprintf(format, args...))
	if columns := Width(w); columns > 0 {
		text = wrapped(text, columns)
	}
	fmt.Fprintln(w, text)
}

// asCalled has the commands of this program that a text names begin as the program was called, so
// that they can be typed: bin/keyquorum vault list for keyquorum vault list.
func asCalled(c *cobra.Command, text string) string {
	root := c.Root()
	if root.DisplayName() == root.Name() {
		return text
	}
	var names []string
	for _, child := range root.Commands() {
		names = append(names, regexp.QuoteMeta(child.Name()))
	}
	typed := regexp.MustCompile(
		`(^|[^\w/.-])` + regexp.QuoteMeta(root.Name()) + ` (` + strings.Join(names, "|") + `)\b`)
	called := strings.ReplaceAll(root.DisplayName(), "$", "$$")
	return typed.ReplaceAllString(text, "${1}"+called+" ${2}")
}

// flowing makes a line of each paragraph. What is indented, as an example is, stays as it is.
func flowing(text string) string {
	lines := strings.Split(text, "\n")
	out := lines[:1]
	for _, line := range lines[1:] {
		last := &out[len(out)-1]
		if *last == "" || line == "" || strings.HasPrefix(*last, " ") || strings.HasPrefix(line, " ") {
			out = append(out, line)
			continue
		}
		*last += " " + line
	}
	return strings.Join(out, "\n")
}

// cells are a line's indentation and what stands in columns, up to the last of them.
var cells = regexp.MustCompile(`^ *(\S+( \S+)*   ? *)?`)

// wrapped breaks lines that are too long between words. They go on below the column that they end
// in.
func wrapped(text string, columns int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indent := strings.Repeat(" ", utf8.RuneCountInString(cells.FindString(line)))
		for utf8.RuneCountInString(line) > columns {
			at := spaceToBreakAt(line, len(indent), columns)
			if at < 0 {
				break // one long word
			}
			out.WriteString(line[:at] + "\n")
			line = indent + line[at+1:]
		}
		out.WriteString(line + "\n")
	}
	return strings.TrimRight(out.String(), "\n")
}

// spaceToBreakAt is the last space of a line that has at most so many columns before it, or the
// first one after a word that is longer than that; -1 where there is none.
func spaceToBreakAt(line string, indent, columns int) int {
	at, column := -1, 0
	for i, r := range line {
		if column > columns && at >= 0 {
			break
		}
		if r == ' ' && column > indent {
			at = i
		}
		column++
	}
	return at
}
