package cluster_test

import (
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// A slowFSM is a member's state machine that can be held back while everything else of it goes on.
type slowFSM struct {
	*fsm.FSM
	mu   sync.Mutex
	gate chan struct{} // nil: open
}

func (s *slowFSM) wrap(inner *fsm.FSM) raft.FSM {
	s.FSM = inner
	return s
}

func (s *slowFSM) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
}

func (s *slowFSM) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		close(s.gate)
		s.gate = nil
	}
}

func (s *slowFSM) ApplyBatch(logs []*raft.Log) []any {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return s.FSM.ApplyBatch(logs)
}

// A follower's state machine may be ahead of the leader's. What only the follower shows yet it must
// not answer with: the next reader, at the leader, would be shown the older value.
func TestFollowerAheadOfTheLeaderWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		follower := (leader + 1) % 3
		must(t, g.put(leader, "x", "old"))
		g.slow[leader].hold()
		written := make(chan error, 1)
		go func() { written <- g.put(leader, "x", "new") }()
		time.Sleep(time.Second)
		if r, _ := g.members[follower].View().Get("x"); string(r.Value) != "new" {
			t.Fatal("the follower has not applied the entry: the schedule tests nothing")
		}
		first, err := g.get(follower, "x", 2*time.Second)
		then, err2 := g.get(leader, "x", 2*time.Second)
		if err == nil && err2 == nil && first == "new" && then == "old" {
			t.Error("the follower showed a value that the leader did not show after it")
		}
		if err2 != nil || then != "old" {
			t.Errorf("at the leader %q, %v: the schedule tests nothing", then, err2)
		}
		g.slow[leader].release()
		must(t, <-written)
		if got, err := g.get(follower, "x", 5*time.Second); err != nil || got != "new" {
			t.Errorf("afterwards %q, %v", got, err)
		}
	})
}
