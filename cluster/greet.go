package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lives"
)

var (
	errLifeWaits   = errors.New("cluster: the process before this one is heard of yet")
	errLifeRefused = errors.New("cluster: this node was refused: it is not what it was")
	errTakesNoPart = errors.New("cluster: this node takes no part any more")
)

// helloWait bounds a hello.
const helloWait = 2 * time.Second

// A greeter is this member as the one who says hello.
type greeter struct {
	mu    sync.Mutex
	self  lives.Self // guarded by mu, but for the lives, which are constant after the start
	turns map[string]*turn
}

// A turn has one hello to a member under way at a time. The greeter's mu guards it.
type turn struct {
	next    *said // who waits shares it; nil while nobody does
	running bool
	met     bool // the latest was accepted
}

// A said is one hello.
type said struct {
	done chan struct{}
	err  error // constant when done is closed
}

// turnOf is called with the lock held.
func (g *greeter) turnOf(nodeID string) *turn {
	if g.turns == nil {
		g.turns = map[string]*turn{}
	}
	t := g.turns[nodeID]
	if t == nil {
		t = &turn{}
		g.turns[nodeID] = t
	}
	return t
}

// met says whether a member has accepted the latest hello to it.
func (c *Cluster) met(nodeID string) bool {
	c.greets.mu.Lock()
	defer c.greets.mu.Unlock()
	return c.greets.turnOf(nodeID).met
}

// greet returns nil when a member has accepted a hello that was said after the call. Who waits
// shares the next one, which goes on when somebody waits no longer.
func (c *Cluster) greet(ctx context.Context, nodeID string) error {
	h := c.nextHello(nodeID)
	if h == nil {
		return context.Canceled
	}
	select {
	case <-h.done:
		return h.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nextHello is nil when this member has ended.
func (c *Cluster) nextHello(nodeID string) *said {
	c.greets.mu.Lock()
	defer c.greets.mu.Unlock()
	t := c.greets.turnOf(nodeID)
	if t.next == nil {
		t.next = &said{done: make(chan struct{})}
	}
	if !t.running {
		t.running = c.tasks.begin(func() { c.sayHellos(nodeID, t) })
	}
	if !t.running {
		return nil
	}
	return t.next
}

// sayHellos ends when nobody waits.
func (c *Cluster) sayHellos(nodeID string, t *turn) {
	for {
		c.greets.mu.Lock()
		h := t.next
		t.next, t.running = nil, h != nil
		c.greets.mu.Unlock()
		if h == nil {
			return
		}
		h.err = c.sayHello(c.ctx, nodeID)
		c.greets.mu.Lock()
		t.met = h.err == nil
		c.greets.mu.Unlock()
		close(h.done)
	}
}

// sayHello is one exchange. What the answer proves of this member it acts on; what the other one
// only says it does not.
func (c *Cluster) sayHello(ctx context.Context, nodeID string) error {
	ctx, cancel := context.WithTimeout(ctx, helloWait)
	defer cancel()
	answer, err := ask[lives.Hello, lives.Answer](ctx, c, nodeID, pathHello, c.newHello())
	if err != nil {
		return err
	}
	if heard, _ := c.releaseOf(nodeID); c.keepAway(nodeID, c.refuses(heard)) {
		return errOtherRelease
	}
	c.judgeSelf(nodeID, answer)
	switch {
	case c.out.Load() != nil:
		return errTakesNoPart
	case answer.Word == lives.Wait:
		return errLifeWaits
	case answer.Word != "":
		return errLifeRefused
	}
	return nil
}

func (c *Cluster) newHello() lives.Hello {
	g, term, applied := &c.greets, c.raft.CurrentTerm(), c.fsm.View().Index()
	appliedTerm := c.termAt(applied)
	g.mu.Lock()
	h := g.self.Hello(term, applied, appliedTerm)
	g.mu.Unlock()
	h.Address = c.Address
	return h
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

// judgeSelf acts on what an answer proves of this member. Where a majority has gone on with it,
// what it has forgotten is lost already. Who still has it stops (lacking.go); this member's
// stopping would only take away the majority that can mend it.
func (c *Cluster) judgeSelf(by string, answer lives.Answer) {
	g := &c.greets
	g.mu.Lock()
	deed, copied := g.self.Judge(answer)
	g.mu.Unlock()
	switch {
	case deed == "":
	case deed != lives.Copied && lives.WentOn(answer.Heard, c.raft.CommitIndex(), c.termAt):
		c.noteLost(answer.Heard, by)
	default:
		c.stopTakingPart(deed, by)
	}
	if copied {
		c.noteRival(by)
	}
}

// noteLost has this member go on, say so, and not lead: so that who still has the write meets a log
// that lacks it.
func (c *Cluster) noteLost(s lives.Said, by string) {
	why := fmt.Errorf("this node's disk was put back, and the cluster has gone on with it before "+
		"anybody could tell: entry %d of term %d, which this node had applied, is lost",
		s.Applied, s.AppliedTerm)
	if c.lost.CompareAndSwap(nil, &why) {
		c.logger.Error("a write was lost", "why", why, "found by", c.nameOf(by))
	}
}

// noteRival: somebody has started a copy of this folder. It is told to all, so that the copy learns
// that this process goes on, and stops.
func (c *Cluster) noteRival(by string) {
	c.logger.Error("a copy of this node's data folder was started beside it; "+
		"this node goes on, the copy is refused: stop it", "heard by", c.nameOf(by))
	c.tasks.begin(c.greetAll)
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
		case <-time.After(lives.WaitAgain):
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
			c.tasks.begin(func() { c.begin(id) })
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
