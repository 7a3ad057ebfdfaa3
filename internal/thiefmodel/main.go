package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"keyquorum/internal/statespace"
)

func main() {
	only := flag.String("run", "",
		"regular expression that a run's world, or the rules it lacks, must match")
	flag.Parse()
	if err := check(os.Stdout, os.Stderr, *only); err != nil {
		fmt.Fprintln(os.Stderr, "thiefmodel:", err)
		os.Exit(1)
	}
}

// check makes the runs, tells each way that it finds and ends with tables. The error says how many
// runs came out otherwise than they must.
func check(w, progress io.Writer, only string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	tables := [...]statespace.Table{
		{{"world", "states", "deepest", "result"}},
		{{"rule taken out", "what it says", "states", "shortest way to something wrong"}},
		{{"rules taken out", "what they say", "states", "shortest way to something wrong"}},
	}
	wrong, made := 0, 0
	for _, r := range slices.Concat(intact(), broken(), held(), open()) {
		if !match.MatchString(r.name()) {
			continue
		}
		found := r.report(w, progress)
		made++
		if found.String() != r.finds {
			wrong++
		}
		tables[r.table()].Row(r.row(found)...)
	}
	for _, t := range tables {
		t.Print(w)
	}
	if made == 0 {
		fmt.Fprintf(w, "thiefmodel has no run that matches %q\n", only)
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d runs came out otherwise than they must", wrong, made)
	}
	return nil
}

// report makes one run, shows how far it is, and tells what it found.
func (r run) report(w, progress io.Writer) Result {
	begun := time.Now()
	last := begun
	found := r.search(func(states, depth int) {
		if time.Since(last) > 10*time.Second {
			seen := statespace.Thousands(states)
			fmt.Fprintf(progress, "  %s: %s states, %d steps deep\n", r.name(), seen, depth)
			last = time.Now()
		}
	})
	seen, took := statespace.Thousands(found.States), time.Since(begun).Seconds()
	fmt.Fprintf(w, "%s: %s states in %.1f s: %s\n", r.name(), seen, took, found)
	fmt.Fprint(w, told(found))
	return found
}

// told is the way that a search has found, one step a line.
func told(r Result) string {
	var b strings.Builder
	for i, line := range r.Way {
		fmt.Fprintf(&b, "%6d  %s\n", i+1, line)
	}
	return b.String()
}

// table is the number of a run's table.
func (r run) table() int {
	switch {
	case r.held:
		return 2
	case len(r.without) > 0:
		return 1
	}
	return 0
}

// row is a run's row in its table.
func (r run) row(found Result) []string {
	states := statespace.Thousands(found.States)
	if len(r.without) == 0 {
		return []string{r.world, states, fmt.Sprint(found.Depth), found.String()}
	}
	var says []string
	for _, rule := range r.without {
		says = append(says, statespace.Says[Rules](rule))
	}
	return []string{strings.Join(r.without, ", "), strings.Join(says, "; "), states, found.String()}
}
