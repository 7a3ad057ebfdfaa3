package raftfix

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// A heartbeat changes term and state on Raft's main loop alone: while that waits, one of a new term
// waits for it. One of the leader that is followed changes nothing, and is answered at once.
func TestOnlyTheMainLoopEntersTerms(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{})
		r := n.raft
		<-n.heartbeat(2)
		if _, leader := r.LeaderWithID(); r.CurrentTerm() != 2 || leader != "b" {
			t.Fatalf("in term %d it follows %q", r.CurrentTerm(), leader)
		}
		release := n.stable.wait() // a third's term is being stored
		voted := make(chan raft.RPCResponse, 1)
		n.Forward(raft.RPC{
			Command:  &raft.RequestVoteRequest{RPCHeader: header("b"), Term: 3, LeadershipTransfer: true},
			RespChan: voted,
		})
		synctest.Wait()
		if r.CurrentTerm() != 2 {
			t.Fatalf("the term %d is not stored yet", r.CurrentTerm())
		}
		old, next := n.heartbeat(2), n.heartbeat(4)
		synctest.Wait()
		if len(next) > 0 || len(old) > 0 || r.CurrentTerm() != 2 {
			t.Errorf("a heartbeat is answered in term %d while the main loop enters another",
				r.CurrentTerm())
		}
		release()
		<-voted
		<-old
		if <-next; r.CurrentTerm() != 4 {
			t.Errorf("it is in term %d", r.CurrentTerm())
		}
	})
}

// A follower whose main loop is busy answers its leader all the same.
func TestLeaderIsAnsweredBesideABusyLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{})
		r := n.raft
		<-n.heartbeat(2)
		busy := make(chan raft.RPCResponse) // its answer is read late
		n.Forward(raft.RPC{Command: &raft.RequestVoteRequest{Term: 1}, RespChan: busy})
		synctest.Wait()
		select {
		case a := <-n.heartbeat(2):
			if answer, ok := a.Response.(*raft.AppendEntriesResponse); !ok || !answer.Success {
				t.Errorf("the leader is answered %+v", a)
			}
		case <-time.After(time.Second):
			t.Error("a busy loop looks like a dead node")
		}
		if r.State() != raft.Follower {
			t.Errorf("it is a %s", r.State())
		}
		<-busy
	})
}

// A term that can't be stored ends Raft, and not the process.
func TestTermThatCannotBeStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{})
		r := n.raft
		n.stable.fails.Store(true)
		n.heartbeat(7)
		synctest.Wait()
		if term := r.CurrentTerm(); term != 1 {
			t.Errorf("it is in term %d, which is not stored", term)
		}
	})
}

// Nor does it when the term is stored at the start.
func TestStartWithoutADisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := &node{Transport: NewTransport(t.Context(), Config{ID: "a", Address: &net.TCPAddr{}})}
		stable := &weakStable{InmemStore: raft.NewInmemStore()}
		_ = stable.SetUint64([]byte(currentTerm), 3)
		stable.fails.Store(true)
		config := raft.DefaultConfig()
		config.LocalID, config.Logger = "a", hclog.NewNullLogger()
		_, err := n.Start(config, &n.machine, raft.NewInmemStore(), stable, raft.NewInmemSnapshotStore())
		if err == nil {
			t.Error("it starts without a term")
		}
		n.Close()
	})
}

// Who is told to stand twice stands once.
func TestStandsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{down: true})
		r := n.raft
		<-n.heartbeat(2)
		if stands, err := n.StandsAlready(); stands || err != nil {
			t.Errorf("a follower stands: %v, %v", stands, err)
		}
		n.Stand()
		synctest.Wait()
		stands, err := n.StandsAlready()
		if !stands || err != nil || r.State() != raft.Candidate || n.Follows(3) {
			t.Errorf("a %s stands: %v, %v", r.State(), stands, err)
		}
	})
}

// A node that is told to leave a term follows in the next, whatever it was, and votes for nobody.
func TestLeavesATerm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{down: true})
		r := n.raft
		<-n.heartbeat(2)
		n.Leave(2)
		synctest.Wait()
		if r.State() != raft.Follower || r.CurrentTerm() != 3 {
			t.Errorf("a follower of term 2 is a %s of term %d", r.State(), r.CurrentTerm())
		}
		n.Stand()
		synctest.Wait()
		if r.State() != raft.Candidate || r.CurrentTerm() != 4 {
			t.Fatalf("it stands as a %s of term %d", r.State(), r.CurrentTerm())
		}
		n.Leave(4)
		synctest.Wait()
		if r.State() != raft.Follower || r.CurrentTerm() != 5 {
			t.Errorf("a candidate of term 4 is a %s of term %d", r.State(), r.CurrentTerm())
		}
		if voted, err := n.stable.GetUint64([]byte("LastVoteTerm")); err == nil && voted > 4 {
			t.Errorf("it has voted in term %d", voted)
		}
	})
}

// A node whose disk hangs says nothing that would keep it in office.
func TestStuckNodeIsSilent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{waits: stuckAfter + time.Second})
		var response raft.AppendEntriesResponse
		err := n.AppendEntries("b", "b", &raft.AppendEntriesRequest{}, &response)
		if !errors.Is(err, errStuck) {
			t.Errorf("its entries are sent: %v", err)
		}
		if len(n.ends()) != 0 {
			t.Error("it has dialled")
		}
	})
}
