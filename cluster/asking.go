package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/raftfix"
)

// answer waits for Raft's answer to a question. errNotLeader: it was not put. errMaybe: ctx, or
// this member, ended first.
func (c *Cluster) answer(ctx context.Context, question func() raft.Future) error {
	err := c.questions.Ask(ctx, question)
	switch {
	case errors.Is(err, raftfix.ErrNotPut):
		return errNotLeader
	case errors.Is(err, raftfix.ErrNoAnswer):
		return errMaybe
	}
	return err
}

// apply appends data to the log of this node, leader in term, and returns what the state machine
// made of it.
func (c *Cluster) apply(ctx context.Context, term uint64, data []byte) (any, error) {
	response := make(chan any, 1)
	err := c.answer(ctx, func() raft.Future {
		future := c.raft.Apply(data, time.Second)
		if future.Error() == nil {
			c.transport.Announce(future.Index(), term)
			response <- future.Response()
		}
		return future
	})
	if err != nil {
		return nil, err
	}
	return <-response, nil
}
