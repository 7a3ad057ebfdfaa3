package cluster

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// A raftLayer is the raft.StreamLayer on the cluster port. Raft names a peer by its node id, also as its address: where
// the node lives is looked up at each dial, so a member may move without a change of configuration.
type raftLayer struct {
	*connQueue
	c *Cluster
}

func (l raftLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.c.ctx, timeout)
	defer cancel()
	return l.c.connect(ctx, string(address), protoRaft)
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

// Accept leaves out the peers that were removed from the cluster.
func (l raftLayer) Accept() (net.Conn, error) {
	for {
		conn, err := l.connQueue.Accept()
		if err != nil || !l.c.removed(peerOfConn(conn)) {
			return conn, err
		}
		conn.Close()
	}
}

// raftTransport closes its pipelines when the member closes. In the library a leader that is deposed while messages are in
// flight may wait on one for ever, and its shutdown for it.
type raftTransport struct {
	*raft.NetworkTransport
	ctx context.Context
}

var _ raft.WithPreVote = raftTransport{} // without it Raft does without pre-votes and says nothing

func (t raftTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return pipeline{inner, context.AfterFunc(t.ctx, func() { _ = inner.Close() })}, nil
}

type pipeline struct {
	raft.AppendPipeline
	forget func() bool
}

func (p pipeline) Close() error {
	p.forget()
	return p.AppendPipeline.Close()
}

// byID makes Raft use a server's id as its address.
type byID struct{}

func (byID) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}
