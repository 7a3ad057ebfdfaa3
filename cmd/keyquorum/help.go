package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpColumns is how wide help is at most: a terminal's usual width.
const helpColumns = 80

// wrapHelp has a command and all that it holds explain themselves within a terminal's width.
func wrapHelp(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		about := flowing(strings.TrimSpace(cmp.Or(c.Long, c.Short)))
		fmt.Fprintln(c.OutOrStdout(), wrapped(about+"\n\n"+c.UsageString()))
	})
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

// columns are a line's indentation and what stands in columns, up to the last of them.
var columns = regexp.MustCompile(`^ *(\S+( \S+)*   ? *)?`)

// wrapped breaks lines that are too long between words. They go on below the column that they end
// in.
func wrapped(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indent := strings.Repeat(" ", utf8.RuneCountInString(columns.FindString(line)))
		for utf8.RuneCountInString(line) > helpColumns {
			at := strings.LastIndex(line[:helpColumns+1], " ")
			if at <= len(indent) {
				break // one long word
			}
			out.WriteString(line[:at] + "\n")
			line = indent + line[at+1:]
		}
		out.WriteString(line + "\n")
	}
	return strings.TrimRight(out.String(), "\n")
}
