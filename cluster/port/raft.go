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
	// node at a time.
	Take, Heartbeat func(nodeID string, rpc raft.RPC)
	Timeout         time.Duration // of a message and its answer
}

// ServeRaft takes Raft's connections in. It ends when the port is closed and ctx is over.
//
// Each peer's connections have a transport of their own, so that it is known whose a message is.
// There are no more of them than the authority has certified nodes.
func (p *Port) ServeRaft(ctx context.Context, handler Handler) {
	s := &streams{Handler: handler, port: p, ctx: ctx, byNode: map[string]*stream{}}
	for {
		conn, err := p.raft.Accept()
		if err != nil {
			break
		}
		s.wg.Go(func() { s.admit(conn) })
	}
	s.close()
	s.wg.Wait()
}

type streams struct {
	Handler
	port *Port
	ctx  context.Context
	wg   sync.WaitGroup

	mu     sync.Mutex
	byNode map[string]*stream
	ended  bool
}

// A stream is a listener for the connections of one peer.
type stream struct {
	*queue
	trans *raft.NetworkTransport
}

// Dial is not used: what this node sends goes by its own transport.
func (*stream) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func (s *streams) admit(conn net.Conn) {
	peer := PeerOf(conn)
	if !s.Admit(peer) {
		conn.Close()
		return
	}
	s.of(peer.Node).put(conn)
}

func (s *streams) of(nodeID string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byNode[nodeID]; p != nil {
		return p
	}
	p := &stream{queue: newQueue(s.port.config.Listener.Addr())}
	if s.ended {
		p.Close()
		return p
	}
	p.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: p, Timeout: s.Timeout, Logger: s.port.config.Logger.Named("transport"),
	})
	p.trans.SetHeartbeatHandler(func(rpc raft.RPC) { s.Heartbeat(nodeID, rpc) })
	s.byNode[nodeID] = p
	s.wg.Go(func() { s.pass(nodeID, p.trans) })
	return p
}

func (s *streams) pass(nodeID string, trans *raft.NetworkTransport) {
	for {
		select {
		case rpc := <-trans.Consumer():
			s.Take(nodeID, rpc)
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *streams) close() {
	s.mu.Lock()
	s.ended = true
	all := s.byNode
	s.mu.Unlock()
	for _, p := range all {
		p.Close()
		p.trans.Close()
	}
}
