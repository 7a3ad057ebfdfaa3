// Package cluster is a node among nodes: Raft, gossip and one mutually authenticated port; commit, fence, membership.
package cluster

import (
	"context"
	"errors"

	"keyquorum/fsm"
)

var (
	// ErrUnavailable: no leader or majority within the deadline; the transaction was surely not applied.
	ErrUnavailable = errors.New("cluster: no leader could be reached")
	// ErrUnknown: the deadline passed after the transaction was sent; it may or may not have been applied, now or later.
	ErrUnknown = errors.New("cluster: outcome unknown")
	// ErrBusy: too many fences are waiting.
	ErrBusy = errors.New("cluster: too many requests are waiting")
	// ErrDiverged: this node's state differs from the majority's; it answers nothing.
	ErrDiverged = errors.New("cluster: this node's state differs from the others'")
	// ErrRemoved: this node was removed from the cluster.
	ErrRemoved = errors.New("cluster: this node was removed from the cluster")
)

// A Cluster is this node's membership, from Open to Close.
type Cluster struct{}

// View returns this node's newest state, current or not: for decisions that end in a transaction, which the FSM checks.
func (c *Cluster) View() fsm.View { panic("not built yet") }

// Fence returns a view that holds everything acknowledged before the call, and nothing that is not readable everywhere.
func (c *Cluster) Fence(ctx context.Context) (fsm.View, error) { panic("not built yet") }

// Commit sends txn to the leader and returns its outcome when this node has applied it and every reader can see it.
func (c *Cluster) Commit(ctx context.Context, txn fsm.Txn) (fsm.Outcome, error) {
	panic("not built yet")
}

// Wait returns when this node has applied index.
func (c *Cluster) Wait(ctx context.Context, index uint64) error { panic("not built yet") }
