package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"keyquorum/internal/statespace"
)

func main() {
	only := flag.String("run", "", "regular expression that a run's world, or the rule it does without, must match")
	flag.Parse()
	if err := check(os.Stdout, os.Stderr, *only); err != nil {
		fmt.Fprintln(os.Stderr, "leasemodel:", err)
		os.Exit(1)
	}
}

// check makes the runs, tells each schedule it finds and ends with two tables. The error says how many runs came out
// otherwise than they must.
func check(w, progress io.Writer, only string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	runs := slices.DeleteFunc(slices.Concat(intact(), broken()), func(r run) bool {
		return !match.MatchString(r.world + r.without)
	})
	if len(runs) == 0 {
		fmt.Fprintf(w, "leasemodel has no run that matches %q\n", only)
	}
	whole := statespace.Table{{"world", "states", "deepest", "result"}}
	without := statespace.Table{{"rule taken out", "what it says", "states", "shortest way to a wrong answer"}}
	wrong := 0
	for _, r := range runs {
		found := r.report(w, progress)
		if r.without == "" {
			whole.Row(r.world, statespace.Thousands(found.States), fmt.Sprint(found.Depth), found.String())
		} else {
			without.Row(r.without, says(r.without), statespace.Thousands(found.States), found.String())
		}
		if !r.asItMust(found) {
			wrong++
		}
	}
	whole.Print(w)
	without.Print(w)
	if wrong > 0 {
		return fmt.Errorf("%d of %d runs came out otherwise than they must", wrong, len(runs))
	}
	return nil
}

// report makes one run, shows how far it is, and tells what it found.
func (r run) report(w, progress io.Writer) Result {
	name := r.world
	if r.without != "" {
		name = "without " + r.without
	}
	begun := time.Now()
	last := begun
	found := r.search(func(states, depth int) {
		if time.Since(last) > 10*time.Second {
			fmt.Fprintf(progress, "  %s: %s states, %d steps deep\n", name, statespace.Thousands(states), depth)
			last = time.Now()
		}
	})
	fmt.Fprintf(w, "%s: %s states in %.1f s: %s\n", name, statespace.Thousands(found.States), time.Since(begun).Seconds(), found)
	for i, scene := range found.Schedule {
		fmt.Fprintf(w, "%6d  %s\n", i+1, scene)
	}
	return found
}
