package fakenet

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Listen makes host reachable at address, in memory. A dial returns when it was accepted.
func (n *Network) Listen(host, address string) net.Listener {
	l := &memListener{network: n, host: host, addr: memAddr(address), conns: make(chan net.Conn),
		done: make(chan struct{})}
	n.do(func() { n.listeners[address] = l })
	return l
}

func (n *Network) dial(ctx context.Context, from, address string) (net.Conn, error) {
	n.mu.Lock()
	l, ok := n.listeners[address]
	n.mu.Unlock()
	if !ok {
		return nil, refused(address)
	}
	if err := n.await(ctx, from, l.host); err != nil {
		return nil, err
	}
	near, nearEnd := net.Pipe()
	far, farEnd := net.Pipe()
	n.join(from, l.host, nearEnd, farEnd)
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		near.Close()
		far.Close()
		return nil, refused(address)
	case <-ctx.Done():
		near.Close()
		far.Close()
		return nil, ctx.Err()
	}
}

// Unlisten closes every listener of host: who dials it is refused.
func (n *Network) Unlisten(host string) {
	n.mu.Lock()
	var gone []*memListener
	for _, l := range n.listeners {
		if l.host == host {
			gone = append(gone, l)
		}
	}
	n.mu.Unlock()
	for _, l := range gone {
		l.Close()
	}
}

func refused(address string) error {
	return &net.OpError{Op: "dial", Net: "memory", Addr: memAddr(address),
		Err: errors.New("connection refused")}
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
		l.network.do(func() {
			if l.network.listeners[string(l.addr)] == l {
				delete(l.network.listeners, string(l.addr))
			}
		})
	})
	return nil
}

func (l *memListener) Addr() net.Addr { return l.addr }

type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }
