package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
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
	// open. When a process ends, its kernel closes its connections, and nobody waits; when a machine
	// loses its power nobody does. Silent connections are asked every two seconds (pingAfter).
	aliveFor = 3 * time.Second
	// insists is for how long a life goes on saying hello that was refused before it is named: one
	// hello may come late, of a process that has ended.
	insists = time.Second
	// rivalFor is how long a life that waits is remembered.
	rivalFor = 10 * time.Second
)

var (
	errLifeWaits   = errors.New("cluster: the process before this one is heard of yet; waiting until it is not")
	errLifeRefused = errors.New("cluster: this node was refused: it is not what it was")
	errTakesNoPart = errors.New("cluster: this node takes no part any more")
)

// A greeter is this member as the one who says hello.
type greeter struct {
	diary diary // constant after the start, but for Out, which mu guards

	mu    sync.Mutex
	beat  uint64
	rival [16]byte
	turns map[string]*turn
}

// A turn has one hello to a member under way at a time.
type turn struct {
	under chan struct{} // has a token while none is
	begun uint64        // how many were; guarded by the greeter's mu
	last  error         // of the latest; whoever has the token may look
	met   bool          // the latest was accepted; guarded by the greeter's mu
}

func (g *greeter) turnOf(nodeID string) *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.turns == nil {
		g.turns = map[string]*turn{}
	}
	t := g.turns[nodeID]
	if t == nil {
		t = &turn{under: make(chan struct{}, 1)}
		t.under <- struct{}{}
		g.turns[nodeID] = t
	}
	return t
}

// met says whether a member has accepted the latest hello to it.
func (c *Cluster) met(nodeID string) bool {
	t := c.greets.turnOf(nodeID)
	c.greets.mu.Lock()
	defer c.greets.mu.Unlock()
	return t.met
}

// greet returns nil when a member has accepted a hello that was said after the call. Who waits
// shares the next one.
func (c *Cluster) greet(ctx context.Context, nodeID string) error {
	g, t := &c.greets, c.greets.turnOf(nodeID)
	g.mu.Lock()
	came := t.begun
	g.mu.Unlock()
	select {
	case <-t.under:
		defer func() { t.under <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	shared := t.begun > came && !errors.Is(t.last, context.Canceled)
	if !shared {
		t.begun++
	}
	g.mu.Unlock()
	if !shared {
		t.last = c.sayHello(ctx, nodeID)
		g.mu.Lock()
		t.met = t.last == nil
		g.mu.Unlock()
	}
	return t.last
}

// sayHello is one exchange. What the answer proves of this member it acts on; what the other one
// only says it does not.
func (c *Cluster) sayHello(ctx context.Context, nodeID string) error {
	ctx, cancel := context.WithTimeout(ctx, helloWait)
	defer cancel()
	answer, err := ask[hello, helloAnswer](ctx, c, nodeID, pathHello, c.newHello())
	if err != nil {
		return err
	}
	c.judgeSelf(nodeID, answer)
	switch {
	case c.out.Load() != nil:
		return errTakesNoPart
	case answer.Word == wordWait:
		return errLifeWaits
	case answer.Word != "":
		return errLifeRefused
	}
	return nil
}

func (c *Cluster) newHello() hello {
	g := &c.greets
	s := said{Life: g.diary.Lives.now(), Term: c.raft.CurrentTerm(), Applied: c.fsm.View().Index()}
	s.AppliedTerm = c.termAt(s.Applied)
	g.mu.Lock()
	g.beat++
	s.Beat, s.Rival, s.Out = g.beat, g.rival, g.diary.Out
	g.mu.Unlock()
	s.Tag = g.diary.tag(c.id, s)
	return hello{Said: s, Lives: g.diary.Lives, Address: c.Address}
}

// termAt is the term of an entry of this member's log or newest snapshot; 0 where it has neither.
func (c *Cluster) termAt(index uint64) uint64 {
	var l raft.Log
	if c.Store.Logs().GetLog(index, &l) == nil {
		return l.Term
	}
	if at, term := c.Store.NewestSnapshot(); at == index {
		return term
	}
	return 0
}

// judgeSelf holds this member against what its answer shows that was said in its name.
func (c *Cluster) judgeSelf(by string, answer helloAnswer) {
	g := &c.greets
	if g.diary.genuine(c.id, answer.Heard) {
		why := g.diary.Lives.against(answer.Heard)
		g.mu.Lock()
		if answer.Heard.Life == g.diary.Lives.now() && answer.Heard.Beat > g.beat {
			why = &deedRolledBack
		}
		g.mu.Unlock()
		if why != nil && answer.Word == deedCopied.word {
			why = &deedCopied // who was asked can tell them apart
		}
		switch {
		case why == nil:
		case why != &deedCopied && c.wentOn(answer.Heard):
			c.noteLost(answer.Heard, by)
		default:
			c.stopTakingPart(*why, by)
		}
	}
	if r := answer.Rival; g.diary.genuine(c.id, r) && r.Life.Count > g.diary.Lives.Count {
		c.noteRival(by, r.Life)
	}
}

// wentOn says whether a majority has gone on with this member, and has committed another entry in the
// place of one that it had applied before. Then the write is lost already. Who still has it stops
// (lacking.go); this member's stopping would only take away the majority that can mend it.
func (c *Cluster) wentOn(s said) bool {
	committed := c.raft.CommitIndex() // in this life: at its start it is 0
	if committed < s.Applied {
		return c.termAt(committed) > s.AppliedTerm // no entry before that one is of a later term
	}
	return c.termAt(s.Applied) != s.AppliedTerm
}

// noteLost has this member go on, say so, and not lead: so that who still has the write meets a log
// that lacks it.
func (c *Cluster) noteLost(s said, by string) {
	why := fmt.Errorf("this node's disk was put back, and the cluster has gone on with it before anybody could tell: "+
		"entry %d of term %d, which this node had applied, is lost", s.Applied, s.AppliedTerm)
	if c.lost.CompareAndSwap(nil, &why) {
		c.logger.Error("a write was lost", "why", why, "found by", by)
	}
}

// noteRival: somebody has started a copy of this folder. It is told to all, so that the copy learns
// that this process goes on, and stops.
func (c *Cluster) noteRival(by string, rival lifeID) {
	c.greets.mu.Lock()
	known := c.greets.rival == rival.Name
	c.greets.rival = rival.Name
	c.greets.mu.Unlock()
	if known {
		return
	}
	c.logger.Error("a copy of this node's data folder was started beside it; this node goes on, the copy is refused: stop it", "heard by", by)
	c.wg.Go(c.greetAll)
}

// greetAll says hello to every other server, and ends when all have answered.
func (c *Cluster) greetAll() {
	var said sync.WaitGroup
	for _, id := range c.others() {
		said.Go(func() { c.begin(id) })
	}
	said.Wait()
}

// begin says hello to a server, and again while this life has to wait.
func (c *Cluster) begin(nodeID string) {
	for errors.Is(c.greet(c.ctx, nodeID), errLifeWaits) {
		select {
		case <-time.After(waitAgain):
		case <-c.ctx.Done():
			return
		}
	}
}

// greetNew says hello to those servers to whom this member never did: it may have been opened
// before they were, or before it knew of any.
func (c *Cluster) greetNew(others []string) {
	for _, id := range others {
		c.greets.mu.Lock()
		known := c.greets.turns[id] != nil
		c.greets.mu.Unlock()
		if !known {
			c.wg.Go(func() { c.begin(id) })
		}
	}
}

// others are the ids of the other servers of the latest configuration, in order.
func (c *Cluster) others() (ids []string) {
	for _, s := range c.servers() {
		if string(s.ID) != c.id {
			ids = append(ids, string(s.ID))
		}
	}
	slices.Sort(ids)
	return ids
}

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
	known := h.byID[peer.node]
	return peer.life.Count == 0 || known == nil || known.said.Life == peer.life
}

// serveHello is served to whoever has a certificate and was not removed: a member that was away may
// not know its leader yet.
func (c *Cluster) serveHello(ctx context.Context, from string, r hello) (helloAnswer, error) {
	shown := speakerOf(ctx).life
	if !r.Lives.wellFormed() || r.Lives.now() != r.Said.Life || shown.Count > 0 && shown != r.Said.Life {
		return helloAnswer{}, errBadCall
	}
	if r.Said.Out != "" && !isDiskDeed(r.Said.Out) {
		return helloAnswer{}, errBadCall
	}
	answer, begun := c.listen(from, r)
	if answer.Word != "" {
		return answer, nil
	}
	if _, _, err := net.SplitHostPort(r.Address); err == nil && len(r.Address) <= maxServerText && !slices.Contains(c.addresses(from), r.Address) {
		c.moved.set(from, r.Address)
	}
	if begun {
		if err := c.keepKnown(); err != nil { // what is forgotten can't be held against a disk
			return helloAnswer{}, err
		}
		go c.port.cutOthers(from, r.Said.Life) // closing a connection may wait for its writer
	}
	return answer, nil
}

// listen judges a hello. begun: it is the first of a life that a member may begin.
func (c *Cluster) listen(from string, r hello) (answer helloAnswer, begun bool) {
	h := &c.hears
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.byID[from]
	if known == nil {
		if r.Said.Out != "" {
			return c.refuseLife(from, &heardOf{}, r, r.Said.Out), false
		}
		if !c.belongs(from) {
			return helloAnswer{}, false // it may become a member: there is nothing to hold it against yet
		}
		h.byID[from] = &heardOf{said: r.Said, begun: time.Now()}
		return helloAnswer{Heard: r.Said}, true
	}
	alive := func() bool { return c.port.alive(from, known.said.Life, aliveFor) }
	switch why := r.Lives.against(known.said); {
	case r.Said.Out != "":
		return c.refuseLife(from, known, r, r.Said.Out), false
	case why == &deedPutBack && alive() && r.Said.Life != known.said.Life:
		return c.refuseLife(from, known, r, deedCopied.word), false
	case why != nil:
		return c.refuseLife(from, known, r, why.word), false
	case r.Said.Life == known.said.Life:
		if r.Said.Beat > known.said.Beat { // an older one came late, or the asker finds out by the answer
			h.fresh = h.fresh || r.Said.Applied > known.said.Applied || r.Said.Term > known.said.Term
			known.said = r.Said
		}
		answer := helloAnswer{Heard: known.said}
		if known.rival.Life.Count > r.Said.Life.Count && time.Since(known.seen) < rivalFor {
			answer.Rival = known.rival
		}
		return answer, false
	case alive():
		known.rival, known.seen = r.Said, time.Now()
		return helloAnswer{Word: wordWait, Heard: known.said}, false
	case time.Since(known.begun) < waitAgain: // each is written to disk
		return helloAnswer{Word: wordWait, Heard: known.said}, false
	}
	known.said, known.begun = r.Said, time.Now()
	return helloAnswer{Heard: r.Said}, true
}

// refuseLife names the asker's node when it says itself that it takes no part, or insists.
func (c *Cluster) refuseLife(from string, known *heardOf, r hello, word string) helloAnswer {
	if known.refused != r.Said.Life {
		known.refused, known.since = r.Said.Life, time.Now()
	}
	if r.Said.Out != "" || time.Since(known.since) >= insists {
		c.accuse(from, diskDeed(word), "life", r.Said.Life.Count, "heard of", known.said.Life.Count, "which had applied", known.said.Applied)
	}
	return helloAnswer{Word: word, Heard: known.said}
}
