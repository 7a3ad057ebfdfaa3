package testcluster

import "keyquorum/node"

// Node is node i itself where it runs in this process, nil where it doesn't.
func (c *Cluster) Node(i int) *node.Node {
	if l, ok := c.kind.(*loopback); ok && l.nodes[i] != nil {
		return l.nodes[i].node
	}
	return nil
}
