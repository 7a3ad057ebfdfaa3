package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// grants is the leader's side of leases. Giving one and moving E happen under its lock, with a clock reading from before the lock was
// taken: one that is too old keeps a lease in the books for longer, and lets a new one end no later than it should.
type grants struct {
	mu       sync.Mutex
	reign    *reign // of the newest term that this node led; nil before the first
	penances map[string]penance
	refused  map[string]uint64 // how often members asked for a lease in vain
}

// A reign is what a leader knows of leases in one term.
type reign struct {
	term      uint64
	begun     time.Duration // when this node was elected
	inherited time.Duration // life of leases until then
	base      uint64        // this FSM's index when the term was opened: who lacks it gets no lease
	members   []raft.Server // at the election: whoever may hold a lease of an older term
	open      bool          // leases may be given, and E may move
	quiet     bool          // no lease of an older term lives any more
	words     map[string]*word
	given     map[holder]grant
	leaving   map[string]bool // members about to be removed get no lease any more
	changed   time.Duration   // when this leader last changed the voters
	longest   time.Duration   // lease that was given
	overdue   uint64          // an index that was applied here, and that E has not reached
	since     time.Duration   // then
}

// A word is what a member said by its check-ins.
type word struct {
	free    time.Duration // until when leases of older terms may live by what this voter told their leaders
	support time.Duration // until when this leader may build on this voter
	trip    time.Duration
	heard   time.Duration // when
	applied uint64
}

// A holder is a process of a member, between two droppings of its leases.
type holder struct {
	node           string
	process, epoch uint64
}

type grant struct {
	until   time.Duration
	applied uint64
}

// A penance keeps a member that delayed writes from delaying them again and again: no lease until then, and longer the next time.
type penance struct {
	until, length time.Duration
	times         uint64
}

const (
	leastPenance = time.Second
	mostPenance  = 32 * time.Second
)

// beginReign lets members check in as soon as this node is elected: what it takes to give leases is on its way while the term is opened.
func (c *Cluster) beginReign(term uint64) {
	now, members := c.clock(), c.servers()
	c.tenure.mu.Lock()
	free := c.tenure.older(term)
	c.tenure.mu.Unlock()
	g := &c.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reign == nil || g.reign.term != term {
		g.reign = &reign{term: term, begun: now, inherited: time.Duration(c.life.Load()), members: members,
			words: map[string]*word{c.id: {free: free}}, given: map[holder]grant{}, leaving: map[string]bool{}}
	}
}

// openReign comes before anybody is served in a term.
func (c *Cluster) openReign(term uint64) {
	now, base := c.clock(), c.fsm.View().Index()
	g := &c.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.reign; r.term == term {
		r.open, r.base, r.since = true, base, now
	}
}

// serveCheckIn is the leader's part of a check-in.
func (c *Cluster) serveCheckIn(ctx context.Context, from string, r checkInCall) (checkInAnswer, error) {
	begun := c.clock()
	if !c.awaitReign(ctx, r.Term) || c.unfit() != nil || !c.hear(from, r) {
		return checkInAnswer{}, errNotLeader
	}
	if r.Echo > 0 && !r.Idle { // else the answer brings what the next one is to say
		c.awaitFooting(ctx, r.Term)
	}
	if r.AtLeast > 0 {
		waiting, cancel := context.WithTimeout(ctx, baseLife/2)
		_ = c.awaitShown(waiting, r.AtLeast) // it is told how far E is in any case
		cancel()
	}
	answer, err := c.grant(from, r)
	answer.Held = c.clock() - begun
	return answer, err
}

// awaitReign says whether this node leads in term. Who is sent the first entry of a term may check in before its leader has looked up.
func (c *Cluster) awaitReign(ctx context.Context, term uint64) bool {
	for end := time.Now().Add(baseLife); ; {
		c.grants.mu.Lock()
		r := c.grants.reign
		begun := r != nil && r.term == term
		c.grants.mu.Unlock()
		if begun || !c.leadsIn(term) || time.Now().After(end) || pause(ctx, 0) != nil {
			return begun
		}
	}
}

// awaitFooting waits, in a new term, until it is open and a majority has said that it is in it: the first to say so would go away without a
// lease, and come back a round trip later.
func (c *Cluster) awaitFooting(ctx context.Context, term uint64) {
	voters := c.voters()
	for end := time.Now().Add(baseLife); ; {
		now := c.clock()
		c.grants.mu.Lock()
		r := c.grants.reign
		firm := r.term != term || now > r.begun+settling || r.open && r.support(voters) > now
		c.grants.mu.Unlock()
		if firm || time.Now().After(end) || !c.leadsIn(term) || pause(ctx, 0) != nil {
			return
		}
	}
}

// hear notes what a member says. false: it is not in the term that this node leads.
func (c *Cluster) hear(from string, r checkInCall) bool {
	now := c.clock()
	g := &c.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reign == nil || g.reign.term != r.Term {
		return false
	}
	g.reign.hear(from, r, now)
	c.moveShown(now)
	return true
}

func (r *reign) hear(from string, call checkInCall, now time.Duration) {
	w := r.words[from]
	if w == nil {
		w = &word{free: now + call.Promised}
		r.words[from] = w
	}
	w.free = min(w.free, now+call.Promised)
	w.support = max(w.support, min(call.Echo, now+maxLife))
	w.trip, w.heard, w.applied = call.RoundTrip, now, call.Applied
	for h, given := range r.given {
		switch {
		case h.node != from || h.process != call.Process:
		case h.epoch < call.Epoch:
			delete(r.given, h)
		case h.epoch == call.Epoch:
			r.given[h] = grant{given.until, max(given.applied, call.Applied)}
		}
	}
}

// moveShown moves E to what this FSM and all lease holders have applied. The FSM's index is read first, and then the term must still be
// the reign's: what a deposed leader applies is not its to show. The lock is held.
func (c *Cluster) moveShown(now time.Duration) {
	r := c.grants.reign
	own := c.fsm.View().Index()
	least := own
	if r == nil || !r.open || c.raft.CurrentTerm() != r.term || !r.isQuiet(now) {
		return
	}
	for h, given := range r.given {
		if now >= given.until {
			delete(r.given, h)
			if given.applied < own {
				c.grants.punish(h.node, now)
			}
			continue
		}
		least = min(least, given.applied)
	}
	c.shown.raise(least)
	if c.shown.reached(r.overdue) {
		r.overdue, r.since = own, now
	}
}

// isQuiet says whether no lease of an older term can live any more: every member is in this term, or what some majority of voters
// told older leaders has run out, and every lease was built on a majority. At the latest it is when the longest lease is over that could be
// built on what a voter said before it helped to elect this leader: a voter that is marked as removed says nothing any more.
func (r *reign) isQuiet(now time.Duration) bool {
	r.quiet = r.quiet || now >= r.begun+maxLife+margin(maxLife)
	if r.quiet {
		return true
	}
	all := true
	var frees []time.Duration
	for _, s := range r.members {
		w := r.words[string(s.ID)]
		all = all && w != nil
		if s.Suffrage == raft.Voter {
			free := never
			if w != nil {
				free = w.free
			}
			frees = append(frees, free)
		}
	}
	slices.Sort(frees)
	r.quiet = all || len(frees) > 0 && frees[len(frees)/2] <= now
	return r.quiet
}

const never = time.Duration(1<<63 - 1)

// support is until when this leader's own lease runs: the majority of voters whose word reaches furthest.
func (r *reign) support(voters []string) time.Duration {
	if len(voters) == 0 {
		return 0
	}
	until := make([]time.Duration, len(voters))
	for i, id := range voters {
		if w := r.words[id]; w != nil {
			until[i] = w.support
		}
	}
	slices.Sort(until)
	return until[len(until)-len(until)/2-1]
}

// life follows the longest way among the members: a lease is on its way for a round trip, and what it is built on for another. The rest
// is for reads to go on under it for most of the time in which a leader that died is replaced, which takes round trips too.
func (r *reign) life(now time.Duration) time.Duration {
	var longest time.Duration
	for _, w := range r.words {
		longest = max(longest, w.trip)
	}
	life := min(baseLife+lifeTrips*longest, maxLife)
	if now < r.begun+settling {
		return max(life, r.inherited)
	}
	return life
}

// settling is how long a leader keeps to the life of leases under its predecessor, if that is longer: the ways are known when members have
// checked in a few times.
const settling = 5 * time.Second

// grant answers a check-in, with a lease if it may: to a member of the committed configuration that serves reads and has applied what
// everybody may have seen, and never for longer than this leader's own lease.
func (c *Cluster) grant(from string, call checkInCall) (checkInAnswer, error) {
	now, voters, member := c.clock(), c.voters(), c.committedMember(from)
	g := &c.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.reign
	if r.term != call.Term || c.raft.CurrentTerm() != r.term {
		return checkInAnswer{}, errNotLeader
	}
	c.moveShown(now)
	life := r.life(now)
	answer := checkInAnswer{Shown: c.shown.index.Load(), Life: life, Token: now + life}
	if call.Idle || !member || !r.open {
		return answer, nil
	}
	left := min(life, r.support(voters)-now)
	if left <= 0 || call.Applied < max(answer.Shown, r.base) || r.leaving[from] || g.barred(from, now) {
		g.refuse(from)
		return answer, nil
	}
	if from != c.id { // this FSM is looked at in any case
		h := holder{from, call.Process, call.Epoch}
		given := r.given[h]
		if given.applied < r.overdue && now-r.since > life/2 && given.until > now {
			g.refuse(from)
			return answer, nil // writers wait for it: no more until it has caught up
		}
		r.given[h] = grant{max(given.until, now+left+margin(life)), max(given.applied, call.Applied)}
	}
	r.longest = max(r.longest, left)
	answer.Grant = left
	return answer, nil
}

func (c *Cluster) committedMember(nodeID string) bool {
	configuration, _ := c.fsm.View().Configuration()
	return slices.ContainsFunc(configuration.Servers, func(s raft.Server) bool { return string(s.ID) == nodeID })
}

func (g *grants) barred(node string, now time.Duration) bool { return now < g.penances[node].until }

// refuse counts. Only members ask.
func (g *grants) refuse(node string) {
	if g.refused == nil {
		g.refused = map[string]uint64{}
	}
	g.refused[node]++
}

func (g *grants) punish(node string, now time.Duration) {
	p := g.penances[node]
	if now > p.until+2*mostPenance {
		p.length = 0 // long ago
	}
	p.length = min(max(leastPenance, 2*p.length), mostPenance)
	p.until = now + p.length
	p.times++
	if g.penances == nil {
		g.penances = map[string]penance{}
	}
	g.penances[node] = p
}

// awaitShown returns when E has reached index, or with the context's error. On the leader it sees to it that leases that ran out are
// not waited for; elsewhere check-ins bring E.
func (c *Cluster) awaitShown(ctx context.Context, index uint64) error {
	for {
		wait := c.advance()
		if c.shown.reached(index) {
			return nil
		}
		moving, cancel := context.WithTimeout(ctx, wait)
		err := c.shown.wait(moving, index)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// advance moves E as far as it goes, and returns after how long looking again is worth while.
func (c *Cluster) advance() time.Duration {
	now := c.clock()
	g := &c.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	c.moveShown(now)
	next := now + baseLife/4
	if r := g.reign; r != nil && r.term == c.raft.CurrentTerm() { // what is left of a term that is over has no end to wait for
		for _, given := range r.given {
			next = min(next, given.until)
		}
		for _, w := range r.words {
			if !r.quiet && w.free > now {
				next = min(next, w.free)
			}
		}
	}
	return max(next-now, time.Millisecond)
}

// mayChange says whether the configuration may be changed now. Not before leases of older terms are over: whoever holds one must be known.
// Not a voter soon after another: a lease was built on a majority of the voters of its time, and only neighbouring configurations have
// majorities that meet. And not the removal of a member that may hold a lease: it gets no more, and the last one runs out.
func (c *Cluster) mayChange(kind change, nodeID string) bool {
	now := c.clock()
	g := &c.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.reign
	if r == nil || !r.open || c.raft.CurrentTerm() != r.term || !r.isQuiet(now) {
		return false
	}
	voters := kind == promote || kind == depart
	if voters && r.changed != 0 && now < r.changed+r.longest+margin(r.longest) {
		return false
	}
	if kind == depart || kind == leave {
		r.leaving[nodeID] = true // for the rest of the term: a removal that seems to fail may still be committed
		for h, given := range r.given {
			if h.node == nodeID && now < given.until {
				return false
			}
		}
	}
	return true
}

// changes is called before and after the voters are changed.
func (c *Cluster) changes() {
	now := c.clock()
	c.grants.mu.Lock()
	defer c.grants.mu.Unlock()
	if r := c.grants.reign; r != nil {
		r.changed = now
	}
}
