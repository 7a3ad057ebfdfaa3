// Package throng bounds the connections that a listener holds, so that whoever has many of them
// keeps nobody else from having one.
//
// A new connection is always let in. When there are too many, another one goes: the idlest of the
// source that has most, or the idlest of all where no source has many. One whose peer is known goes
// only when no other is left. So a peer that comes alone outlasts a flood from a few sources,
// however slow its handshake is.
//
// A connection begins with the lowest standing and rises by what its peer has shown. Each standing
// has a share of the places. A connection is closed for others' sake only when its standing has
// more than its share. So connections of a high standing have places that no number of low ones
// takes, and a newcomer has time to show who it is, however many of a high standing there are.
package throng

import (
	"container/list"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a throng. The shares of all standings are the number of its places.
type Limits struct {
	Standings []Standing // the lowest first
	// PerSource is the most connections of a standing below Known that one source has: an IPv4
	// address, or the /64 of an IPv6 address. 0: no bound.
	PerSource int
	Known     int
}

// A Standing is what is known of a connection's peer.
type Standing struct {
	Share int // places that it keeps however many others there are
	Most  int // of it at once; 0: as many as there are places
}

// A Throng is the connections of one listener.
type Throng struct {
	limits Limits
	places int

	mu      sync.Mutex
	ranks   []rank // by standing
	sources map[source]*origin
	all     int
	counts  Counts
}

// Counts are what a throng has closed and what it holds.
type Counts struct {
	Holds     []int  // by standing
	Sources   int    // that the connections below Known come from
	Crowded   uint64 // closed because there were too many
	PerSource uint64 // closed because one source had too many
}

// New makes an empty throng.
func New(limits Limits) *Throng {
	t := &Throng{
		limits: limits, ranks: make([]rank, len(limits.Standings)), sources: map[source]*origin{},
	}
	for _, s := range limits.Standings {
		t.places += s.Share
	}
	return t
}

// A Place is a connection's, from Enter to Leave.
type Place struct {
	throng *Throng
	conn   net.Conn
	source source

	standing atomic.Int32
	touched  atomic.Int64 // Unix nanoseconds

	// Guarded by throng.mu.
	inRank, inGroup *list.Element // the second nil for a peer that is known
	gone            bool
}

// Enter takes a connection in, and closes another one where that makes one too many. conn.Close
// must not wait for its peer.
func (t *Throng) Enter(conn net.Conn) *Place {
	p := &Place{throng: t, conn: conn, source: sourceOf(conn.RemoteAddr())}
	p.touched.Store(time.Now().UnixNano())
	t.mu.Lock()
	t.all++
	p.enterRank()
	victims := t.tooMany(p)
	t.mu.Unlock()
	for _, v := range victims {
		v.conn.Close()
	}
	return p
}

// Rise gives a connection a higher standing; it never sinks.
func (p *Place) Rise(standing int) {
	if int(p.standing.Load()) >= standing {
		return
	}
	t := p.throng
	t.mu.Lock()
	old := int(p.standing.Load())
	if p.gone || old >= standing {
		t.mu.Unlock()
		return
	}
	p.leaveRank()
	p.standing.Store(int32(standing))
	p.touched.Store(time.Now().UnixNano())
	p.enterRank()
	victims := t.tooMany(p)
	t.mu.Unlock()
	for _, v := range victims {
		v.conn.Close()
	}
}

// Move says where a connection really comes from, once that is known: a proxy has said whose it is.
func (p *Place) Move(from net.Addr) {
	t, source := p.throng, sourceOf(from)
	t.mu.Lock()
	if p.gone || source == p.source {
		t.mu.Unlock()
		return
	}
	p.leaveRank()
	p.source = source
	p.enterRank()
	victims := t.tooMany(p)
	t.mu.Unlock()
	for _, v := range victims {
		v.conn.Close()
	}
}

// grain is how exactly it is known who is the idlest: a request on a busy connection takes no lock.
const grain = time.Second

// Touch says that a connection is used now.
func (p *Place) Touch() {
	now := time.Now().UnixNano()
	if now-p.touched.Load() < int64(grain) {
		return
	}
	p.touched.Store(now)
	t := p.throng
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.gone {
		return
	}
	s := p.standing.Load()
	t.ranks[s].idle.MoveToBack(p.inRank)
	if p.inGroup != nil {
		t.sources[p.source].groups[s].MoveToBack(p.inGroup)
	}
}

// Leave gives the place up. It may be called twice.
func (p *Place) Leave() {
	p.throng.mu.Lock()
	defer p.throng.mu.Unlock()
	p.leaveLocked()
}

func (p *Place) leaveLocked() {
	if p.gone {
		return
	}
	p.gone = true
	p.throng.all--
	p.leaveRank()
}

func (p *Place) enterRank() {
	t, s := p.throng, int(p.standing.Load())
	p.inRank = t.ranks[s].idle.PushBack(p)
	if s >= t.limits.Known {
		return
	}
	o := t.sources[p.source]
	if o == nil {
		o = &origin{groups: make([]group, t.limits.Known)}
		t.sources[p.source] = o
	}
	o.all++
	p.inGroup = o.groups[s].PushBack(p)
	t.ranks[s].resize(&o.groups[s], 1)
}

func (p *Place) leaveRank() {
	t, s := p.throng, int(p.standing.Load())
	t.ranks[s].idle.Remove(p.inRank)
	if p.inGroup == nil {
		return
	}
	o := t.sources[p.source]
	o.groups[s].Remove(p.inGroup)
	t.ranks[s].resize(&o.groups[s], -1)
	p.inGroup = nil
	if o.all--; o.all == 0 {
		delete(t.sources, p.source)
	}
}

// tooMany takes those out that have to go now that p has come or risen, for the caller to close.
func (t *Throng) tooMany(p *Place) (victims []*Place) {
	out := func(v *Place, count *uint64) {
		*count++
		v.leaveLocked()
		victims = append(victims, v)
	}
	o := t.sources[p.source]
	if p.inGroup != nil && t.limits.PerSource > 0 && o.all > t.limits.PerSource {
		out(o.idlest(), &t.counts.PerSource)
	}
	s := p.standing.Load()
	if most := t.limits.Standings[s].Most; most > 0 && t.ranks[s].idle.Len() > most {
		out(t.ranks[s].victim(), &t.counts.Crowded)
	}
	if t.all > t.places {
		out(t.victim(), &t.counts.Crowded)
	}
	return victims
}

// victim is of a standing that has more than its share. There is one: the shares are the places.
// Below Known the idlest of the standings' victims goes, so that who has just come has time for a
// handshake while others sit there and do nothing; above, the lowest standing's.
func (t *Throng) victim() (found *Place) {
	for s := range t.ranks {
		if found != nil && s >= t.limits.Known {
			break
		}
		if t.ranks[s].idle.Len() <= t.limits.Standings[s].Share {
			continue
		}
		found = idler(found, t.ranks[s].victim())
	}
	return found
}

// idler gives the one of two that was used less lately; either may be nil.
func idler(a, b *Place) *Place {
	if a == nil || b != nil && b.touched.Load() < a.touched.Load() {
		return b
	}
	return a
}

// Counts are those of now.
func (t *Throng) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Sources = len(t.sources)
	for s := range t.ranks {
		c.Holds = append(c.Holds, t.ranks[s].idle.Len())
	}
	return c
}
