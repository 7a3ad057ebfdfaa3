package cluster

import (
	"context"
	"net"

	"keyquorum/cluster/port"
)

// Each of Raft's connections waits for a hello that is said when it is open, at the end that opens
// it and at the other one. A hello that was said while it was opened would not do: a machine that
// is set back to between the two goes on with the opening, and with what it knows of the hello.

// connectRaft opens a connection for Raft, and has the other end accept this member.
func (c *Cluster) connectRaft(ctx context.Context, nodeID string) (net.Conn, error) {
	if err := c.awaitRaft(ctx); err != nil {
		return nil, err
	}
	if !c.met(nodeID) { // else the other end would have nothing to go by, and would close it
		if err := c.greet(ctx, nodeID); err != nil {
			return nil, err
		}
	}
	conn, err := c.port.Dial(ctx, nodeID, port.Raft)
	if err != nil {
		return nil, err
	}
	if err := c.greet(ctx, nodeID); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// meets says whether the other end of a connection has accepted this member, and counts for its
// node itself.
func (c *Cluster) meets(peer port.Peer) bool {
	ctx, cancel := context.WithTimeout(c.ctx, 2*helloWait)
	defer cancel()
	accepted := peer.Life.Count == 0 || c.greet(ctx, peer.Node) == nil
	return accepted && c.hears.speaks(peer)
}
