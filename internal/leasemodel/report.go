package main

import (
	"fmt"
	"io"
	"strings"
)

// String is the result in a few words.
func (r Result) String() string {
	switch {
	case r.Schedule != nil:
		return fmt.Sprintf("%d steps", len(r.Schedule))
	case r.Complete:
		return "complete, no wrong answer"
	}
	return "too large, none found so far"
}

// A table prints as Markdown. Its first row is the head.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t table) print(w io.Writer) {
	if len(t) == 1 {
		return
	}
	fmt.Fprintln(w)
	for i, cells := range t {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintln(w, "|"+strings.Repeat("---|", len(cells)))
		}
	}
}

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
