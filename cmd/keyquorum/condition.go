package main

import (
	"fmt"

	"keyquorum/node"
)

// condition is in a few words how a node is, for the service manager (systemctl status). It comes
// from memory, as the answer to a health check does.
func condition(n *node.Node) string { return inWords(n.Health(), n.SealStatus()) }

func inWords(h node.Health, s node.SealStatus) string {
	switch {
	case h.Removed:
		return "removed from its cluster: its folder is good for nothing any more"
	case s.Unfit != "":
		return "serves nobody: " + s.Unfit
	case s.Joining:
		return fmt.Sprintf("joins a cluster: %d of %d unseal shares given", s.Progress, s.Threshold)
	case !s.Initialized:
		return "waits for operator init, or operator raft join"
	case s.Opening:
		return "unseals: waits for the cluster"
	case s.Sealed:
		return fmt.Sprintf("sealed: %d of %d unseal shares given", s.Progress, s.Threshold)
	case h.Trouble:
		return "unsealed, and refuses requests: its disk or its usage log fails"
	case h.OutOfTouch:
		return "unsealed: no leader answers"
	case h.Leader:
		return "unsealed: leads"
	}
	return "unsealed: follows"
}
