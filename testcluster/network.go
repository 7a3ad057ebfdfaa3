package testcluster

import "keyquorum/internal/fakenet"

// A Network is the one that New and Breakable put between nodes. It is named here for the modules
// of others, which can't import what is internal.
type Network = fakenet.Network

// A Link is how one direction between two hosts of a Network behaves. The zero Link is perfect.
type Link = fakenet.Link

// NewNetwork makes a network without hosts.
func NewNetwork() *Network { return fakenet.New() }

// nodesNetwork is a Network between nodes, which have their names in it.
type nodesNetwork struct{ *Network }

func (n nodesNetwork) hold(from, to int) error { n.Hold(nodeName(from), nodeName(to)); return nil }
func (n nodesNetwork) heal() error             { n.Heal(); return nil }
func (n nodesNetwork) close()                  { n.Close() }
func (n nodesNetwork) unshapable() error       { return nil }

func (n nodesNetwork) shape(from, to int, l Link) error {
	n.Shape(nodeName(from), nodeName(to), l)
	return nil
}

// reset leaves the connections alone that come from outside.
func (n nodesNetwork) reset(i int) {
	var others []string
	for j := range maxSize {
		others = append(others, nodeName(j))
	}
	n.Reset(nodeName(i), others...)
}
