package cluster

import "github.com/hashicorp/raft"

// WrapLogs puts a test's log store around the member's own: to stall or fail its writes.
func (c *Config) WrapLogs(wrap func(raft.LogStore) raft.LogStore) { c.wrapLogs = wrap }

// Raft is the member's Raft, for what a test must see of it.
func (c *Cluster) Raft() *raft.Raft { return c.raft }

// Hear is what gossip does with the metadata of a node.
func (c *Cluster) Hear(nodeID string, meta []byte) { c.told.hear(nodeID, meta) }

// MetaFor is this member's metadata with another cluster address.
func (c *Cluster) MetaFor(address string) []byte {
	meta, err := callEncoder.Marshal(heard{Cluster: address, Label: "liar"})
	if err != nil {
		panic(err)
	}
	return meta
}

// Addresses are those at which this member would look for a node.
func (c *Cluster) Addresses(nodeID string) []string { return c.addresses(nodeID) }
