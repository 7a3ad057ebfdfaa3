package raftfix

import (
	"context"

	"github.com/hashicorp/raft"
)

// A pipeline is a connection on which a leader sends entries without waiting for the answer to
// those before.
//
// It closes itself where the library would wait for ever. Raft stops reading answers at the first
// that says no, but it may be sending at that moment, and a request must find its place behind one
// whose answer nobody reads any more: the follower would be sent nothing more before the next term.
// And a leader that is deposed while messages are in flight may wait on one, and its shutdown for
// it.
type pipeline struct {
	raft.AppendPipeline
	stuck   func() error
	answers chan raft.AppendFuture
	end     context.CancelFunc
}

// AppendEntriesPipeline opens one.
func (t *Transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (
	raft.AppendPipeline, error) {
	inner, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(t.ctx)
	context.AfterFunc(ctx, func() { _ = inner.Close() })
	p := pipeline{inner, t.Stuck, make(chan raft.AppendFuture), end}
	go p.pass(ctx)
	return p, nil
}

// pass hands on the answers up to the last one that Raft reads, and ends with the pipeline.
func (p pipeline) pass(ctx context.Context) {
	defer p.end()
	for more := true; more; {
		select {
		case answer := <-p.AppendPipeline.Consumer():
			more = answer.Response().Success
			select {
			case p.answers <- answer:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (p pipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

func (p pipeline) AppendEntries(request *raft.AppendEntriesRequest,
	response *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if err := p.stuck(); err != nil {
		return nil, err
	}
	return p.AppendPipeline.AppendEntries(request, response)
}

func (p pipeline) Close() error {
	p.end()
	return p.AppendPipeline.Close()
}
