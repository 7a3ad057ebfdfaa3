package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"keyquorum/internal/leasemodel"
	"keyquorum/internal/leasemodel/rules"
	"keyquorum/internal/statespace"
)

// A search is one world with all rules, or one rule that is taken out.
type search struct {
	name  string
	rule  rules.Rule // none: with all rules in force
	about int        // thousands of states
	make  func() (leasemodel.Result, error)

	done  chan struct{} // closed when what follows is known
	found leasemodel.Result
	took  time.Duration
	err   error
}

func whole(world leasemodel.World, progress io.Writer) search {
	return search{name: world.Name, about: world.About, done: make(chan struct{}),
		make: func() (leasemodel.Result, error) {
			last := time.Now()
			return leasemodel.New(world.Setup).Search(leasemodel.Limit, func(states, depth int) {
				if time.Since(last) > 10*time.Second {
					fmt.Fprintf(progress, "  %s: %s states, %d steps deep\n",
						world.Name, statespace.Thousands(states), depth)
					last = time.Now()
				}
			}), nil
		}}
}

func without(ctx context.Context, r rules.Rule) search {
	return search{name: "without " + r.Name, rule: r, done: make(chan struct{}),
		make: func() (leasemodel.Result, error) {
			dir, err := os.MkdirTemp("", "leasemodel")
			if err != nil {
				return leasemodel.Result{}, err
			}
			defer os.RemoveAll(dir)
			return r.Find(ctx, dir)
		}}
}

// atOnce is how many searches are made at a time: the largest two need five gigabytes.
const atOnce = 2

// inOrder makes the searches, the largest first, and calls tell with each in the order of the list.
func inOrder(searches []search, tell func(*search)) {
	var queue []*search
	for i := range searches {
		queue = append(queue, &searches[i])
	}
	slices.SortStableFunc(queue, func(a, b *search) int { return b.about - a.about })
	next := make(chan *search)
	for range atOnce {
		go func() {
			for s := range next {
				begun := time.Now()
				s.found, s.err = s.make()
				s.took = time.Since(begun)
				close(s.done)
			}
		}()
	}
	go func() {
		defer close(next)
		for _, s := range queue {
			next <- s
		}
	}()
	for i := range searches {
		<-searches[i].done
		tell(&searches[i])
	}
}

// tell tells what a search found, one step a line.
func (s *search) tell(w io.Writer) {
	if s.err != nil {
		fmt.Fprintf(w, "%s: %v\n", s.name, s.err)
		return
	}
	states := statespace.Thousands(s.found.States)
	fmt.Fprintf(w, "%s: %s states in %.1f s: %s\n", s.name, states, s.took.Seconds(), s.found)
	for i, line := range s.found.Schedule {
		fmt.Fprintf(w, "%6d  %s\n", i+1, line)
	}
}

// asItMust says whether a search came to what it must.
func (s *search) asItMust() bool {
	return s.err == nil && len(s.found.Schedule) == s.rule.Steps &&
		s.found.Complete == (s.rule.Steps == 0)
}
