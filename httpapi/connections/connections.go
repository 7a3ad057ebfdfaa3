// Package connections bounds the connections of an API listener: how many there are, who has a
// place among them, how long each may take, and which bytes it may carry. It can forget what one
// has carried. It knows nothing of what is asked.
package connections

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/forwarded"
	"keyquorum/internal/throng"
)

// What a connection's peer has shown, the least first. Anybody gets as far as prober.
const (
	arriving    = iota // nothing: it is in its TLS handshake, or its PROXY header is awaited
	stranger           // that it speaks TLS
	Prober             // that it asks for nothing but how the node is
	Application        // a token of an application, or its secret
	Operator           // an operator's token, or unseal shares
	standings
)

// StandingNames are values of a label.
var StandingNames = [standings]string{"arriving", "stranger", "probe", "application", "operator"}

// Bounds of connections, besides those of a request (exchange/limits.go).
const (
	defaultPlaces = 8192
	handshakeTime = 5 * time.Second  // a PROXY header before it included
	slowestWrite  = 10 * time.Second // for a TLS record's worth: 16 KiB
)

// crowd has places for so many connections. However many strangers come, operators, probes and
// applications have theirs; however many applications, a newcomer has time to show who it is. A
// source has an eighth of all before its peers are known: a proxy for many has to get by with it,
// as newcomers there replace the idlest and aren't turned away.
func crowd(places int) throng.Limits {
	limits := throng.Limits{
		Standings: make([]throng.Standing, standings), PerSource: places / 8, Known: Application,
	}
	limits.Standings[arriving] = throng.Standing{Share: places / 8, Most: places / 4}
	limits.Standings[stranger] = throng.Standing{Share: places / 8}
	limits.Standings[Prober] = throng.Standing{Share: places / 32}
	limits.Standings[Operator] = throng.Standing{Share: places / 32}
	rest := places - 2*(places/8) - 2*(places/32)
	limits.Standings[Application] = throng.Standing{Share: rest}
	return limits
}

// Connections are those of a node's API.
type Connections struct {
	Throng *throng.Throng

	Unknown   atomic.Uint64 // ended because nobody who may say so told where they come from
	Unshaken  atomic.Uint64 // ended in their TLS handshake
	Slow      atomic.Uint64 // ended because the peer did not read
	Ambiguous atomic.Uint64 // ended because of a request that can be read in two ways
}

// New returns those of one listener, at most so many at once; 0: defaultPlaces.
func New(places int) *Connections {
	if places <= 0 {
		places = defaultPlaces
	}
	return &Connections{Throng: throng.New(crowd(places))}
}

// Listen accepts the connections that come in at l, until the listener that it returns is closed.
// It does the handshakes itself: who has done none costs no more than a place. It offers HTTP/1.1
// alone (see forget.go). trust is asked for each connection, and may answer nil: nobody's.
func (c *Connections) Listen(l net.Listener, config *tls.Config, trust func() *forwarded.Trust,
	log hclog.Logger) net.Listener {
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	api := &apiListener{
		Listener: l, Connections: c, config: config, trust: trust, log: log,
		ready: make(chan net.Conn), failed: make(chan error),
	}
	api.open, api.close = context.WithCancel(context.Background())
	go api.accept()
	return api
}

// An apiListener gives out connections that have done their handshake.
type apiListener struct {
	net.Listener
	*Connections
	config *tls.Config
	trust  func() *forwarded.Trust // whose word on a caller's address counts
	log    hclog.Logger
	ready  chan net.Conn
	failed chan error
	open   context.Context // ends with Close
	close  context.CancelFunc
}

func (l *apiListener) accept() {
	for {
		raw, err := l.Listener.Accept()
		if err == nil {
			place := l.Throng.Enter(raw)
			go l.welcome(raw, place)
			continue
		}
		select {
		case l.failed <- err: // who accepts from us pauses, or ends
		case <-l.open.Done():
			return
		}
	}
}

// welcome learns who is at the other end, and does the handshake.
func (l *apiListener) welcome(raw net.Conn, place *throng.Place) {
	ctx, cancel := context.WithTimeout(l.open, handshakeTime)
	defer cancel()
	from, err := l.trust().Open(ctx, raw)
	if err != nil {
		l.Unknown.Add(1)
		if errors.Is(err, forwarded.ErrNoHeader) && l.open.Err() == nil { // a balancer's settings
			l.log.Warn("a connection was closed", "peer", raw.RemoteAddr().String(), "error", err)
		}
		place.Leave()
		return
	}
	place.Move(from.RemoteAddr())
	under := forgetful(from, &l.Slow)
	conn := &apiConn{
		Conn: tls.Server(under, l.config), raw: under, place: place, ambiguous: &l.Ambiguous,
		peer: raw.RemoteAddr().String(),
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		l.Unshaken.Add(1)
		plainly(err)
		place.Leave()
		raw.Close()
		return
	}
	place.Rise(stranger)
	select {
	case l.ready <- conn:
	case <-l.open.Done():
		conn.Close()
	}
}

// plainly answers a client that speaks HTTP without TLS.
func plainly(err error) {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil {
		return
	}
	switch string(record.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis node speaks HTTPS.\n")
	}
}

func (l *apiListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.open.Done():
		return nil, net.ErrClosed
	}
}

func (l *apiListener) Close() error {
	l.close()
	return l.Listener.Close()
}

// An apiConn is a connection with its place, from its handshake to its end.
type apiConn struct {
	*tls.Conn
	raw       *forgetfulConn
	place     *throng.Place
	peer      string // the other end of the wire: the caller, or a balancer before it
	framing   framing
	ambiguous *atomic.Uint64
}

// Read fails at a request that can be read in two ways; net/http answers that with 400.
func (c *apiConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.framing.take(p[:n]) != nil {
		c.ambiguous.Add(1)
		return 0, errAmbiguous
	}
	return n, err
}

func (c *apiConn) Close() error {
	c.place.Leave()
	return c.Conn.Close()
}

// connKey is the key of an *apiConn in the context of its requests.
type connKey struct{}

// Context puts a connection where its requests find it.
func Context(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*apiConn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// State notes that a connection has got a request, or an answer.
func State(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*apiConn); ok && (state == http.StateActive || state == http.StateIdle) {
		c.place.Touch()
	}
}

// Peer is the other end of the wire that a request came by, if that is a connection of ours.
func Peer(r *http.Request) (peer string, ok bool) {
	conn, ok := r.Context().Value(connKey{}).(*apiConn)
	if !ok {
		return "", false
	}
	return conn.peer, true
}

// Rise gives a request's connection the standing of what the caller has shown.
func Rise(r *http.Request, standing int) {
	if conn, ok := r.Context().Value(connKey{}).(*apiConn); ok {
		conn.place.Rise(standing)
	}
}
