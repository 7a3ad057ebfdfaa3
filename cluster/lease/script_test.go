package lease_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"keyquorum/cluster/lease"
)

// A script plays members against one another, a statement a line, and says what comes of each.
// Times are true times since the script began; each member's clock has run for a minute then. Blank
// lines and those that begin with # say nothing. sentences_test.go has all that can be said.

// A world is the members of a script, and what lies between them.
type world struct {
	now       time.Duration
	members   map[string]*member
	latest    []lease.Server // the leader's latest configuration
	committed []string
	checkIns  map[string]*checkIn
	reads     map[string]*read
	fences    map[string]*lease.Fence
	openings  map[string]lease.Opening
	rounds    lease.Rounds
}

type member struct {
	lease.Node
	term, applied uint64
	opened        uint64 // the term that it has opened last
	sealed        bool
	percent       time.Duration // of true time, at which its clock runs
	since         time.Duration // when it began to
	clock         time.Duration // its clock then
}

type checkIn struct {
	from, to *member
	asked    lease.Reading
	call     lease.CheckIn
	heard    bool
	answer   lease.Answer
	verdict  lease.Verdict
}

type read struct {
	lease.Read
	at *member
}

func newWorld() *world {
	return &world{members: map[string]*member{}, checkIns: map[string]*checkIn{},
		reads: map[string]*read{}, fences: map[string]*lease.Fence{},
		openings: map[string]lease.Opening{}}
}

func (w *world) clock(m *member) time.Duration {
	return m.clock + (w.now-m.since)*m.percent/100
}

func (w *world) reading(m *member) lease.Reading {
	return lease.Reading{Now: w.clock(m), Applied: m.applied, Term: m.term}
}

func (w *world) add(id string, voter bool) {
	m := &member{percent: 100, clock: time.Minute}
	limits := lease.Standard
	m.Node = lease.New(&limits, id, 1, lease.Reading{})
	m.NoteCompared()
	w.members[id] = m
	w.latest = append(w.latest, lease.Server{ID: id, Voter: voter})
	w.committed = append(w.committed, id)
}

func (w *world) ask(from, to *member) *checkIn {
	asked := w.reading(from)
	return &checkIn{from: from, to: to, asked: asked, call: from.Ask(asked, !from.sealed, 0)}
}

func (w *world) hear(c *checkIn) {
	c.heard = c.to.Hear(w.reading(c.to), c.from.ID, c.call)
}

func (w *world) answer(c *checkIn) {
	committed := false
	for _, id := range w.committed {
		committed = committed || id == c.from.ID
	}
	c.answer, c.verdict = c.to.Grant(w.reading(c.to), c.from.ID, c.call, w.latest, committed)
}

func (w *world) take(c *checkIn) {
	c.from.Take(c.asked, w.reading(c.from), !c.from.sealed, c.call, c.answer)
}

// exchange is a check-in that takes no time.
func (w *world) exchange(c *checkIn) string {
	if w.hear(c); c.heard {
		if w.answer(c); c.verdict != lease.NotLeader {
			w.take(c)
		}
	}
	return c.outcome()
}

func (c *checkIn) outcome() string {
	switch {
	case c.verdict == lease.Given:
		return "granted " + ms(c.answer.Grant)
	case c.verdict == lease.Refused:
		return "refused"
	case c.verdict == lease.NotAsked:
		return "not asked"
	}
	return "no answer"
}

func ms(d time.Duration) string { return fmt.Sprintf("%vms", float64(d)/float64(time.Millisecond)) }

// A sentence is a form of statements, and what one does. do returns what came of it, which must be
// the words in the group called want, if the sentence has one.
type sentence struct {
	form *regexp.Regexp
	do   func(w *world, a words) string
}

// words are what stands in the places of a sentence, want left out.
type words struct {
	world *world
	said  []string
}

func (a words) String(i int) string { return a.said[i] }

func (a words) number(i int) uint64 {
	n, err := strconv.ParseUint(a.said[i], 10, 63)
	if err != nil {
		panic(err)
	}
	return n
}

func (a words) duration(i int) time.Duration {
	return time.Duration(a.number(i)) * time.Millisecond
}

func (a words) member(i int) *member { return a.members(i)[0] }

func (a words) members(i int) (all []*member) {
	for _, id := range strings.Fields(a.said[i]) {
		m := a.world.members[id]
		if m == nil {
			panic("there is no member " + id)
		}
		all = append(all, m)
	}
	return all
}

var places = strings.NewReplacer(
	"NODES", `(n\d(?: n\d)*)`, "NODE", `(n\d)`, "NAME", `([a-z])`, "MS", `(\d+)ms`, "NUM", `(\d+)`,
	"WANT", `(?P<want>.+)`,
)

func say(form string, do func(w *world, a words) string) sentence {
	return sentence{regexp.MustCompile("^" + places.Replace(form) + "$"), do}
}

// play says what is wrong with a script, line by line.
func play(script string) (wrong []string) {
	w, outcomes := newWorld(), 0
	for i, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		want, got, err := w.step(line)
		if want != "" {
			outcomes++
		}
		switch {
		case err != nil:
			return append(wrong, fmt.Sprintf("line %d: %q: %v", i+1, line, err))
		case got != want:
			wrong = append(wrong, fmt.Sprintf("line %d: %q, but it is: %s", i+1, line, got))
		}
	}
	if outcomes == 0 {
		wrong = append(wrong, "it says nothing that could be wrong")
	}
	return wrong
}

// step does what a line says, and returns what should come of it and what does.
func (w *world) step(line string) (want, got string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	for _, s := range sentences {
		found := s.form.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		a := words{world: w}
		for i, name := range s.form.SubexpNames() {
			switch {
			case i == 0:
			case name == "want":
				want = found[i]
			default:
				a.said = append(a.said, found[i])
			}
		}
		return want, s.do(w, a), nil
	}
	return "", "", fmt.Errorf("nobody knows what that means")
}
