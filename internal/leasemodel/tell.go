package leasemodel

import (
	"fmt"
	"strings"
	"time"

	"keyquorum/cluster/lease"
)

// A Step is one thing that happens. With the states before and after it, it can be told in words.
type Step struct {
	verb   verb
	node   int     // who does it
	leader int     // whom it concerns
	nodes  NodeSet // who votes or answers
	kind   Kind    // of the entry
	paths  paths   // of the read
}

type verb uint8

const (
	wins verb = iota
	hears
	proposes
	asksLeave
	stores
	installs
	commits
	applies
	restarts
	compares
	confirms
	asks
	receives
	givesBack
	lies
	movesE
	begins
	fences
	joins
	views
	answers
	passes
)

// tell says what happens.
func (m *Model) tell(step Step, before, after *State) string {
	if step.verb == passes {
		return passing(step.node)
	}
	n, l := &after.nodes[step.node], &before.nodes[step.leader]
	node := ids[step.node]
	leader := fmt.Sprintf("%s, leader of term %d", ids[step.leader], l.core.Table.Term)
	switch step.verb {
	case wins:
		return fmt.Sprintf("%s is elected in term %d by %s", node, n.term, step.nodes)
	case hears:
		return fmt.Sprintf("%s hears of term %d", node, n.term)
	case proposes:
		return fmt.Sprintf("%s, puts %s into the log", leader, m.entry(step.kind))
	case asksLeave:
		return fmt.Sprintf("%s, wants %s, and has to wait", leader, m.entry(step.kind))
	case stores:
		return fmt.Sprintf("%s stores entry %d of term %d", node, n.log.len, n.log.lastTerm())
	case installs:
		return fmt.Sprintf("%s is sent the state of %s: it has applied %d", node, leader, n.applied)
	case commits:
		return fmt.Sprintf("%s, commits up to %d", leader, after.chosen.len)
	case applies:
		return fmt.Sprintf("%s applies %d", node, n.applied)
	case restarts:
		return fmt.Sprintf("%s crashes and comes back with its state at %d", node, n.applied)
	case compares:
		return fmt.Sprintf("%s compares its state with the leader's", node)
	}
	return m.tellLease(step, before, after, node, leader)
}

func passing(slow int) string {
	if slow == NoSlowClock {
		return "a tick passes"
	}
	return fmt.Sprintf("a tick passes that the clock of n%d does not count", slow)
}

func (m *Model) tellLease(step Step, before, after *State, node, leader string) string {
	was, n := &before.nodes[step.node], &after.nodes[step.node]
	switch step.verb {
	case confirms:
		return fmt.Sprintf("%s, hears from %s that they are in its term", leader, step.nodes)
	case asks:
		return fmt.Sprintf("%s has applied %d and is given a lease by %s", node, was.applied, leader)
	case receives:
		return fmt.Sprintf("%s receives its lease, %d left", node, ticksLeft(n))
	case givesBack:
		return fmt.Sprintf("%s gives its lease back", node)
	case lies:
		return fmt.Sprintf("%s lies to %s", node, leader)
	case movesE:
		e := after.nodes[step.leader].core.E
		return fmt.Sprintf("%s, moves E to %d and acknowledges", leader, e)
	}
	return m.tellRead(step, before, after, node, leader)
}

// ticksLeft of a node's lease.
func ticksLeft(n *node) time.Duration { return max(0, n.core.Lease.Until-n.now) / tick }

func (m *Model) tellRead(step Step, before, after *State, node, leader string) string {
	was, n := &before.nodes[step.node], &after.nodes[step.node]
	begins := fmt.Sprintf("%s begins to read %s, must not miss %d, ", node, step.paths, n.read.must)
	switch {
	case step.verb == fences:
		return begins + fmt.Sprintf("and is fenced at %d by %s", n.read.steps.Need, leader)
	case step.verb == joins:
		return begins + fmt.Sprintf("and joins the fence at %d, sent before", n.read.steps.Need)
	case step.verb == answers:
		return fmt.Sprintf("%s answers with %s%s", node, was.read.shows(), after.verdict)
	case step.verb == views && was.read.steps.Stage == lease.Looking:
		return fmt.Sprintf("%s looks, and has a lease", node)
	case step.verb == views:
		return fmt.Sprintf("%s takes its view at %d", node, n.applied)
	case n.read.steps.Stage != lease.Viewing:
		return begins + fmt.Sprintf("and takes its view at %d", n.applied)
	}
	return begins + "and has a lease"
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

// entry says what an entry does.
func (m *Model) entry(k Kind) string {
	if !k.configures() {
		return [...]string{opening: "the opening of the term", PutX: "a write of x",
			PutY: "a write of y", DropY: "the deletion of y"}[k]
	}
	c := m.Changes[k-changed]
	how := map[lease.Change]string{lease.Arrive: "the arrival of", lease.Depart: "the removal of",
		lease.Promote: "the arrival, as a voter, of", lease.Demote: "the loss of the vote of"}[c.How]
	return how + " " + ids[c.Node]
}

func (p paths) String() string {
	return [...]string{0: "nothing", x: "x", y: "y", both: "x and y"}[p]
}

// String says what is wrong.
func (v verdict) String() string {
	return [...]string{
		right:  "",
		stale:  ": WRONG, this misses what was acknowledged or shown before the read began",
		torn:   ": WRONG, there was no such state",
		late:   ": WRONG, what this misses was acknowledged more than a lease ago",
		rotten: ": WRONG, this is no state of the log's",
		stuck:  "WRONG, the group can't go on from here",
	}[v]
}
