package cluster

import "github.com/hashicorp/raft"

// WrapLogs puts a test's log store around the member's own: to stall or fail its writes.
func (c *Config) WrapLogs(wrap func(raft.LogStore) raft.LogStore) { c.wrapLogs = wrap }

// Raft is the member's Raft, for what a test must see of it.
func (c *Cluster) Raft() *raft.Raft { return c.raft }
