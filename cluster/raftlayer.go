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
	nodeID := string(address)
	addr, ok := l.c.address(nodeID)
	if !ok {
		return nil, fmt.Errorf("no address is known for node %s", nodeID)
	}
	ctx, cancel := context.WithTimeout(l.c.ctx, timeout)
	defer cancel()
	return l.c.port.open(ctx, nodeID, addr, protoRaft)
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

// byID makes Raft use a server's id as its address.
type byID struct{}

func (byID) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}
