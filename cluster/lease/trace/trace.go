// Package trace records what happened to the lease nodes of a running cluster, and replays it
// through package lease: whatever a member holds, grants or shows must follow from what it was
// told, and from nothing else. So the members of a cluster do what the model checker has checked.
package trace

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"keyquorum/cluster/lease"
)

// A Log is what happened to the nodes of a cluster, each process for itself, in order. The zero Log
// is empty. It may be written to by many.
type Log struct {
	mu        sync.Mutex
	processes []*process
}

// A process is one life of a node.
type process struct {
	mu    sync.Mutex
	node  *lease.Node
	first lease.Node // as it was
	steps []step
}

// A step is one call, what it gave back, and what the node was afterwards.
type step struct {
	verb   string
	do     func(lease.Steps) any
	result any
	after  summary
}

// A summary is what others can see of a node.
type summary struct {
	E      uint64
	Tenure lease.Tenure
	Epoch  uint64
	Term   uint64 // of its table
	Leases int    // in its books
}

func summarize(n *lease.Node) summary {
	return summary{n.E, n.Tenure, n.Epoch, n.Table.Term, len(n.Table.Leases)}
}

// Watch begins to keep what happens to a node. It is to be used as the node's Steps, by one caller
// at a time, as the node itself.
func (l *Log) Watch(n *lease.Node) lease.Steps {
	p := &process{node: n}
	n.CopyTo(&p.first)
	l.mu.Lock()
	l.processes = append(l.processes, p)
	l.mu.Unlock()
	return p
}

// Replay plays everything through the core again. The error says where a node became another one
// than it was. steps is how many there were.
func (l *Log) Replay() (steps int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.processes {
		n, err := p.replay()
		if steps += n; err != nil {
			return steps, err
		}
	}
	return steps, nil
}

func (p *process) replay() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var again lease.Node
	p.first.CopyTo(&again)
	e := again.E
	for i, s := range p.steps {
		result := s.do(&again)
		after := summarize(&again)
		switch {
		case !reflect.DeepEqual(result, s.result):
			return i, fmt.Errorf("node %s, step %d, %s: %+v, and once more %+v",
				again.ID, i, s.verb, s.result, result)
		case after != s.after:
			return i, fmt.Errorf("node %s after step %d, %s: %+v, and once more %+v",
				again.ID, i, s.verb, s.after, after)
		case again.E < e:
			return i, fmt.Errorf("node %s, step %d, %s: E falls from %d to %d",
				again.ID, i, s.verb, e, again.E)
		}
		e = again.E
	}
	return len(p.steps), nil
}

// note does a step and keeps it.
func (p *process) note(verb string, do func(lease.Steps) any) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	result := do(p.node)
	p.steps = append(p.steps, step{verb, do, result, summarize(p.node)})
	return result
}

func (p *process) Ask(r lease.Reading, serves bool, trip time.Duration) lease.CheckIn {
	return p.note("asks", func(n lease.Steps) any { return n.Ask(r, serves, trip) }).(lease.CheckIn)
}

func (p *process) Take(
	asked, r lease.Reading, serves bool, c lease.CheckIn, a lease.Answer,
) (leased bool) {
	return p.note("takes", func(n lease.Steps) any { return n.Take(asked, r, serves, c, a) }).(bool)
}

func (p *process) GiveBack() {
	p.note("gives back", func(n lease.Steps) any { n.GiveBack(); return nil })
}

func (p *process) NoteCompared() {
	p.note("is compared", func(n lease.Steps) any { n.NoteCompared(); return nil })
}

func (p *process) NoteDiffers() {
	p.note("differs", func(n lease.Steps) any { n.NoteDiffers(); return nil })
}

func (p *process) Settled(index uint64, changed bool) {
	p.note("settles", func(n lease.Steps) any { n.Settled(index, changed); return nil })
}

func (p *process) Elected(r lease.Reading, members []lease.Server) {
	p.note("is elected", func(n lease.Steps) any { n.Elected(r, members); return nil })
}

func (p *process) Opened(r lease.Reading) {
	p.note("opens", func(n lease.Steps) any { n.Opened(r); return nil })
}

func (p *process) Hear(r lease.Reading, from string, c lease.CheckIn) bool {
	return p.note("hears", func(n lease.Steps) any { return n.Hear(r, from, c) }).(bool)
}

// A granted is what Grant gives back.
type granted struct {
	answer  lease.Answer
	verdict lease.Verdict
}

func (p *process) Grant(
	r lease.Reading, from string, c lease.CheckIn, servers []lease.Server, member bool,
) (lease.Answer, lease.Verdict) {
	g := p.note("grants", func(n lease.Steps) any {
		answer, verdict := n.Grant(r, from, c, servers, member)
		return granted{answer, verdict}
	}).(granted)
	return g.answer, g.verdict
}

func (p *process) MoveE(r lease.Reading) {
	p.note("moves E", func(n lease.Steps) any { n.MoveE(r); return nil })
}

func (p *process) MayChange(r lease.Reading, kind lease.Change, node string) bool {
	return p.note("may change", func(n lease.Steps) any { return n.MayChange(r, kind, node) }).(bool)
}

func (p *process) VotersChange(r lease.Reading) {
	p.note("changes voters", func(n lease.Steps) any { n.VotersChange(r); return nil })
}
