package lease_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"keyquorum/cluster/lease"
)

// A cluster is a random world of peers. Everything is a step of its own, and what is under way may
// take any time, come twice, overtake and be lost.
type cluster struct {
	*rapid.T
	now      time.Duration
	peers    []*peer
	messages []*message
	limits   lease.Limits

	far int // bits of the peers that are cut off from the others

	e     uint64 // the highest that any node believed, or that an answer has shown
	echos map[echoed]time.Duration
}

// echoed says which token a voter has echoed furthest in a term.
type echoed struct {
	voter string
	term  uint64
}

// A message is a check-in on its way, or its answer.
type message struct {
	from, to *peer
	process  uint64 // of the asker
	hears    uint64 // process that has heard it
	asked    lease.Reading
	call     lease.CheckIn
	heard    *lease.Reading // by the leader
	answer   *lease.Answer
}

// A travel is a read on its way.
type travel struct {
	lease.Read
	floor  uint64 // what it must not miss
	shows  uint64
	fence  lease.Fence
	leader *peer // of the fence
	begun  time.Duration
}

// Clocks run at rates for which the margin is enough. Where they differ more than members bear, few
// leases are given.
var tame, wild = []int{980, 990, 1000, 1010, 1020}, []int{960, 970, 1000, 1030, 1040}

func newCluster(t *rapid.T) *cluster {
	w := &cluster{T: t, limits: lease.Standard, echos: map[echoed]time.Duration{}}
	if rapid.Bool().Draw(t, "nobody is barred") {
		w.limits.LeastBackoff = 0
	}
	size := rapid.IntRange(3, 5).Draw(t, "nodes")
	voters := rapid.IntRange(2, size).Draw(t, "voters")
	rates := tame
	if w.oneIn(4, "wild clocks") {
		rates = wild
	}
	var config []lease.Server
	for i := range size {
		config = append(config, lease.Server{ID: fmt.Sprintf("n%d", i), Voter: i < voters})
	}
	for _, s := range config {
		p := &peer{offset: time.Minute, commit: 1, pos: 1, log: []entry{{term: 1, config: config}},
			rate: time.Duration(rapid.SampledFrom(rates).Draw(t, "clock of "+s.ID))}
		p.Node = lease.New(&w.limits, s.ID, 1, lease.Reading{})
		p.NoteCompared()
		w.peers = append(w.peers, p)
	}
	return w
}

func (w *cluster) peer(id string) *peer { return w.peers[id[1]-'0'] }

func (p *peer) bit() int { return 1 << (p.ID[1] - '0') }

// meet says whether two hear each other now.
func (w *cluster) meet(a, b *peer) bool { return (w.far&a.bit() == 0) == (w.far&b.bit() == 0) }

func (w *cluster) clock(p *peer) time.Duration { return p.offset + w.now*p.rate/1000 }

func (w *cluster) reading(p *peer) lease.Reading {
	return lease.Reading{Now: w.clock(p), Applied: p.state(), Term: p.term}
}

func (w *cluster) any(label string) *peer { return rapid.SampledFrom(w.peers).Draw(w.T, label) }

func (w *cluster) below(n int, label string) int { return rapid.IntRange(0, n-1).Draw(w.T, label) }

// oneIn is true for one in n.
func (w *cluster) oneIn(n int, label string) bool { return w.below(n, label) == n-1 }

// leader is somebody who thinks that it leads, mostly the last who was elected.
func (w *cluster) leader() *peer {
	var newest *peer
	for _, p := range w.peers {
		if p.reign != nil && (newest == nil || p.term > newest.term) {
			newest = p
		}
	}
	if newest == nil || w.oneIn(4, "another leader") {
		if p := w.any("leader"); p.reign != nil {
			return p
		}
	}
	return newest
}

func (w *cluster) ask(from, to *peer, trip time.Duration) *message {
	r := w.reading(from)
	m := &message{from: from, to: to, process: from.Process, asked: r}
	m.call = from.Ask(r, !from.sealed, trip)
	key := echoed{from.ID, r.Term}
	w.echos[key] = max(w.echos[key], m.call.Echo)
	return m
}

// post puts a message on its way.
func (w *cluster) post(m *message) {
	w.messages = append(w.messages, m)
	if len(w.messages) > 8 {
		w.messages = w.messages[1:] // it is lost
	}
}

func (w *cluster) hear(m *message) {
	r := w.reading(m.to)
	if m.to.Hear(r, m.from.ID, m.call) {
		m.heard, m.hears = &r, m.to.Process
	}
}

// grant may go by a reading that was taken when the question came.
func (w *cluster) grant(m *message) {
	if m.to.Process != m.hears {
		return
	}
	r := w.reading(m.to)
	if w.oneIn(4, "an old reading") {
		r = *m.heard
	}
	servers, _ := m.to.latest()
	a, verdict := m.to.Grant(r, m.from.ID, m.call, servers, isMember(m.to.committed(), m.from.ID))
	if verdict == lease.NotLeader {
		return
	}
	m.answer = &a
	if verdict != lease.Given {
		return
	}
	w.Logf("%v: %s gives %s a lease for %v", w.now, m.to.ID, m.from.ID, a.Grant)
	until := r.Now + a.Grant
	if !majority(servers, func(id string) bool { return w.echos[echoed{id, r.Term}] >= until }) {
		w.Errorf("%s gives %s a lease that no majority holds up", m.to.ID, m.from.ID)
	}
}

func (w *cluster) take(m *message) {
	if m.from.Process == m.process {
		m.from.Take(m.asked, w.reading(m.from), !m.from.sealed, m.call, *m.answer)
	}
}

// deliver takes a message a step further.
func (w *cluster) deliver(m *message) {
	switch {
	case m.heard == nil:
		w.hear(m)
	case m.answer == nil:
		w.grant(m)
	default:
		w.take(m)
	}
}

// exchange is a check-in that is soon over.
func (w *cluster) exchange(from, to *peer, trip time.Duration) {
	m := w.ask(from, to, trip)
	if w.oneIn(4, "on its way") || !w.meet(from, to) {
		w.post(m)
		return
	}
	for range 3 {
		w.deliver(m)
	}
}

func (w *cluster) open(p *peer) {
	o, r := p.reign.opening, w.reading(p)
	if p.reign.opened == p.term {
		return
	}
	if o.Done(uint64(p.commit), p.log[o.First-1].term, r, true) {
		p.reign.opened = p.term
		p.Opened(r)
		w.Logf("%v: %s opens term %d at %d", w.now, p.ID, p.term, r.Applied)
	}
}

func (w *cluster) begin(p *peer, must bool) {
	r := &travel{Read: lease.Read{Must: must}, floor: w.e, begun: w.clock(p)}
	r.Looked(w.clock(p), p.term, p.Tenure)
	p.reads = append(p.reads[max(0, len(p.reads)-3):], r)
}

// further takes a read to its next stage, if it can get there.
func (w *cluster) further(p *peer, r *travel) {
	switch r.Stage {
	case lease.Looking:
		r.Looked(w.clock(p), p.term, p.Tenure)
	case lease.Asking:
		w.fence(p, r)
	case lease.Applying:
		r.Applied(p.state())
	case lease.Viewing:
		if p.state() < r.floor {
			w.Errorf("%s views %d, and misses %d", p.ID, p.state(), r.floor)
		}
		r.shows = uint64(w.below(int(p.state())+1, "last change"))
		r.Viewed(r.shows)
	case lease.Showing:
		r.Shown(p.E)
	case lease.Leaving:
		w.leave(p, r)
	}
}

// fence asks one voter after the other. The look is from when the read began.
func (w *cluster) fence(p *peer, r *travel) {
	if r.leader == nil {
		if l := w.leader(); l != nil {
			servers, _ := l.latest()
			if f, ok := lease.BeginFence(w.reading(l), l.reign.opened, servers); ok {
				r.leader, r.fence = l, f
			}
		}
		return
	}
	if !r.fence.Over() {
		voter := rapid.SampledFrom(r.fence.Asks).Draw(w.T, "voter")
		r.fence.Hear(voter, w.peer(voter).term)
		return
	}
	if r.fence.Proves(r.leader.term) {
		r.Fenced(r.begun, r.fence.Index)
	}
	r.leader = nil
}

func (w *cluster) leave(p *peer, r *travel) {
	now := w.clock(p)
	if !r.Left(now, p.Life) {
		return
	}
	if now-r.Look >= w.limits.Most {
		w.Errorf("%s answers what it drew %v ago", p.ID, now-r.Look)
	}
	w.e = max(w.e, r.shows)
}
