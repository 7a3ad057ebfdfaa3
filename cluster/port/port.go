// Package port is the one TCP port between the members of a cluster: mutual TLS 1.3, connections
// sorted by protocol, each with a known peer.
//
// It lets in a peer that shows a certificate of the cluster's authority and is admitted, and keeps
// each connection where it can be cut. A dial ends at the node that it was meant for, or fails. The
// package hands over Raft's messages with the node whose certificate they came under, because the
// library believes the name in a message. It does not know who is a member, or what a removed node
// may hear: the functions of its Config and its Handler say so.
package port

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/identity"
	"keyquorum/cluster/lives"
	"keyquorum/internal/throng"
)

// The two protocols of the port, told apart by ALPN (RFC 7301).
const (
	Raft  = "keyquorum-raft/1"
	Calls = "h2"
)

// handshakeTimeout bounds what an unknown peer may take before it has shown a certificate;
// handshakes how many may do so at once, handshakesPerSource from one address. Where there are too
// many the oldest goes: a member's takes milliseconds, and waits for no silent stranger's.
const (
	handshakeTimeout    = 5 * time.Second
	handshakes          = 256
	handshakesPerSource = 64
)

// Config is what a port takes of its member. All is required.
type Config struct {
	Listener net.Listener // plain TCP; closed by Close
	Identity identity.Identity
	Life     lives.ID // of this member; what it dials shows it
	Dial     func(ctx context.Context, addr string) (net.Conn, error)
	// Addresses are where a node's port may be, host:port, the likeliest first.
	Addresses func(nodeID string) []string
	// Admits says why a peer may not be heard, nil if it may. It is asked at each connection, also
	// at those that this member dials.
	Admits func(Peer) error
	Logger hclog.Logger
}

// A Port is open from New to Close.
type Port struct {
	config   Config
	identity atomic.Pointer[identity.Identity] // changes with the member's key and the authorities
	raft     *queue
	calls    *queue
	unshaken *throng.Throng // connections whose peer has shown no certificate yet
	refused  atomic.Uint64
	wg       sync.WaitGroup

	mu     sync.Mutex
	links  map[*link]struct{} // accepted and dialled, so that a removed peer's can be cut
	dials  map[string]int     // under way, by node id and protocol
	closed bool
}

// New opens a port.
func New(config Config) *Port {
	p := &Port{
		config: config,
		raft:   newQueue(config.Listener.Addr()),
		calls:  newQueue(config.Listener.Addr()),
		unshaken: throng.New(throng.Limits{
			Standings: []throng.Standing{{Share: handshakes}}, PerSource: handshakesPerSource, Known: 1,
		}),
		links: map[*link]struct{}{},
		dials: map[string]int{},
	}
	p.identity.Store(&config.Identity)
	p.wg.Go(p.accept)
	return p
}

// Counts are of the connections that others have opened, since New.
type Counts struct {
	Refused uint64 // that showed no certificate of somebody who is admitted, in time
	Crowded uint64 // of those, the ones that others had to make room for
}

// Counts are those of now.
func (p *Port) Counts() Counts {
	c := p.unshaken.Counts()
	return Counts{Refused: p.refused.Load(), Crowded: c.Crowded + c.PerSource}
}

// Calls is where connections for calls come in, *tls.Conn each.
func (p *Port) Calls() net.Listener { return p.calls }

// Identity is what this member shows.
func (p *Port) Identity() identity.Identity { return *p.identity.Load() }

// UseIdentity has new connections show another one, and returns the old one.
func (p *Port) UseIdentity(id identity.Identity) (old identity.Identity) {
	return *p.identity.Swap(&id)
}

func (p *Port) accept() {
	for {
		conn, err := p.config.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the peer left already: neither is the listener's end
			p.config.Logger.Warn("cluster port: accept", "error", err)
			select {
			case <-p.calls.done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		place := p.unshaken.Enter(conn)
		p.wg.Go(func() { p.admit(conn, place) })
	}
}

// admit finishes the handshake and hands the connection to its protocol.
func (p *Port) admit(raw net.Conn, place *throng.Place) {
	l := p.track(raw, false)
	conn, err := p.handshake(context.Background(), tls.Server(l, p.tlsConfig(Raft, Calls)), l)
	place.Leave()
	if err != nil {
		p.refused.Add(1)
		p.config.Logger.Debug("cluster port: refused", "remote", raw.RemoteAddr(), "error", err)
		return
	}
	if conn.ConnectionState().NegotiatedProtocol == Raft {
		p.raft.put(conn)
		return
	}
	p.calls.put(conn)
}

// handshake brings conn up within handshakeTimeout and writes down whose it is; on failure it is
// closed.
func (p *Port) handshake(ctx context.Context, conn *tls.Conn, l *link) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		l.Close()
		return nil, err
	}
	state := conn.ConnectionState()
	if state.NegotiatedProtocol == "" {
		l.Close()
		return nil, errors.New("the peer speaks none of our protocols")
	}
	speaker, err := p.identity.Load().PeerOf(state.PeerCertificates)
	if err != nil {
		l.Close()
		return nil, err
	}
	peer := Peer{Speaker: speaker}
	if !l.Dialled {
		peer.Life = lives.Parse(state.ServerName)
	}
	p.mu.Lock()
	l.Peer, l.Protocol = peer, state.NegotiatedProtocol
	p.mu.Unlock()
	// Looked at when the connection can be cut already, or a change of members could slip in between.
	if err := p.config.Admits(peer); err != nil {
		l.Close()
		return nil, err
	}
	return conn, nil
}

// tlsConfig serves both directions: what decides is the CA and the cluster id (decision 6), never a
// name or a date.
func (p *Port) tlsConfig(protocols ...string) *tls.Config {
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

// Close ends the listeners and all connections.
func (p *Port) Close() {
	p.mu.Lock()
	p.closed = true
	all := make([]*link, 0, len(p.links))
	for l := range p.links {
		all = append(all, l)
	}
	p.mu.Unlock()
	p.config.Listener.Close()
	p.raft.Close()
	p.calls.Close()
	for _, l := range all {
		l.Close()
	}
	p.wg.Wait()
}
