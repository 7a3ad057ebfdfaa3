package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// asking counts the questions that wait for Raft's answer. A Raft that is shut down forgets whatever stands in one of its
// queues, so a member that closes lets it answer first: within the time of an election it has, or it hangs.
type asking struct {
	mu    sync.Mutex
	ended bool
	wg    sync.WaitGroup
}

// closingWait is how long a member that closes waits for Raft's answers.
const closingWait = 2 * time.Second

func (a *asking) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		a.wg.Add(1)
	}
	return !a.ended
}

// end lets no more questions in, and gives the answers under way their time.
func (a *asking) end() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	answered := make(chan struct{})
	go func() { a.wg.Wait(); close(answered) }() // ends with the last answer
	select {
	case <-answered:
	case <-time.After(closingWait):
	}
}

// answer waits for Raft's answer to a question. errNotLeader: it was not put. errMaybe: ctx, or this member, ended first.
func (c *Cluster) answer(ctx context.Context, question func() raft.Future) error {
	if !c.asking.begin() {
		return errNotLeader
	}
	done := make(chan error, 1)
	go func() {
		defer c.asking.wg.Done()
		done <- question().Error()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return errMaybe
}

// apply appends data to the log of this node, leader in term, and returns what the state machine made of it.
func (c *Cluster) apply(ctx context.Context, term uint64, data []byte) (any, error) {
	response := make(chan any, 1)
	err := c.answer(ctx, func() raft.Future {
		future := c.raft.Apply(data, time.Second)
		if future.Error() == nil {
			c.announce(future.Index(), term)
			response <- future.Response()
		}
		return future
	})
	if err != nil {
		return nil, err
	}
	return <-response, nil
}
