package port

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// A Handler is what a member does with Raft's messages. All is required.
type Handler struct {
	// Admit says whether a connection is taken. It may wait. The port can cut the connection by
	// then: whichever comes first when its node is removed, it goes.
	Admit func(Peer) bool
	// Take and Heartbeat get what came in from a node, and answer it. Take has one message of a
	// node at a time. A snapshot's reader fails where the peer lets it wait (pace.go).
	Take, Heartbeat func(nodeID string, rpc raft.RPC)
	Timeout         time.Duration // of a message and its answer
	// MaxUnanswered is how many bytes of messages a node may have sent without an answer, over all
	// its connections, but for snapshots.
	MaxUnanswered int64
}

// maxStreams is how many connections of Raft's a node may have here: a member has a pool, spares,
// and one each for heartbeats, a pipeline and a snapshot, and for a while those of the process
// before it.
const maxStreams = 32

// ServeRaft takes Raft's connections in. It ends when the port is closed and ctx is over.
//
// Each connection has a transport of its own, so that it is known whose a message is, and by which
// connection it came.
func (p *Port) ServeRaft(ctx context.Context, handler Handler) {
	s := &streams{Handler: handler, port: p, ctx: ctx, nodes: map[string]*node{}}
	for {
		conn, err := p.raft.Accept()
		if err != nil {
			break
		}
		s.wg.Go(func() { s.admit(conn) })
	}
	s.wg.Wait()
}

type streams struct {
	Handler
	port *Port
	ctx  context.Context
	wg   sync.WaitGroup

	mu    sync.Mutex
	nodes map[string]*node // that have connections
}

// A node is what the connections of one peer share.
type node struct {
	id      string
	streams int           // guarded by the mu of all streams
	taking  chan struct{} // full while one of its messages is taken
	unanswered
}

func (s *streams) admit(conn net.Conn) {
	peer := PeerOf(conn)
	if !s.Admit(peer) {
		conn.Close()
		return
	}
	n := s.join(peer.Node)
	if n == nil {
		conn.Close()
		s.port.config.Logger.Warn("cluster port: a node opens too many of Raft's connections",
			"node", peer.Node)
		return
	}
	defer s.leave(n)
	s.serve(n, conn)
}

// join counts a connection of a node; nil where it has too many.
func (s *streams) join(nodeID string) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[nodeID]
	if n == nil {
		n = &node{
			id: nodeID, taking: make(chan struct{}, 1),
			unanswered: unanswered{most: s.MaxUnanswered},
		}
		s.nodes[nodeID] = n
	}
	if n.streams == maxStreams {
		return nil
	}
	n.streams++
	return n
}

func (s *streams) leave(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.streams--; n.streams == 0 {
		delete(s.nodes, n.id)
	}
}

// serve ends with the connection, or the member.
func (s *streams) serve(n *node, conn net.Conn) {
	m := &metered{Conn: conn, node: &n.unanswered, closed: make(chan struct{})}
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  &stream{conn: m, addr: s.port.config.Listener.Addr(), ended: make(chan struct{})},
		Timeout: s.Timeout, Logger: s.port.config.Logger.Named("transport"),
	})
	defer trans.Close()
	defer m.Close()
	trans.SetHeartbeatHandler(func(rpc raft.RPC) { s.Heartbeat(n.id, rpc) })
	for {
		select {
		case rpc := <-trans.Consumer():
			if rpc.Reader != nil {
				rpc.Reader = &body{reader: rpc.Reader, conn: m}
			}
			s.take(n, rpc)
		case <-m.closed:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *streams) take(n *node, rpc raft.RPC) {
	select {
	case n.taking <- struct{}{}:
		defer func() { <-n.taking }()
		s.Take(n.id, rpc)
	case <-s.ctx.Done():
	}
}

// A stream is a listener for one connection.
type stream struct {
	conn  net.Conn // nil when it was accepted
	addr  net.Addr
	once  sync.Once
	ended chan struct{}
}

// Accept is called by one goroutine.
func (s *stream) Accept() (net.Conn, error) {
	if conn := s.conn; conn != nil {
		s.conn = nil
		return conn, nil
	}
	<-s.ended
	return nil, net.ErrClosed
}

// Close comes with the end of the transport.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.ended) })
	return nil
}

func (s *stream) Addr() net.Addr { return s.addr }

// Dial is not used: what this node sends goes by its own transport.
func (*stream) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}
