// Package fakenet is a network that a test holds in its hand: what it carries is late, lost, cut
// off or broken as the test says, in memory and on fake time too. It imports nothing of ours, so
// that the tests of every room can stand on it.
package fakenet

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A Network carries bytes between hosts that a test names, in memory (Listen, Dialer) or between
// real sockets (Relay), and treats each direction of each link as the test says. In memory it works
// inside a testing/synctest bubble.
//
// What is held back is kept and delivered in order when the link is released, as TCP does while
// packets are lost; a dial through a link that holds back waits likewise.
type Network struct {
	mu        sync.Mutex
	changed   *sync.Cond
	links     map[[2]string]Link
	held      map[[2]string]bool
	paused    map[string]bool
	isolated  map[string]bool // from everybody
	listeners map[string]*memListener
	pipes     map[*pipe]struct{}
	dice      *rand.Rand
	closed    bool
}

// A Link is how one direction between two hosts behaves. The zero Link is perfect.
type Link struct {
	Delay time.Duration // one way
	Rate  int           // bytes a second; 0 is without bound
	Loss  float64       // share of pieces that are sent again, and everything behind them waits for that (200 ms, as with TCP)
}

// resend is the least time after which TCP sends again.
const resend = 200 * time.Millisecond

// New makes a network without hosts.
func New() *Network {
	n := &Network{
		links: map[[2]string]Link{}, held: map[[2]string]bool{}, paused: map[string]bool{},
		isolated:  map[string]bool{},
		listeners: map[string]*memListener{}, pipes: map[*pipe]struct{}{},
		dice: rand.New(rand.NewPCG(1, 1)),
	}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// Dialer dials from host, in memory.
func (n *Network) Dialer(host string) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn,
		error) {
		return n.dial(ctx, host, address)
	}
}

// Hold keeps back what from sends to to, also what is under way already.
func (n *Network) Hold(from, to string) { n.do(func() { n.held[[2]string{from, to}] = true }) }

// Release delivers what was kept back, and everything after it.
func (n *Network) Release(from, to string) { n.do(func() { delete(n.held, [2]string{from, to}) }) }

// Isolate holds every link of host with others, both ways, or with everybody where none is named,
// until Heal.
func (n *Network) Isolate(host string, others ...string) {
	if len(others) == 0 {
		n.do(func() { n.isolated[host] = true })
	}
	for _, other := range others {
		n.Hold(host, other)
		n.Hold(other, host)
	}
}

// Shape makes one direction of a link slow or lossy.
func (n *Network) Shape(from, to string,
	l Link) {
	n.do(func() { n.links[[2]string{from, to}] = l })
}

// Heal makes every link perfect again, also for what is under way: a TCP connection makes up for
// lost packets at once when the link is good. What is paused stays paused.
func (n *Network) Heal() {
	n.do(func() {
		clear(n.held)
		clear(n.isolated)
		clear(n.links)
		for p := range n.pipes {
			p.hurryLocked()
		}
	})
}

// Pause holds everything that goes to host or comes from it, whatever else is said of its links,
// until Resume.
func (n *Network) Pause(host string) { n.do(func() { n.paused[host] = true }) }

// Resume ends Pause.
func (n *Network) Resume(host string) { n.do(func() { delete(n.paused, host) }) }

// Reset breaks every connection of host with others, or with everybody where none is named. New
// ones can be made.
func (n *Network) Reset(host string, others ...string) {
	n.do(func() {
		for p := range n.pipes {
			if p.between(host, others) {
				p.closeLocked()
			}
		}
	})
}

// Close ends the network and every connection in it.
func (n *Network) Close() {
	n.do(func() {
		n.closed = true
		for p := range n.pipes {
			p.closeLocked()
		}
	})
}

func (n *Network) do(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	n.changed.Broadcast()
}

var errNetworkClosed = errors.New("fakenet: the network is closed")

func (n *Network) blockedLocked(from, to string) bool {
	return n.held[[2]string{from, to}] || n.paused[from] || n.paused[to] || n.isolated[from] ||
		n.isolated[to]
}

// await waits until both directions are open: a connection is made by packets that go both ways.
func (n *Network) await(ctx context.Context, from, to string) error {
	defer context.AfterFunc(ctx, func() { n.do(func() {}) })()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.blockedLocked(from, to) || n.blockedLocked(to, from) {
		if n.closed || ctx.Err() != nil {
			break
		}
		n.changed.Wait()
	}
	if n.closed {
		return errNetworkClosed
	}
	return ctx.Err()
}

// join copies between the two inner ends, each direction under the rule of its link.
func (n *Network) join(a, b string, aEnd, bEnd net.Conn) {
	ab := &pipe{network: n, from: a, to: b, in: aEnd, out: bEnd}
	ba := &pipe{network: n, from: b, to: a, in: bEnd, out: aEnd}
	ab.back, ba.back = ba, ab
	n.do(func() {
		n.pipes[ab], n.pipes[ba] = struct{}{}, struct{}{}
		if n.closed {
			ab.closeLocked()
		}
	})
	for _, p := range []*pipe{ab, ba} {
		go p.read()
		go p.write()
	}
}
