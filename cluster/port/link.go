package port

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"

	"keyquorum/cluster/identity"
	"keyquorum/cluster/lives"
)

// A Peer is who is at the other end of a connection.
type Peer struct {
	identity.Speaker
	Life lives.ID // that the connection shows; zero for one that this member dialled
}

// PeerOf returns whose a connection of this port's listeners is.
func PeerOf(conn net.Conn) Peer { return conn.(*tls.Conn).NetConn().(*link).Peer }

// A Link is a connection with a peer.
type Link struct {
	Peer
	Protocol string // Raft or Calls
	Dialled  bool   // by this member
	Opened   time.Time
}

// A link is a TCP connection whose peer is known once its handshake is done: until then port.mu
// guards Peer and Protocol, which are constant after it.
type link struct {
	net.Conn
	Link
	port  *Port
	heard atomic.Int64 // when something came in last, Unix nanoseconds
}

func (p *Port) track(raw net.Conn, dialled bool) *link {
	l := &link{Conn: raw, port: p, Link: Link{Dialled: dialled, Opened: time.Now()}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		raw.Close()
	}
	p.links[l] = struct{}{}
	return l
}

func (l *link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if n > 0 {
		l.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

func (l *link) Close() error {
	l.port.mu.Lock()
	delete(l.port.links, l)
	l.port.mu.Unlock()
	return l.Conn.Close()
}

// Cut closes those connections of which it is so. Closing one may wait for its writer.
func (p *Port) Cut(is func(Link) bool) {
	p.mu.Lock()
	var gone []*link
	for l := range p.links {
		if l.Node != "" && is(l.Link) {
			gone = append(gone, l)
		}
	}
	p.mu.Unlock()
	for _, l := range gone {
		l.Close()
	}
}

// Alive says whether a node has been heard within a time, over a connection that it dialled in a
// life and that is open.
func (p *Port) Alive(nodeID string, life lives.ID, within time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Now().Add(-within).UnixNano()
	for l := range p.links {
		own := !l.Dialled && l.Node == nodeID && l.Life == life
		if own && l.heard.Load() > since {
			return true
		}
	}
	return false
}
