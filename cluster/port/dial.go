package port

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// dialTimeout bounds a dial with its handshake; maxDials how many to one node, for one protocol,
// may be under way: every call to a node that answers nothing begins one.
const (
	dialTimeout = 5 * time.Second
	maxDials    = 8
)

// Dial opens a connection with a node at one of the addresses known of it. Each has its share of
// the time, so that a false word of gossip's costs a failed dial and no more.
func (p *Port) Dial(ctx context.Context, nodeID, protocol string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout) // HTTP dials without the call's own deadline
	defer cancel()
	deadline, _ := ctx.Deadline()
	last := fmt.Errorf("no address is known for node %s", nodeID)
	addresses := p.config.Addresses(nodeID)
	for i, addr := range addresses {
		share := time.Until(deadline) / time.Duration(len(addresses)-i)
		attempt, cancel := context.WithTimeout(ctx, share)
		conn, err := p.open(attempt, nodeID, addr, protocol)
		cancel()
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// open dials addr and returns a connection that the node with that id, and no other, holds the
// other end of.
func (p *Port) open(ctx context.Context, nodeID, addr, protocol string) (*tls.Conn, error) {
	if !p.beginDial(nodeID + protocol) {
		return nil, fmt.Errorf("%d dials to node %s are under way already", maxDials, nodeID)
	}
	defer p.endDial(nodeID + protocol)
	raw, err := p.config.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	l := p.track(raw, true)
	config := p.tlsConfig(protocol)
	config.ServerName = p.config.Life.String()
	conn, err := p.handshake(ctx, tls.Client(l, config), l)
	if err != nil {
		return nil, err
	}
	if l.Node != nodeID {
		conn.Close()
		return nil, fmt.Errorf("node %s answers at the address of node %s", l.Node, nodeID)
	}
	return conn, nil
}

func (p *Port) beginDial(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dials[key] >= maxDials {
		return false
	}
	p.dials[key]++
	return true
}

func (p *Port) endDial(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dials[key]--; p.dials[key] == 0 {
		delete(p.dials, key)
	}
}
