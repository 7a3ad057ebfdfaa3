package testcluster

import (
	"context"
	"errors"
	"net"
	"sync"
)

// A Network is a network in memory between hosts that a test names. It works inside a testing/synctest bubble.
//
// A link has a direction. A held link keeps what is sent back, as TCP does while packets are lost, and delivers it in
// order when it is released; a dial through it waits likewise.
type Network struct {
	mu        sync.Mutex
	changed   *sync.Cond
	held      map[[2]string]bool
	listeners map[string]*memListener
	pipes     map[*pipe]struct{}
	closed    bool
}

// NewNetwork makes a network without hosts.
func NewNetwork() *Network {
	n := &Network{held: map[[2]string]bool{}, listeners: map[string]*memListener{}, pipes: map[*pipe]struct{}{}}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// Listen makes host reachable at address.
func (n *Network) Listen(host, address string) net.Listener {
	l := &memListener{network: n, host: host, addr: memAddr(address), conns: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[address] = l
	return l
}

// Dialer dials from host.
func (n *Network) Dialer(host string) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) { return n.dial(ctx, host, address) }
}

// Hold keeps back what from sends to to, also what is under way already.
func (n *Network) Hold(from, to string) { n.set(from, to, true) }

// Release delivers what was kept back, and everything after it.
func (n *Network) Release(from, to string) { n.set(from, to, false) }

// Isolate holds every link of host with others, both ways.
func (n *Network) Isolate(host string, others ...string) {
	for _, other := range others {
		n.Hold(host, other)
		n.Hold(other, host)
	}
}

// Heal releases every link.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.held)
	n.changed.Broadcast()
}

func (n *Network) set(from, to string, held bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held[[2]string{from, to}] = held
	n.changed.Broadcast()
}

// Close ends the network and every connection in it.
func (n *Network) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for p := range n.pipes {
		p.closeLocked()
	}
	n.changed.Broadcast()
}

var errNetworkClosed = errors.New("testcluster: the network is closed")

// pass waits until the link is open. stop ends the wait from outside.
func (n *Network) passLocked(from, to string, stop func() bool) error {
	for n.held[[2]string{from, to}] {
		if n.closed || stop() {
			return errNetworkClosed
		}
		n.changed.Wait()
	}
	if n.closed || stop() {
		return errNetworkClosed
	}
	return nil
}

func (n *Network) dial(ctx context.Context, from, address string) (net.Conn, error) {
	defer context.AfterFunc(ctx, func() { n.mu.Lock(); n.changed.Broadcast(); n.mu.Unlock() })()
	n.mu.Lock()
	l, ok := n.listeners[address]
	if !ok {
		n.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: memAddr(address), Err: errors.New("connection refused")}
	}
	err := n.passLocked(from, l.host, func() bool { return ctx.Err() != nil })
	if err == nil {
		err = n.passLocked(l.host, from, func() bool { return ctx.Err() != nil })
	}
	n.mu.Unlock()
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	near, nearEnd := net.Pipe()
	far, farEnd := net.Pipe()
	n.join(from, l.host, nearEnd, farEnd)
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		err = &net.OpError{Op: "dial", Net: "memory", Addr: l.addr, Err: errors.New("connection refused")}
	case <-ctx.Done():
		err = ctx.Err()
	}
	near.Close()
	far.Close()
	return nil, err
}

// join copies between the two inner ends, each direction under the rule of its link.
func (n *Network) join(a, b string, aEnd, bEnd net.Conn) {
	ab := &pipe{network: n, from: a, to: b, in: aEnd, out: bEnd}
	ba := &pipe{network: n, from: b, to: a, in: bEnd, out: aEnd}
	ab.back, ba.back = ba, ab
	n.mu.Lock()
	n.pipes[ab], n.pipes[ba] = struct{}{}, struct{}{}
	n.mu.Unlock()
	for _, p := range []*pipe{ab, ba} {
		go p.read()
		go p.write()
	}
}

// A pipe is one direction of a connection. Its queue stands for the buffers of the kernel and the wire.
type pipe struct {
	network  *Network
	from, to string
	in, out  net.Conn
	back     *pipe

	queue [][]byte // guarded by network.mu
	ended bool     // the sender closed: deliver the queue, then close
	dead  bool     // nothing more is delivered
}

func (p *pipe) read() {
	buffer := make([]byte, 32<<10)
	for {
		k, err := p.in.Read(buffer)
		p.network.mu.Lock()
		if k > 0 {
			p.queue = append(p.queue, append([]byte(nil), buffer[:k]...))
		}
		p.ended = p.ended || err != nil
		dead := p.dead
		p.network.changed.Broadcast()
		p.network.mu.Unlock()
		if err != nil || dead {
			return
		}
	}
}

func (p *pipe) write() {
	for {
		chunk, ok := p.next()
		if !ok {
			p.out.Close()
			p.network.mu.Lock()
			delete(p.network.pipes, p)
			p.network.mu.Unlock()
			return
		}
		if _, err := p.out.Write(chunk); err != nil {
			p.network.mu.Lock()
			p.closeLocked()
			p.network.mu.Unlock()
		}
	}
}

func (p *pipe) next() ([]byte, bool) {
	n := p.network
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case p.dead || n.closed:
			return nil, false
		case n.held[[2]string{p.from, p.to}]:
		case len(p.queue) > 0:
			chunk := p.queue[0]
			p.queue = p.queue[1:]
			return chunk, true
		case p.ended:
			return nil, false
		}
		n.changed.Wait()
	}
}

func (p *pipe) closeLocked() {
	p.dead, p.back.dead = true, true
	p.in.Close()
	p.out.Close()
	p.network.changed.Broadcast()
}

type memListener struct {
	network *Network
	host    string
	addr    memAddr
	conns   chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.network.mu.Lock()
		if l.network.listeners[string(l.addr)] == l {
			delete(l.network.listeners, string(l.addr))
		}
		l.network.mu.Unlock()
	})
	return nil
}

func (l *memListener) Addr() net.Addr { return l.addr }

type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }
