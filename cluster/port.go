package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/identity"
	"keyquorum/cluster/lives"
)

// The two protocols of the cluster port, told apart by ALPN (RFC 7301).
const (
	protoRaft  = "keyquorum-raft/1"
	protoCalls = "h2"
)

// handshakeTimeout bounds what an unknown peer may take before it has shown a certificate; handshakes how many may do so at once.
const (
	handshakeTimeout = 5 * time.Second
	handshakes       = 64
)

// dialTimeout bounds a dial with its handshake; maxDials how many to one node, for one protocol, may be under way: every
// call to a node that answers nothing begins one.
const (
	dialTimeout = 5 * time.Second
	maxDials    = 8
)

// A port is the cluster port: one TCP listener, mutual TLS 1.3, connections sorted by protocol.
// It lets in whoever shows a certificate of the cluster's CA; what a removed node hears is up to the two listeners behind it.
type port struct {
	inner    net.Listener
	identity atomic.Pointer[identity.Identity] // changes with the member's key, and with the authorities
	logger   hclog.Logger
	dial     func(ctx context.Context, addr string) (net.Conn, error)

	admits func(speaker) error // set before the first connection
	life   lives.ID            // of this member; what it dials shows it

	raft, calls *connQueue
	slots       chan struct{}
	wg          sync.WaitGroup

	mu     sync.Mutex
	conns  map[*peerConn]struct{} // accepted and dialled, so that a removed peer's can be cut
	dials  map[string]int         // under way, by node id and protocol
	closed bool
}

func newPort(
	inner net.Listener, id identity.Identity, life lives.ID,
	dial func(context.Context, string) (net.Conn, error), admits func(speaker) error,
	logger hclog.Logger,
) *port {
	p := &port{
		inner: inner, life: life, dial: dial, admits: admits, logger: logger,
		raft:  newConnQueue(inner.Addr()),
		calls: newConnQueue(inner.Addr()),
		slots: make(chan struct{}, handshakes),
		conns: map[*peerConn]struct{}{},
		dials: map[string]int{},
	}
	p.identity.Store(&id)
	p.wg.Go(p.accept)
	return p
}

func (p *port) accept() {
	for {
		conn, err := p.inner.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the peer left already: neither is the listener's end
			p.logger.Warn("cluster port: accept", "error", err)
			select {
			case <-p.calls.done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		select {
		case p.slots <- struct{}{}:
			p.wg.Go(func() {
				defer func() { <-p.slots }()
				p.admit(conn)
			})
		default:
			conn.Close()
		}
	}
}

// admit finishes the handshake and hands the connection to its protocol.
func (p *port) admit(raw net.Conn) {
	tracked := p.track(raw, false)
	conn, err := p.handshake(context.Background(), tls.Server(tracked, p.tlsConfig(protoRaft, protoCalls)), tracked)
	if err != nil {
		p.logger.Debug("cluster port: refused", "remote", raw.RemoteAddr(), "error", err)
		return
	}
	if conn.ConnectionState().NegotiatedProtocol == protoRaft {
		p.raft.put(conn)
		return
	}
	p.calls.put(conn)
}

// open dials addr and returns a connection that the node with that id, and no other, holds the other end of.
func (p *port) open(ctx context.Context, nodeID, addr, protocol string) (*tls.Conn, error) {
	if !p.beginDial(nodeID + protocol) {
		return nil, fmt.Errorf("%d dials to node %s are under way already", maxDials, nodeID)
	}
	defer p.endDial(nodeID + protocol)
	raw, err := p.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	tracked := p.track(raw, true)
	config := p.tlsConfig(protocol)
	config.ServerName = p.life.String()
	conn, err := p.handshake(ctx, tls.Client(tracked, config), tracked)
	if err != nil {
		return nil, err
	}
	if tracked.peer.Node != nodeID {
		conn.Close()
		return nil, fmt.Errorf("node %s answers at the address of node %s", tracked.peer.Node, nodeID)
	}
	return conn, nil
}

func (p *port) beginDial(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dials[key] >= maxDials {
		return false
	}
	p.dials[key]++
	return true
}

func (p *port) endDial(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dials[key]--; p.dials[key] == 0 {
		delete(p.dials, key)
	}
}

// handshake brings conn up within handshakeTimeout and writes down whose it is; on failure it is closed.
func (p *port) handshake(ctx context.Context, conn *tls.Conn, tracked *peerConn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		tracked.Close()
		return nil, err
	}
	state := conn.ConnectionState()
	if state.NegotiatedProtocol == "" {
		tracked.Close()
		return nil, errors.New("the peer speaks none of our protocols")
	}
	who, err := p.identity.Load().PeerOf(state.PeerCertificates)
	if err != nil {
		tracked.Close()
		return nil, err
	}
	peer := speaker{Speaker: who}
	if !tracked.dialled {
		peer.life = lives.Parse(state.ServerName)
	}
	p.mu.Lock()
	tracked.peer, tracked.protocol = peer, state.NegotiatedProtocol
	p.mu.Unlock()
	// Looked at when the connection can be cut already, or a change of members could slip in between.
	if err := p.admits(peer); err != nil {
		tracked.Close()
		return nil, err
	}
	return conn, nil
}

// tlsConfig serves both directions: what decides is the CA and the cluster id (decision 6), never a name or a date.
func (p *port) tlsConfig(protocols ...string) *tls.Config {
	id := p.identity.Load()
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{id.Certificate},
		NextProtos:             protocols,
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true, // a certificate at every connection
		InsecureSkipVerify:     true, // VerifyConnection takes its place
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := id.PeerOf(s.PeerCertificates)
			return err
		},
	}
}

// cut closes every connection with a peer.
func (p *port) cut(nodeID string) {
	p.cutWhere(func(peer speaker) bool { return peer.Node == nodeID })
}

// cutWhere closes the connections with those of whom it is so.
func (p *port) cutWhere(is func(speaker) bool) {
	p.cutThose(func(c *peerConn) bool { return is(c.peer) })
}

// cutRaft closes all of Raft's connections.
func (p *port) cutRaft() { p.cutThose(func(c *peerConn) bool { return c.protocol == protoRaft }) }

// cutOthers closes the connections with a node in another life than one that has just begun: those
// that it dialled, and those to it that are older.
func (p *port) cutOthers(nodeID string, life lives.ID) {
	now := time.Now()
	p.cutThose(func(c *peerConn) bool {
		older := c.peer.life.Count > 0 && c.peer.life != life
		return c.peer.Node == nodeID && (older || c.dialled && now.Sub(c.opened) > time.Second)
	})
}

// alive says whether a node has been heard within a time, over a connection that it dialled in a
// life and that is open.
func (p *port) alive(nodeID string, life lives.ID, within time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Now().Add(-within).UnixNano()
	for c := range p.conns {
		own := !c.dialled && c.peer.Node == nodeID && c.peer.life == life
		if own && c.heard.Load() > since {
			return true
		}
	}
	return false
}

func (p *port) cutThose(are func(*peerConn) bool) {
	p.mu.Lock()
	var gone []*peerConn
	for c := range p.conns {
		if c.peer.Node != "" && are(c) {
			gone = append(gone, c)
		}
	}
	p.mu.Unlock()
	for _, c := range gone {
		c.Close()
	}
}

func (p *port) close() {
	p.mu.Lock()
	p.closed = true
	all := make([]*peerConn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	p.inner.Close()
	p.raft.Close()
	p.calls.Close()
	for _, c := range all {
		c.Close()
	}
	p.wg.Wait()
}

func (p *port) track(raw net.Conn, dialled bool) *peerConn {
	c := &peerConn{Conn: raw, port: p, dialled: dialled, opened: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		raw.Close()
	}
	p.conns[c] = struct{}{}
	return c
}

// A peerConn is a TCP connection whose peer is known once its handshake is done.
type peerConn struct {
	net.Conn
	port    *port
	opened  time.Time
	dialled bool         // by this member
	heard   atomic.Int64 // when something came in last, Unix nanoseconds

	// Guarded by port.mu until the handshake is done, constant after it.
	peer     speaker
	protocol string
}

func (c *peerConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

func (c *peerConn) Close() error {
	c.port.mu.Lock()
	delete(c.port.conns, c)
	c.port.mu.Unlock()
	return c.Conn.Close()
}

// A speaker is who is at the other end of a connection.
type speaker struct {
	identity.Speaker
	life lives.ID // that the connection shows; zero for one that this member dialled
}

// peerOfConn returns the node id behind a connection of this port.
func peerOfConn(conn net.Conn) string { return speakerOfConn(conn).Node }

func speakerOfConn(conn net.Conn) speaker {
	return conn.(*tls.Conn).NetConn().(*peerConn).peer
}

// A connQueue is the net.Listener of one protocol.
type connQueue struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newConnQueue(addr net.Addr) *connQueue {
	return &connQueue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (q *connQueue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.done:
		c.Close()
	}
}

func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

func (q *connQueue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

func (q *connQueue) Addr() net.Addr { return q.addr }
