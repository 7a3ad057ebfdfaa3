// Package throng bounds the connections that a listener holds, so that whoever has many of them
// keeps nobody else from having one.
//
// Nobody is turned away at the door: a new connection is let in, and where there are too many the
// idlest goes, of those whose peer is known only when no other is left. A connection begins with the
// lowest standing and rises by what its peer has shown. Each standing has a share of the places; a connection is closed for
// others' sake only when its standing has more than its share. So those of a high standing have
// places that no number of low ones takes, and a newcomer has time to show who it is however many
// of a high standing there are.
package throng

import (
	"container/list"
	"net"
	"net/netip"
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
	here    []list.List // of *Place by standing, the idlest first
	sources map[source]*list.List
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
		limits: limits, here: make([]list.List, len(limits.Standings)), sources: map[source]*list.List{},
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
	inStanding, inSource *list.Element // nil when it is in none
	gone                 bool
}

// Enter takes a connection in, and closes another one where that makes one too many. conn.Close
// must not wait for its peer.
func (t *Throng) Enter(conn net.Conn) *Place {
	p := &Place{throng: t, conn: conn, source: sourceOf(conn.RemoteAddr())}
	p.touched.Store(time.Now().UnixNano())
	t.mu.Lock()
	t.all++
	p.inStanding = t.here[0].PushBack(p)
	if t.limits.Known > 0 {
		p.enterSource()
	}
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
	t.here[old].Remove(p.inStanding)
	p.standing.Store(int32(standing))
	p.touched.Store(time.Now().UnixNano())
	p.inStanding = t.here[standing].PushBack(p)
	if standing >= t.limits.Known {
		p.leaveSource()
	}
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
	t.here[p.standing.Load()].MoveToBack(p.inStanding)
	if p.inSource != nil {
		t.sources[p.source].MoveToBack(p.inSource)
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
	p.throng.here[p.standing.Load()].Remove(p.inStanding)
	p.leaveSource()
}

func (p *Place) enterSource() {
	of := p.throng.sources[p.source]
	if of == nil {
		of = list.New()
		p.throng.sources[p.source] = of
	}
	p.inSource = of.PushBack(p)
}

func (p *Place) leaveSource() {
	if p.inSource == nil {
		return
	}
	of := p.throng.sources[p.source]
	of.Remove(p.inSource)
	p.inSource = nil
	if of.Len() == 0 {
		delete(p.throng.sources, p.source)
	}
}

// tooMany takes those out that have to go now that p has come or risen, for the caller to close.
func (t *Throng) tooMany(p *Place) (victims []*Place) {
	out := func(v *Place, count *uint64) {
		*count++
		v.leaveLocked()
		victims = append(victims, v)
	}
	if of := t.sources[p.source]; p.inSource != nil && t.limits.PerSource > 0 && of.Len() > t.limits.PerSource {
		out(of.Front().Value.(*Place), &t.counts.PerSource)
	}
	s := p.standing.Load()
	if most := t.limits.Standings[s].Most; most > 0 && t.here[s].Len() > most {
		out(t.here[s].Front().Value.(*Place), &t.counts.Crowded)
	}
	if t.all > t.places {
		out(t.idlest(), &t.counts.Crowded)
	}
	return victims
}

// idlest is of a standing that has more than its share. There is one: the shares are the places.
// Below Known the idlest of all these goes, so that who has just come has time for a handshake
// while others sit there and do nothing; above, the lowest standing's.
func (t *Throng) idlest() (found *Place) {
	for s := range t.here {
		if found != nil && s >= t.limits.Known {
			break
		}
		if t.here[s].Len() <= t.limits.Standings[s].Share {
			continue
		}
		p := t.here[s].Front().Value.(*Place)
		if found == nil || p.touched.Load() < found.touched.Load() {
			found = p
		}
	}
	return found
}

// Counts are those of now.
func (t *Throng) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Sources = len(t.sources)
	for s := range t.here {
		c.Holds = append(c.Holds, t.here[s].Len())
	}
	return c
}

// A source is where a connection comes from, as far as one peer has it to itself: whoever has an
// IPv6 address has all of its /64.
type source string

func sourceOf(addr net.Addr) source {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil { // a network of a test
		return source(addr.String())
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		prefix, _ := ip.Prefix(64)
		return source(prefix.String())
	}
	return source(ip.String())
}
