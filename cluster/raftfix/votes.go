package raftfix

import (
	"errors"
	"os"

	"github.com/hashicorp/raft"
)

// The library keeps connections for their next use, does not look whether they live, and lets the
// error stand for a vote that was not given. So a vote, or the word to a successor, that went into
// a connection whose other end is gone is sent again.

// maxPool is how many connections to a node Raft keeps for their next use.
const maxPool = 3

// overLive repeats a request until it went over a connection that lives, or met a deadline of ours;
// that the kernel gave a connection up (ETIMEDOUT) calls itself a time-out too, and is none. To ask
// twice for a vote is to get the same answer; to say twice to a successor that it is one is to say
// it once (StandsAlready).
func overLive(request func() error) error {
	for range maxPool + sparesEach {
		err := request()
		var dial *dialError
		if err == nil || errors.As(err, &dial) || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return request()
}

// RequestVote is a candidate's.
func (t *Transport) RequestVote(id raft.ServerID, target raft.ServerAddress,
	request *raft.RequestVoteRequest, response *raft.RequestVoteResponse) error {
	err := overLive(func() error {
		return t.NetworkTransport.RequestVote(id, target, request, response)
	})
	if err != nil {
		return err
	}
	return t.config.Believe(response.Term) // or this candidate would go there
}

// RequestPreVote comes before it, when Raft's own timers began it.
func (t *Transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress,
	request *raft.RequestPreVoteRequest, response *raft.RequestPreVoteResponse) error {
	err := overLive(func() error {
		return t.NetworkTransport.RequestPreVote(id, target, request, response)
	})
	if err != nil {
		return err
	}
	return t.config.Believe(response.Term)
}

// TimeoutNow has a successor stand.
func (t *Transport) TimeoutNow(id raft.ServerID, target raft.ServerAddress,
	request *raft.TimeoutNowRequest, response *raft.TimeoutNowResponse) error {
	return overLive(func() error {
		return t.NetworkTransport.TimeoutNow(id, target, request, response)
	})
}
