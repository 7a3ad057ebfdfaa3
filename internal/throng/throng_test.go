package throng_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/throng"
)

// A peer is a connection that knows whether it was closed.
type peer struct {
	net.Conn
	addr   net.Addr
	closed bool
}

func (p *peer) RemoteAddr() net.Addr { return p.addr }
func (p *peer) Close() error         { p.closed = true; return nil }

func from(address string) *peer {
	return &peer{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
}

func stranger(i int) *peer { return from(fmt.Sprintf("10.0.%d.%d:1", i/250, i%250+1)) }

var limits = throng.Limits{
	Standings: []throng.Standing{{Share: 4, Most: 6}, {Share: 4}, {Share: 2}}, PerSource: 3, Known: 2,
}

// Whoever comes is let in, and the idlest goes whose standing has more than its share.
func TestTheIdlestGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := throng.New(limits)
		var peers []*peer
		var places []*throng.Place
		enter := func(standing int) {
			p := stranger(len(peers))
			peers, places = append(peers, p), append(places, all.Enter(p))
			places[len(places)-1].Rise(standing)
			time.Sleep(2 * time.Second)
		}
		enter(2)
		for range 9 {
			enter(1)
		}
		places[1].Touch()
		enter(0)
		if got := closed(peers); !slices.Equal(got, []int{2}) {
			t.Fatalf("closed are %v, and the idlest of those above their share was 2", got)
		}
		for range 20 {
			enter(0)
		}
		if peers[0].closed {
			t.Error("one of a high standing went for strangers")
		}
		holds := all.Counts().Holds
		if holds[0]+holds[1]+holds[2] != 10 || holds[0] > 6 || holds[1] < 4 || holds[2] != 1 {
			t.Errorf("held are %v", holds)
		}
	})
}

// Who has just come has time, while others of a low standing sit there and do nothing.
func TestNewcomersOutlastTheIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := throng.New(limits)
		var idle []*peer
		for i := range 5 {
			idle = append(idle, stranger(i))
			all.Enter(idle[i]).Rise(1)
		}
		time.Sleep(time.Second)
		var coming []*peer
		for i := range 6 {
			coming = append(coming, stranger(10+i))
			all.Enter(coming[i])
		}
		if closed(coming) != nil || len(closed(idle)) != 1 {
			t.Errorf("closed are %v of those who came, and %v of the idle", closed(coming), closed(idle))
		}
	})
}

// Who comes alone has time for its handshake while a flood comes from a few sources, each of whose
// connections is younger.
func TestTheLoneOutlastAFlood(t *testing.T) {
	for standing := range 2 {
		synctest.Test(t, func(t *testing.T) {
			all := throng.New(throng.Limits{
				Standings: []throng.Standing{{Share: 40, Most: 60}, {Share: 40}, {Share: 10}},
				PerSource: 60, Known: 2,
			})
			alone := []*peer{stranger(100), stranger(101)}
			for _, p := range alone {
				all.Enter(p).Rise(standing)
			}
			for i := range 3000 {
				place := all.Enter(from(fmt.Sprintf("10.1.1.%d:%d", i%3, i)))
				if i%5 == 0 {
					place.Rise(1)
				}
				if i%4 == 0 {
					place.Leave()
				}
				time.Sleep(time.Millisecond)
			}
			if got := closed(alone); got != nil {
				t.Errorf("closed are %v of those who came alone with standing %d", got, standing)
			}
			if c := all.Counts(); c.Crowded == 0 || c.Sources != 5 {
				t.Errorf("counts are %+v", c)
			}
		})
	}
}

// However many have risen, a newcomer has a place.
func TestTheKnownLeaveNewcomersTheirShare(t *testing.T) {
	all := throng.New(limits)
	for i := range 50 {
		all.Enter(stranger(i)).Rise(2)
	}
	p := stranger(100)
	place := all.Enter(p)
	for i := range 3 {
		all.Enter(stranger(200 + i))
	}
	if p.closed {
		t.Error("a newcomer went for those who are known")
	}
	place.Rise(2)
	if p.closed {
		t.Error("a newcomer that has shown who it is went for those who are idler")
	}
}

func TestOneSourceHasNoMoreThanItsPart(t *testing.T) {
	all := throng.New(limits)
	var peers []*peer
	for i := range 5 {
		p := from(fmt.Sprintf("[2001:db8::%d]:%d", i+1, 1000+i))
		peers = append(peers, p)
		all.Enter(p)
	}
	mapped := []*peer{from("[::ffff:10.1.1.1]:1"), from("10.1.1.1:2"), from("10.1.1.1:3"),
		from("10.1.1.1:4")}
	for _, p := range mapped[:3] {
		all.Enter(p)
	}
	if got := closed(peers); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("closed of one /64 are %v", got)
	}
	all.Enter(mapped[3])
	if got := closed(mapped); !slices.Equal(got, []int{0}) {
		t.Errorf("closed of one IPv4 address are %v", got)
	}
	if c := all.Counts(); c.PerSource != 3 || c.Sources != 2 {
		t.Errorf("counts are %+v", c)
	}
}

// Who is known counts for its source no more, and who has left for nobody.
func TestPlacesAreGivenUpOnce(t *testing.T) {
	all := throng.New(limits)
	known := all.Enter(from("10.1.1.1:1"))
	known.Rise(2)
	known.Rise(1)
	var places []*throng.Place
	for i := range 3 {
		places = append(places, all.Enter(from(fmt.Sprintf("10.1.1.1:%d", 10+i))))
	}
	if c := all.Counts(); c.PerSource != 0 || c.Holds[2] != 1 {
		t.Errorf("counts are %+v", c)
	}
	for _, p := range append(places, known) {
		p.Leave()
		p.Leave()
		p.Rise(2)
		p.Touch()
	}
	if c := all.Counts(); c.Sources != 0 || !slices.Equal(c.Holds, []int{0, 0, 0}) {
		t.Errorf("counts are %+v", c)
	}
}

func closed(peers []*peer) (which []int) {
	for i, p := range peers {
		if p.closed {
			which = append(which, i)
		}
	}
	return which
}

// Once a proxy has said whose a connection is, it counts there, and no longer as the proxy's.
func TestMovedConnectionsCountWhereTheyComeFrom(t *testing.T) {
	all := throng.New(limits)
	var peers []*peer
	enter := func(caller string) {
		p := from("10.1.0.1:1")
		peers = append(peers, p)
		all.Enter(p).Move(from(caller).addr)
	}
	for i := range 3 {
		enter(fmt.Sprintf("192.0.2.%d:1", i))
	}
	if got, n := closed(peers), all.Counts().Sources; len(got) > 0 || n != 3 {
		t.Fatalf("closed are %v; there are %d sources, want 3", got, n)
	}
	for range 3 { // with the first, one more than a source may have
		enter("192.0.2.0:2")
	}
	if got := closed(peers); !slices.Equal(got, []int{0}) {
		t.Errorf("closed are %v, want the idlest of the caller with too many", got)
	}
	if n := all.Counts().PerSource; n != 1 {
		t.Errorf("%d went for their source", n)
	}
}
