package cluster

import (
	"context"
	"fmt"
	"net"
	"time"
)

// connect opens a connection with a node at one of the addresses known of it. Each has its share of
// the time, so that a false word of gossip's costs a failed dial and no more.
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
