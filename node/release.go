package node

import "keyquorum/internal/release"

// A Waiting says that a change waits until all nodes can apply it; nothing was done.
type Waiting = release.Waiting

// Says is what this node says of its release to the members that it asks to admit it.
func (n *Node) Says() string { return n.config.Release.Encode() }

// WorksWith says, with nil, that a node which says this of its release may join the cluster of this
// one; a *PeerError says why not.
func (n *Node) WorksWith(said string) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	if why := m.cluster.Refuses(said); why != nil {
		return &PeerError{"the node that wants to join can't: " + why.Error()}
	}
	return nil
}
