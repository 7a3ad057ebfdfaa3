package cluster

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

// Members say hello: at their start to all, once a second to one after the other, and for each of
// Raft's connections, at both of its ends: the connection is used when a hello that was said after
// it was opened has been accepted by the other side. So nothing of Raft's goes between two members
// before the one has told the other in which life it is, and that one has found nothing against it;
// and a machine that was rolled back, all of whose connections are dead, says hello before its next
// message. Elections wait for none of it: their connections are opened before (spares.go).

type hello struct {
	_       struct{} `cbor:",toarray"`
	Said    said
	Lives   lives
	Address string // of the asker's cluster port: who is asked must be able to say hello as well
}

type helloAnswer struct {
	_     struct{} `cbor:",toarray"`
	Word  string   // "" is yes; wordWait, or the deed that the asker is refused for
	Heard said     // the newest that was heard of the asker's node
	Rival said     // of a later life that wants to begin while the asker's goes on; zero for none
}

// wordWait: the life before is heard of yet. It may have ended a moment ago.
const wordWait = "wait"

const (
	// helloWait bounds a hello.
	helloWait = 2 * time.Second
	// waitAgain is how long a life waits that can't begin yet.
	waitAgain = 250 * time.Millisecond
	// aliveFor is how long a life counts as going on after the last byte on a connection that is
	// open. When a process ends, its kernel closes its connections, and nobody waits; when a
	// machine loses its power nobody does. Silent ones are asked every two seconds (pingAfter).
	aliveFor = 3 * time.Second
	// insists is for how long a life goes on saying hello that was refused before it is named: one
	// hello may come late, of a process that has ended.
	insists = time.Second
	// rivalFor is how long a life that waits is remembered.
	rivalFor = 10 * time.Second
)

// hears is this member as the one to whom hello is said.
type hears struct {
	mu    sync.RWMutex
	byID  map[string]*heardOf
	fresh bool // somebody has come farther than the folder knows
}

type heardOf struct {
	said  said // the newest of the life that counts
	begun time.Time
	rival said // of a life that waits for its end
	seen  time.Time

	refused lifeID // that was refused last
	since   time.Time
}

// speaks says whether a connection's life is the one that counts for its node. Who shows none is
// no program like this one; it gains nothing by it, for what Raft can't bear from a liar is refused
// elsewhere, and what it forgot is its own affair.
func (h *hears) speaks(peer speaker) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	known := h.byID[peer.Node]
	return peer.life.Count == 0 || known == nil || known.said.Life == peer.life
}

// serveHello is served to whoever has a certificate and was not removed: a member that was away may
// not know its leader yet.
func (c *Cluster) serveHello(ctx context.Context, from string, r hello) (helloAnswer, error) {
	if !r.wellFormed(speakerOf(ctx).life) {
		return helloAnswer{}, errBadCall
	}
	answer, begun := c.listen(from, r)
	if answer.Word != "" {
		return answer, nil
	}
	c.noteAddress(from, r.Address)
	if begun {
		if err := c.keepKnown(ctx); err != nil { // what is forgotten can't be held against a disk
			return helloAnswer{}, err
		}
		go c.port.cutOthers(from, r.Said.Life) // closing a connection may wait for its writer
	}
	return answer, nil
}

// wellFormed: its life is the newest of its lives, and the one that the connection shows.
func (r hello) wellFormed(shown lifeID) bool {
	return r.Lives.wellFormed() && r.Lives.now() == r.Said.Life &&
		(shown == lifeID{} || shown == r.Said.Life) && (r.Said.Out == "" || isDiskDeed(r.Said.Out))
}

// noteAddress keeps where a member says that it is, unless that is known.
func (c *Cluster) noteAddress(nodeID, address string) {
	_, _, err := net.SplitHostPort(address)
	if err != nil || len(address) > maxServerText || slices.Contains(c.addresses(nodeID), address) {
		return
	}
	c.moved.set(nodeID, address)
}

// listen judges a hello. begun: it is the first of a life that a member may begin.
func (c *Cluster) listen(from string, r hello) (answer helloAnswer, begun bool) {
	h := &c.hears
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.byID[from]
	switch {
	case known == nil && r.Said.Out == "":
		if !c.belongs(from) { // it may become a member: there is nothing to hold it against yet
			return helloAnswer{}, false
		}
		h.byID[from] = &heardOf{said: r.Said, begun: time.Now()}
		return helloAnswer{Heard: r.Said}, true
	case known == nil:
		known = &heardOf{}
	}
	switch word := c.objection(from, known, r); {
	case word == wordWait:
		return helloAnswer{Word: word, Heard: known.said}, false
	case word != "":
		c.nameLife(from, known, r, word)
		return helloAnswer{Word: word, Heard: known.said}, false
	case r.Said.Life == known.said.Life:
		return h.again(known, r.Said), false
	}
	known.said, known.begun = r.Said, time.Now()
	return helloAnswer{Heard: r.Said}, true
}

// objection is the word that is said to a hello, by what is known of the node; "" is yes.
func (c *Cluster) objection(from string, known *heardOf, r hello) string {
	same := r.Said.Life == known.said.Life
	alive := func() bool { return c.port.alive(from, known.said.Life, aliveFor) }
	switch why := r.Lives.against(known.said); {
	case r.Said.Out != "":
		return r.Said.Out
	case why != nil && !same && alive():
		return deedCopied.word
	case why != nil:
		return why.word
	case same:
		return ""
	case alive():
		known.rival, known.seen = r.Said, time.Now()
		return wordWait
	case time.Since(known.begun) < waitAgain: // each is written to disk
		return wordWait
	}
	return ""
}

// again takes another hello of the life that counts. Where its beat is no newer it came late, or
// the asker finds out by the answer.
func (h *hears) again(known *heardOf, s said) helloAnswer {
	if s.Beat > known.said.Beat {
		h.fresh = h.fresh || s.Applied > known.said.Applied || s.Term > known.said.Term
		known.said = s
	}
	answer := helloAnswer{Heard: known.said}
	if known.rival.Life.Count > s.Life.Count && time.Since(known.seen) < rivalFor {
		answer.Rival = known.rival
	}
	return answer
}

// nameLife names the asker's node when it says itself that it takes no part, or insists.
func (c *Cluster) nameLife(from string, known *heardOf, r hello, word string) {
	if known.refused != r.Said.Life {
		known.refused, known.since = r.Said.Life, time.Now()
	}
	if r.Said.Out != "" || time.Since(known.since) >= insists {
		c.accuse(from, diskDeed(word), "life", r.Said.Life.Count,
			"heard of", known.said.Life.Count, "which had applied", known.said.Applied)
	}
}
