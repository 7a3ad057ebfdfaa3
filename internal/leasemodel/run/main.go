// Command run searches every world of the lease model with all rules in force, and small ones with
// one rule taken out of the core at a time. docs/lease-model.md has what it prints.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"

	"keyquorum/internal/leasemodel"
	"keyquorum/internal/leasemodel/rules"
	"keyquorum/internal/statespace"
)

func main() {
	only := flag.String("run", "", "regular expression that a world, or a rule taken out, must match")
	flag.Parse()
	if err := check(context.Background(), os.Stdout, os.Stderr, *only); err != nil {
		fmt.Fprintln(os.Stderr, "leasemodel:", err)
		os.Exit(1)
	}
}

// check makes the searches, tells each schedule it finds and ends with two tables. The error says
// how many searches came out otherwise than they must.
func check(ctx context.Context, w, progress io.Writer, only string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var searches []search
	for _, world := range leasemodel.Worlds() {
		if match.MatchString(world.Name) {
			searches = append(searches, whole(world, progress))
		}
	}
	for _, r := range rules.All() {
		if match.MatchString(r.Name) {
			searches = append(searches, without(ctx, r))
		}
	}
	if len(searches) == 0 {
		fmt.Fprintf(w, "leasemodel has no world and no rule that matches %q\n", only)
	}
	worlds := statespace.Table{{"world", "states", "deepest", "result"}}
	taken := statespace.Table{
		{"rule taken out", "of", "what it says", "states", "shortest way to something wrong"},
	}
	wrong := 0
	inOrder(searches, func(s *search) {
		s.tell(w)
		states := statespace.Thousands(s.found.States)
		if s.rule.Name == "" {
			worlds.Row(s.name, states, fmt.Sprint(s.found.Depth), s.found.String())
		} else {
			taken.Row(s.rule.Name, s.rule.Of, s.rule.Says, states, s.found.String())
		}
		if !s.asItMust() {
			wrong++
		}
	})
	worlds.Print(w)
	taken.Print(w)
	if wrong > 0 {
		return fmt.Errorf("%d of %d searches came out otherwise than they must", wrong, len(searches))
	}
	return nil
}
