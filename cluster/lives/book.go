package lives

import (
	"maps"
	"slices"
	"time"
)

const (
	// WaitAgain is how long a life waits that can't begin yet.
	WaitAgain = 250 * time.Millisecond
	// aliveFor is how long a life counts as going on after the last byte on a connection that is
	// open. When a process ends, its kernel closes its connections, and nobody waits; when a
	// machine loses its power nobody does. Silent ones are asked every two seconds.
	aliveFor = 3 * time.Second
	// insists is for how long a life goes on saying hello that was refused before it is named: one
	// hello may come late, of a process that has ended.
	insists = time.Second
	// rivalFor is how long a life that waits is remembered.
	rivalFor = 10 * time.Second
)

// A Book has the newest hello of each node, by which the next is judged.
type Book struct {
	belongs func(node string) bool
	alive   func(node string, life ID, within time.Duration) bool
	byNode  map[string]*entry
	fresh   bool // somebody has come farther than was kept
}

type entry struct {
	said  Said // the newest of the life that counts
	begun time.Time
	rival Said // of a life that waits for its end
	seen  time.Time

	refused ID // that was refused last
	since   time.Time
}

// A Heard is what a folder keeps of one node.
type Heard struct {
	_    struct{} `cbor:",toarray"`
	Node string
	Said Said
}

// NewBook begins with what was kept. belongs says whether a node is a member; alive, whether it was
// heard within a time, over a connection that it opened in a life and that is open.
func NewBook(
	kept []Heard, belongs func(node string) bool,
	alive func(node string, life ID, within time.Duration) bool,
) Book {
	b := Book{belongs: belongs, alive: alive, byNode: map[string]*entry{}}
	for _, h := range kept {
		b.byNode[h.Node] = &entry{said: h.Said}
	}
	return b
}

// Fresh says whether Keep would return more than it did.
func (b *Book) Fresh() bool { return b.fresh }

// Keep is what a folder is to keep, of those nodes that are wanted.
func (b *Book) Keep(wanted func(node string) bool) (list []Heard) {
	b.fresh = false
	for _, node := range slices.Sorted(maps.Keys(b.byNode)) {
		if wanted(node) {
			list = append(list, Heard{Node: node, Said: b.byNode[node].said})
		}
	}
	return list
}

// Knows says whether a node has said hello, or had when the book was kept.
func (b *Book) Knows(node string) bool { return b.byNode[node] != nil }

// Speaks says whether a connection's life is the one that counts for its node. Who shows none is
// no program like this one; it gains nothing by it, for what Raft can't bear from a liar is refused
// elsewhere, and what it forgot is its own affair.
func (b *Book) Speaks(node string, life ID) bool {
	known := b.byNode[node]
	return life.Count == 0 || known == nil || known.said.Life == life
}

// A Judgement is what becomes of a hello.
type Judgement struct {
	Answer Answer
	// Begun: it is the first of a life that may begin. What the book keeps must be on disk before
	// the answer.
	Begun bool
	// Named: the node says itself that it takes no part, or insists after it was refused, and is to
	// be named for the answer's word.
	Named bool
}

// Listen judges a well-formed hello of a node.
func (b *Book) Listen(from string, h Hello, now time.Time) Judgement {
	known := b.byNode[from]
	switch {
	case known == nil && h.Said.Out == "":
		if !b.belongs(from) { // it may become a member: there is nothing to hold it against yet
			return Judgement{}
		}
		b.byNode[from] = &entry{said: h.Said, begun: now}
		return Judgement{Answer: Answer{Heard: h.Said}, Begun: true}
	case known == nil:
		known = &entry{}
	}
	switch word := b.objection(from, known, h, now); {
	case word == Wait:
		return Judgement{Answer: Answer{Word: word, Heard: known.said}}
	case word != "":
		named := known.insists(h.Said, now)
		return Judgement{Answer: Answer{Word: word, Heard: known.said}, Named: named}
	case h.Said.Life == known.said.Life:
		return Judgement{Answer: b.again(known, h.Said, now)}
	}
	known.said, known.begun = h.Said, now
	return Judgement{Answer: Answer{Heard: h.Said}, Begun: true}
}

// objection is the word that is said to a hello, by what is known of the node; "" is yes.
func (b *Book) objection(from string, known *entry, h Hello, now time.Time) Word {
	same := h.Said.Life == known.said.Life
	alive := func() bool { return b.alive(from, known.said.Life, aliveFor) }
	switch why := h.Lives.Against(known.said); {
	case h.Said.Out != "":
		return h.Said.Out
	case why != "" && !same && alive():
		return Copied
	case why != "":
		return why
	case same:
		return ""
	case alive():
		known.rival, known.seen = h.Said, now
		return Wait
	case now.Sub(known.begun) < WaitAgain: // each is written to disk
		return Wait
	}
	return ""
}

// again takes another hello of the life that counts. Where its beat is no newer it came late, or
// the asker finds out by the answer.
func (b *Book) again(known *entry, s Said, now time.Time) Answer {
	if s.Beat > known.said.Beat {
		b.fresh = b.fresh || s.Applied > known.said.Applied || s.Term > known.said.Term
		known.said = s
	}
	answer := Answer{Heard: known.said}
	if known.rival.Life.Count > s.Life.Count && now.Sub(known.seen) < rivalFor {
		answer.Rival = known.rival
	}
	return answer
}

// insists notes that a life was refused.
func (e *entry) insists(s Said, now time.Time) bool {
	if e.refused != s.Life {
		e.refused, e.since = s.Life, now
	}
	return s.Out != "" || now.Sub(e.since) >= insists
}
