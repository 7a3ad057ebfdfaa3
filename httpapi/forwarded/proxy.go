package forwarded

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pires/go-proxyproto"
)

// Reasons to close a connection.
var (
	// ErrElsewhere: it doesn't come from a named network, and nobody else is let in.
	ErrElsewhere = errors.New("connections are taken from proxy_protocol_authorized_addrs only")
	// ErrNoHeader: it comes from a named network, and does not begin with a good PROXY header in time.
	ErrNoHeader = errors.New("a connection of proxy_protocol_authorized_addrs has no PROXY header")
)

// Open returns a connection whose RemoteAddr is the caller's. That is raw itself where nobody
// stands between. From one of Proxies it first takes the PROXY header, version 1 or 2, for which it
// waits until ctx ends; then, or where there is none, it closes raw. Whether one is there is never
// guessed: a balancer that writes none would let its clients write it.
//
// What a balancer asks for itself (LOCAL, UNKNOWN) comes from the balancer.
func (t *Trust) Open(ctx context.Context, raw net.Conn) (net.Conn, error) {
	if t == nil || !within(t.Proxies, addressOf(raw.RemoteAddr())) {
		if t != nil && t.OnlyProxies {
			raw.Close()
			return nil, ErrElsewhere
		}
		return raw, nil
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	conn := proxyproto.NewConn(raw, proxyproto.WithPolicy(proxyproto.REQUIRE),
		proxyproto.ValidateHeader(tellsTCP), proxyproto.SetReadHeaderTimeout(0)) // ctx is the deadline
	if _, err := conn.Read(nil); err != nil {
		raw.Close()
		return nil, fmt.Errorf("%w (%w)", ErrNoHeader, err)
	}
	return &forwardedConn{conn, conn.RemoteAddr()}, nil
}

// tellsTCP takes headers that name a TCP client, or none.
func tellsTCP(h *proxyproto.Header) error {
	if _, _, ok := h.TCPAddrs(); ok || h.Command.IsLocal() {
		return nil
	}
	return errors.New("it names no TCP client")
}

// A forwardedConn came through a proxy.
type forwardedConn struct {
	net.Conn
	client net.Addr
}

func (c *forwardedConn) RemoteAddr() net.Addr { return c.client }
