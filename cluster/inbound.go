package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/raftfix"
	"keyquorum/fsm"
)

// inbound takes Raft's messages in, and knows of each whose certificate it came under: the library
// believes the name that stands in a message. So each peer's connections have a transport of their
// own.
type inbound struct {
	t *raftfix.Transport
	c *Cluster

	installing sync.Mutex             // held while a peer's snapshot is taken
	installer  atomic.Pointer[string] // whose that is

	mu    sync.Mutex
	peers map[string]*peerStream
	ended bool
}

// A peerStream is a listener for the connections of one peer.
type peerStream struct {
	*connQueue
	trans *raft.NetworkTransport
	led   atomic.Bool // this member has taken its entries
}

// Dial is not used: what this node sends goes by its own transport.
func (*peerStream) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func newInbound(c *Cluster) *inbound {
	return &inbound{t: c.transport, c: c, peers: map[string]*peerStream{}}
}

// accept ends with the port.
func (in *inbound) accept() {
	for {
		conn, err := in.c.port.raft.Accept()
		if err != nil {
			break
		}
		in.c.wg.Go(func() { in.admit(conn) })
	}
	in.mu.Lock()
	in.ended = true
	peers := in.peers
	in.mu.Unlock()
	for _, p := range peers {
		p.Close()
		p.trans.Close()
	}
}

// admit takes a connection, or closes it. The port can cut it by now: whichever comes first when
// its node is removed, it goes.
func (in *inbound) admit(conn net.Conn) {
	peer := speakerOfConn(conn)
	if !in.c.listensTo(peer.Node) || !in.c.meets(peer) { // after the port can cut it
		conn.Close()
		return
	}
	in.of(peer.Node).put(conn)
}

// meets says whether the other end of a connection has accepted this member, and counts for its
// node itself.
func (c *Cluster) meets(peer speaker) bool {
	ctx, cancel := context.WithTimeout(c.ctx, 2*helloWait)
	defer cancel()
	accepted := peer.life.Count == 0 || c.greet(ctx, peer.Node) == nil
	return accepted && c.hears.speaks(peer)
}

// of returns the stream of a peer. There are no more than the authority has certified nodes.
func (in *inbound) of(peer string) *peerStream {
	in.mu.Lock()
	defer in.mu.Unlock()
	if p := in.peers[peer]; p != nil {
		return p
	}
	if in.ended {
		p := &peerStream{connQueue: newConnQueue(in.c.port.inner.Addr())}
		p.Close()
		return p
	}
	p := &peerStream{connQueue: newConnQueue(in.c.port.inner.Addr())}
	p.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: p, Timeout: raftTimeout, Logger: in.c.logger.Named("transport"),
	})
	p.trans.SetHeartbeatHandler(func(rpc raft.RPC) {
		if in.heard(rpc, peer) {
			in.heartbeat(peer, rpc)
		}
	})
	in.peers[peer] = p
	in.c.wg.Go(func() { in.pass(peer, p.trans) })
	return p
}

// pass brings a peer's requests to Raft, and ends with the member.
func (in *inbound) pass(peer string, trans *raft.NetworkTransport) {
	for {
		select {
		case rpc := <-trans.Consumer():
			if in.heard(rpc, peer) && in.named(peer, rpc) {
				in.take(peer, rpc)
			}
		case <-in.c.ctx.Done():
			return
		}
	}
}

// heard refuses what a removed node sends, also over a connection from when it was still needed.
func (in *inbound) heard(rpc raft.RPC, peer string) bool {
	if in.c.listensTo(peer) {
		return true
	}
	rpc.Respond(nil, errNotMember)
	return false
}

var errName = errors.New("cluster: a request in the name of another node")

// named refuses what comes in another's name: who is believed to lead is who can be named for what
// is wrong with it.
func (in *inbound) named(peer string, rpc raft.RPC) bool {
	if request, ok := rpc.Command.(raft.WithRPCHeader); ok {
		h := request.GetRPCHeader()
		if string(h.ID) == peer && string(h.Addr) == peer {
			return in.timely(peer, rpc)
		}
	}
	in.c.accuse(peer, deedName)
	rpc.Respond(nil, errName)
	return false
}

// timely refuses what comes from no term that there is.
func (in *inbound) timely(peer string, rpc raft.RPC) bool {
	if in.c.plausible(termOf(rpc.Command)) {
		return true
	}
	in.c.accuse(peer, deedTerm, "term", termOf(rpc.Command))
	rpc.Respond(nil, errTerm)
	return false
}

// heartbeat takes one that came in from a peer.
func (in *inbound) heartbeat(peer string, rpc raft.RPC) {
	if !in.named(peer, rpc) {
		return
	}
	if in.c.besides(peer, termOf(rpc.Command)) {
		rpc.Respond(nil, errBesides)
		return
	}
	in.t.Heartbeat(rpc)
}

func (in *inbound) take(peer string, rpc raft.RPC) {
	switch request := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		in.append(peer, rpc, request)
	case *raft.InstallSnapshotRequest:
		in.install(peer, rpc)
	case *raft.TimeoutNowRequest:
		in.stand(peer, rpc)
	default:
		in.t.Forward(rpc)
	}
}

var errNotFollowed = errors.New("cluster: this node follows another leader")

// stand is the word of a leader to its successor. Nobody else's counts.
func (in *inbound) stand(peer string, rpc raft.RPC) {
	if done, err := in.t.StandsAlready(); done {
		rpc.Respond(&raft.TimeoutNowResponse{}, err)
		return
	}
	if leader := in.c.leader(); leader != peer {
		if leader != "" && !in.of(peer).led.Load() { // else its word may be late: it names no term
			in.c.accuse(peer, deedStand)
		}
		rpc.Respond(&raft.TimeoutNowResponse{}, errNotFollowed)
		return
	}
	in.t.Forward(rpc)
}

// install has one snapshot taken at a time, so that whoever sends what is refused can be named.
func (in *inbound) install(peer string, rpc raft.RPC) {
	r := rpc.Command.(*raft.InstallSnapshotRequest)
	if r.Term < in.c.raft.CurrentTerm() {
		// A leader of an older term that has not noticed yet may send a snapshot of the newer one. Raft
		// refuses it unseen.
		in.t.Forward(rpc)
		return
	}
	_, err := fsm.DecodeConfiguration(r.Configuration) // Raft panics
	if err != nil || r.SnapshotVersion != raft.SnapshotVersionMax || r.LastLogTerm > r.Term {
		in.c.accuse(peer, deedSnapshot, "index", r.LastLogIndex)
		rpc.Respond(nil, errSnapshot)
		return
	}
	switch {
	case in.c.besides(peer, r.Term):
		rpc.Respond(nil, errBesides)
		return
	case in.c.contradicts(r):
		in.c.accuse(peer, deedSnapshot, "index", r.LastLogIndex, "term", r.LastLogTerm)
		in.c.lacks(peer, r.Term, r.LastLogIndex)
		rpc.Respond(nil, errSnapshot)
		return
	case r.LastLogIndex <= in.c.committed():
		in.passOver(peer, rpc, r)
		return
	}
	in.installing.Lock()
	defer in.installing.Unlock()
	in.installer.Store(&peer)
	in.ask(rpc, rpc.Command, func(*raft.RPCResponse) {})
}

// passOver answers for a snapshot of what this member has: the library sends some twice. It is
// never taken, so that nobody has a state go back.
func (in *inbound) passOver(peer string, rpc raft.RPC, r *raft.InstallSnapshotRequest) {
	in.c.logger.Warn("a snapshot that this node is past was passed over", "from", peer, "index", r.LastLogIndex)
	_, err := io.Copy(io.Discard, rpc.Reader)
	rpc.Respond(&raft.InstallSnapshotResponse{Term: r.Term, Success: err == nil}, err)
}

var errSnapshot = errors.New("cluster: no snapshot that anybody takes")

// ask puts a command to Raft in the place of the peer's, and hands on the answer, as edit alters
// it.
func (in *inbound) ask(rpc raft.RPC, command any, edit func(*raft.RPCResponse)) {
	answer := make(chan raft.RPCResponse, 1)
	in.t.Forward(raft.RPC{Command: command, Reader: rpc.Reader, RespChan: answer})
	select {
	case a := <-answer:
		edit(&a)
		rpc.RespChan <- a
	case <-in.c.ctx.Done():
	}
}
