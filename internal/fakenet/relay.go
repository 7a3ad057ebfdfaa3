package fakenet

import (
	"context"
	"net"
	"sync"
	"time"
)

// A relay stands in front of a real socket, so that a Network rules over what passes.
type relay struct {
	network  *Network
	host     string // whose socket it is
	target   string // host:port
	who      func(net.Addr) string
	listener net.Listener
	ctx      context.Context // ends with close
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// Relay carries what is dialled at l to target, the address of host. who tells which host a remote
// address is. It ends with the function that it returns.
func (n *Network) Relay(l net.Listener, host, target string,
	who func(net.Addr) string) (end func()) {
	r := &relay{network: n, host: host, target: target, who: who, listener: l}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Go(r.accept)
	return r.close
}

func (r *relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.carry(conn) })
	}
}

// carry dials on. Where the target refuses, so does the relay, a little later.
func (r *relay) carry(near net.Conn) {
	from := r.who(near.RemoteAddr())
	err := r.network.await(r.ctx, from, r.host)
	if err != nil {
		near.Close()
		return
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	far, err := dialer.DialContext(r.ctx, "tcp", r.target)
	if err != nil {
		near.(*net.TCPConn).SetLinger(0) // a reset, as from a port that nobody listens at
		near.Close()
		return
	}
	r.network.join(from, r.host, near, far)
}

func (r *relay) close() {
	r.cancel()
	r.listener.Close()
	r.wg.Wait()
}
