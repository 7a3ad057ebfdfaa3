package main

import (
	"fmt"
	"strings"
)

// A Step is one thing that happens. With the states before and after it, it can be told in words.
type Step struct {
	verb  verb
	node  int     // who does it
	term  int     // of the leader it concerns
	nodes nodeSet // who votes or answers
	kind  kind    // of the entry
	paths paths   // of the read
}

type verb uint8

const (
	wins verb = iota
	hears
	proposes
	stores
	commits
	applies
	fillsMap
	restarts
	confirms
	hearsAnswers
	asks
	isCounted
	receives
	clears
	movesE
	looks
	fences
	joins
	views
	viewsAtOnce
	answers
	passes
)

// A Scene is a step and the states before and after it.
type Scene struct {
	Step          Step
	Before, After State
}

// String tells what happens.
func (s Scene) String() string {
	step := s.Step
	if step.verb == passes {
		return passing(step.node)
	}
	who := fmt.Sprintf("n%d ", step.node)
	switch step.verb {
	case proposes, commits, movesE, isCounted:
		return s.leading()
	case looks, fences, joins, views, viewsAtOnce, answers:
		return who + s.reading()
	case confirms, hearsAnswers, asks, receives, clears:
		return who + s.leasing()
	}
	return who + s.following()
}

func passing(slow int) string {
	if slow == noSlowClock {
		return "a tick passes"
	}
	return fmt.Sprintf("a tick passes that the clock of n%d does not count", slow)
}

// leader names the leader of the step's term.
func (s Scene) leader() string {
	return fmt.Sprintf("n%d, leader of term %d", s.Before.leaders[s.Step.term].node, s.Step.term)
}

func (s Scene) leading() string {
	switch s.Step.verb {
	case proposes:
		return fmt.Sprintf("%s, puts %s into the log", s.leader(), s.Step.kind)
	case commits:
		return fmt.Sprintf("%s, commits up to %d", s.leader(), s.After.chosen.len)
	case isCounted:
		return fmt.Sprintf("%s, counts the lease of n%d", s.leader(), s.Step.node)
	}
	return fmt.Sprintf("%s, moves E to %d and acknowledges", s.leader(), s.After.leaders[s.Step.term].e)
}

func (s Scene) following() string {
	n := &s.After.nodes[s.Step.node]
	switch s.Step.verb {
	case wins:
		return fmt.Sprintf("is elected in term %d by %s", s.Step.term, s.Step.nodes)
	case hears:
		return fmt.Sprintf("hears of term %d", s.Step.term)
	case stores:
		return fmt.Sprintf("stores entry %d of term %d", n.log.len, n.log.lastTerm())
	case applies:
		return fmt.Sprintf("applies %d", n.applied)
	case fillsMap:
		return fmt.Sprintf("puts %d into its map of recent changes", n.applied)
	}
	return fmt.Sprintf("crashes and comes back with its state at %d", n.applied)
}

func (s Scene) leasing() string {
	before, after := &s.Before.nodes[s.Step.node], &s.After.nodes[s.Step.node]
	switch s.Step.verb {
	case confirms:
		return fmt.Sprintf("confirms its term %d: %s answer", s.Step.term, s.Step.nodes)
	case hearsAnswers:
		return "hears the answers, and counts its own lease from here"
	case asks:
		return fmt.Sprintf("has applied %d and is granted a lease by %s", before.applied, s.leader())
	case receives:
		return fmt.Sprintf("receives its lease, %d left", after.lease)
	}
	return "has its timer clear the flag"
}

func (s Scene) reading() string {
	begins := fmt.Sprintf("begins to read %s, must not miss %d, ", s.Step.paths, s.Before.shown)
	node := &s.Before.nodes[s.Step.node]
	switch s.Step.verb {
	case looks:
		return begins + "and has a lease"
	case fences:
		return begins + fmt.Sprintf("and is fenced at %d by %s", s.Before.leaderNode(s.Step.term).applied, s.leader())
	case joins:
		return begins + fmt.Sprintf("and joins the fence at %d, which was sent before", s.Before.leaders[s.Step.term].last-1)
	case viewsAtOnce:
		return begins + fmt.Sprintf("and takes its view at %d", node.applied)
	case views:
		return fmt.Sprintf("takes its view at %d", node.applied)
	}
	return fmt.Sprintf("answers with %s%s", node.read.shows(), s.After.verdict)
}

// shows is what an answer shows.
func (r *read) shows() string {
	var parts []string
	for _, p := range []paths{x, y} {
		if r.paths&p != 0 {
			parts = append(parts, fmt.Sprintf("%s as of %d", p, r.view[p-x]))
		}
	}
	return strings.Join(parts, " and ")
}

func (k kind) String() string {
	return [...]string{
		opening: "the opening of the term", putX: "a write of x", putY: "a write of y", dropY: "the deletion of y",
		join: "the addition of a node", joinAsVoter: "the addition of a voter", leave: "the removal of a node",
	}[k]
}

func (p paths) String() string { return [...]string{0: "nothing", x: "x", y: "y", both: "x and y"}[p] }

// String says what is wrong.
func (v verdict) String() string {
	return [...]string{
		right: "",
		stale: ": WRONG, this misses what was acknowledged or shown before the read began",
		torn:  ": WRONG, there was no such state",
		late:  ": WRONG, what this misses was acknowledged more than a lease ago",
	}[v]
}

// String lists a set's nodes.
func (n nodeSet) String() string {
	var names []string
	for i := range maxNodes {
		if n.has(i) {
			names = append(names, fmt.Sprintf("n%d", i))
		}
	}
	return strings.Join(names, " and ")
}
