// Command mutants tests the tests: it seeds one bug at a time into the product and says whether the
// test that must find it does.
//
// A bug is a few edits of source text (package overlay), so the product itself has no switch for
// any of them. Each stands in a table of docs/reliability.md with the test that finds it, and in
// found.txt with the revision in which it was last found.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"text/tabwriter"
	"time"
)

func main() {
	only := flag.String("run", "",
		"regular expression that the names of the bugs, or their tests, must match")
	keep := flag.Bool("record", false, "note in "+foundFile+" in which revision a bug was found")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *only, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run seeds the bugs and prints a row for each. The error says how many were not found.
func run(ctx context.Context, w io.Writer, only string, keep bool) error {
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	tested := ""
	if keep {
		if tested, err = revision(); err != nil {
			return err
		}
	}
	if err := soundTests(ctx, w, chosen); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nseeded bugs:")
	missed := 0
	for _, m := range chosen {
		begun := time.Now()
		f, err := m.hunt(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if !f.found {
			missed++
		} else if keep {
			if err := record(m.name, tested); err != nil {
				return err
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%v\t%s\n", m.name, f, m.test,
			time.Since(begun).Round(time.Second/10), f.says)
		table.Flush()
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d seeded bugs were not found", missed, len(chosen))
	}
	fmt.Fprintf(w, "all %d seeded bugs were found\n", len(chosen))
	return nil
}

func choose(only string) (chosen []mutant, err error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	for _, m := range everyMutant() {
		if pattern.MatchString(m.name) || pattern.MatchString(m.test) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no seeded bug is called like %q", only)
	}
	return chosen, nil
}

// soundTests runs each test without a bug first: one that fails anyway finds nothing.
func soundTests(ctx context.Context, w io.Writer, chosen []mutant) error {
	done := map[string]bool{}
	for _, m := range chosen {
		if done[m.test] {
			continue
		}
		done[m.test] = true
		begun := time.Now()
		f, err := mutant{test: m.test}.hunt(ctx)
		if err != nil {
			return err
		}
		if f.found {
			return fmt.Errorf("%s fails without any seeded bug: %s", m.test, f.says)
		}
		fmt.Fprintf(w, "passes without a bug, in %v: %s\n", time.Since(begun).Round(time.Second/10),
			m.test)
	}
	return nil
}
