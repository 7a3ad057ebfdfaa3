package raftfix

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// Raft reads no answer behind one that says no. Whoever sends then must not wait for a place behind
// such answers.
func TestPipelineEndsWithARefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t)
		pipe, err := a.AppendEntriesPipeline("b", "b")
		if err != nil {
			t.Fatal(err)
		}
		send := func() error {
			request := &raft.AppendEntriesRequest{
				RPCHeader: header("a"), Term: b.raft.CurrentTerm(), PrevLogEntry: 99, PrevLogTerm: 1,
			}
			_, err := pipe.AppendEntries(request, &raft.AppendEntriesResponse{})
			return err
		}
		if err := send(); err != nil {
			t.Fatal(err)
		}
		if (<-pipe.Consumer()).Response().Success {
			t.Fatal("the follower took entries behind one that it does not have: nothing is tested")
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for send() == nil {
			}
		}()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("whoever sends waits for ever")
		}
		pipe.Close()
		<-ended
	})
}

// A pipeline ends with the member, also while nobody reads its answers: a leader that shuts down
// may wait for one of its own.
func TestPipelineEndsWithTheMember(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t)
		pipe, err := a.AppendEntriesPipeline("b", "b")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			request := &raft.AppendEntriesRequest{RPCHeader: header("a"), Term: b.raft.CurrentTerm()}
			for err := error(nil); err == nil; {
				_, err = pipe.AppendEntries(request, &raft.AppendEntriesResponse{})
			}
		}()
		time.Sleep(time.Second)
		a.end()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("whoever sends waits for ever")
		}
		pipe.Close()
		<-ended
	})
}
