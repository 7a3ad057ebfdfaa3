package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hashicorp/raft"
)

// A raftLayer is the raft.StreamLayer on the cluster port. Raft names a peer by its node id, also as its address: where
// the node lives is looked up at each dial, so a member may move without a change of configuration.
type raftLayer struct {
	*connQueue // nothing comes in by it: see inbound
	c          *Cluster
}

func (l raftLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if conn := l.c.spares.take(string(address)); conn != nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(l.c.ctx, timeout)
	defer cancel()
	conn, err := l.c.connectRaft(ctx, string(address))
	if err != nil {
		return nil, &dialError{err}
	}
	return conn, nil
}

// connectRaft opens a connection for Raft, and has the other end accept this member.
func (c *Cluster) connectRaft(ctx context.Context, nodeID string) (net.Conn, error) {
	if !c.met(nodeID) { // else the other end would have nothing to go by
		if err := c.greet(ctx, nodeID); err != nil {
			return nil, err
		}
		return c.connect(ctx, nodeID, protoRaft)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	greeted := make(chan error, 1)
	go func() { greeted <- c.greet(ctx, nodeID) }()
	conn, err := c.connect(ctx, nodeID, protoRaft)
	if err != nil {
		cancel()
		<-greeted
		return nil, err
	}
	if err := <-greeted; err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// connect opens a connection with a node at one of the addresses known of it. Each has its share of the time, so that a
// false word of gossip's costs a failed dial and no more.
func (c *Cluster) connect(ctx context.Context, nodeID, protocol string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout) // HTTP dials without the call's own deadline
	defer cancel()
	deadline, _ := ctx.Deadline()
	last := fmt.Errorf("no address is known for node %s", nodeID)
	addresses := c.addresses(nodeID)
	for i, addr := range addresses {
		attempt, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(addresses)-i))
		conn, err := c.port.open(attempt, nodeID, addr, protocol)
		cancel()
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// raftTransport mends seven things of the library.
//
// It has heartbeats change nothing behind the main loop's back (terms.go), and closes its pipelines when they or the member are at their end
// (pipeline.go).
//
// It takes a follower's word for its own snapshot. Before a follower appends entries it compares the one before them with
// the leader's. Where that is the last entry of its newest snapshot it is in the log no more, and the library remembers its
// term only while nothing follows it. A follower that was sent a snapshot, stored what follows, and ended before it could say
// so would refuse for ever after: the leader would send the same snapshot again and again, without a pause. The entry is the one
// that the leader means, the snapshot's own index and term say so; the question is taken out.
//
// And a follower commits no further than a request reaches. The library commits up to the leader's commit index as far as
// its own log goes, also entries behind those of the request, which nobody has compared with the leader's (Raft, figure 2:
// "the minimum of leaderCommit and the index of the last new entry").
//
// And a vote, or the word to a successor, that is sent into a connection whose other end is gone is sent again. The library keeps
// connections for their next use, does not look whether they live, and lets the error stand for a vote that was not given.
//
// And it says nothing for a leader whose disk hangs (stuck.go).
//
// What comes in is held against what unsealed members signed, before Raft sees it (inbound.go, vetting.go).
type raftTransport struct {
	*raft.NetworkTransport
	ctx      context.Context
	snapshot func() (index, term uint64) // the member's newest
	stuck    func() error                // why nothing may leave
	rpcs     chan raft.RPC
	terms    *terms
	inbound  *inbound
}

func newRaftTransport(ctx context.Context, inner *raft.NetworkTransport, snapshot func() (index, term uint64), stuck func() error) raftTransport {
	t := raftTransport{inner, ctx, snapshot, stuck, make(chan raft.RPC), &terms{}, newInbound()}
	t.inbound.t = t
	return t
}

// Consumer is where Raft takes its requests from; pass fills it.
func (t raftTransport) Consumer() <-chan raft.RPC { return t.rpcs }

// forward brings a request to Raft's main loop. The transport answers for a member that has ended.
func (t raftTransport) forward(rpc raft.RPC) {
	select {
	case t.rpcs <- rpc:
	case <-t.ctx.Done():
	}
}

// stand has a follower stand for election now, as if its leader had told it to: voters do not refuse it for believing in that leader still. A Raft
// that is busy is not waited for: by the time it looks somebody else may lead.
func (t raftTransport) stand() {
	soon, cancel := context.WithTimeout(t.ctx, standWait)
	defer cancel()

	request := raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}, RespChan: make(chan raft.RPCResponse, 1)}
	select {
	case t.rpcs <- request:
	case <-soon.Done():
	}
}

const standWait = 10 * time.Millisecond

// maxPool is how many connections to a node Raft keeps for their next use.
const maxPool = 3

// overLive repeats a request until it went over a connection that lives, or met a deadline of ours; that the kernel gave a connection up
// (ETIMEDOUT) calls itself a time-out too, and is none. To ask twice for a vote is to get the same answer; to say twice to a successor that it
// is one is to say it once (pass).
func overLive(request func() error) error {
	for range maxPool + sparesEach {
		err := request()
		var dial *dialError
		if err == nil || errors.As(err, &dial) || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return request()
}

// RequestVote is a candidate's.
func (t raftTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, request *raft.RequestVoteRequest, response *raft.RequestVoteResponse) error {
	err := overLive(func() error { return t.NetworkTransport.RequestVote(id, target, request, response) })
	if err == nil && !t.plausible(response.Term) { // or this candidate would go there
		return errTerm
	}
	return err
}

// RequestPreVote comes before it, when Raft's own timers began it.
func (t raftTransport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, request *raft.RequestPreVoteRequest, response *raft.RequestPreVoteResponse) error {
	err := overLive(func() error { return t.NetworkTransport.RequestPreVote(id, target, request, response) })
	if err == nil && !t.plausible(response.Term) {
		return errTerm
	}
	return err
}

// TimeoutNow has a successor stand.
func (t raftTransport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, request *raft.TimeoutNowRequest, response *raft.TimeoutNowResponse) error {
	return overLive(func() error { return t.NetworkTransport.TimeoutNow(id, target, request, response) })
}

func (t raftTransport) mend(r *raft.AppendEntriesRequest) {
	reach := r.PrevLogEntry
	if n := len(r.Entries); n > 0 {
		reach = r.Entries[n-1].Index
	}
	r.LeaderCommitIndex = min(r.LeaderCommitIndex, reach)
	if index, term := t.snapshot(); index > 0 && r.PrevLogEntry == index && r.PrevLogTerm == term {
		r.PrevLogEntry, r.PrevLogTerm = 0, 0 // the library does not compare an entry 0
	}
}

var _ raft.WithPreVote = raftTransport{} // without it Raft does without pre-votes and says nothing

// AppendEntries is heartbeats, too.
func (t raftTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse) error {
	if err := t.stuck(); err != nil {
		return err
	}
	return t.NetworkTransport.AppendEntries(id, target, request, response)
}

// byID makes Raft use a server's id as its address.
type byID struct{}

func (byID) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}
