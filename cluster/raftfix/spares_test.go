package raftfix

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// Two connections are kept for each other voter. One that is used, or has lost its other end, is
// replaced, and what is dead is given to nobody.
func TestConnectionsAreKeptReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{})
		kept := func(want int, after string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if got := len(n.ends()); got != want {
				t.Fatalf("%s it has dialled %d times, not %d", after, got, want)
			}
		}
		kept(2, "at first")
		kept(2, "a while later")

		n.ends()[0].Close()
		kept(3, "after one was lost")

		n.mu.Lock()
		n.down = true
		n.mu.Unlock()
		n.ends()[1].Close() // at this very moment: the watch may not have seen it yet
		conn := n.spares.take("b")
		if conn == nil {
			t.Fatal("none is ready though one lives")
		}
		go n.ends()[2].Read(make([]byte, 1))
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Errorf("a connection was ready that is dead: %v", err)
		}
		conn.Close()
		if n.spares.take("b") != nil {
			t.Error("there is one more than live")
		}
	})
}

// Nothing is kept for who is no voter.
func TestNoConnectionIsKeptForOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{})
		time.Sleep(3 * time.Second)
		n.spares.keep([]string{"a", "c"})
		for _, end := range n.ends() {
			if _, err := end.Write([]byte{1}); err == nil {
				t.Error("a connection of nobody's is still open")
			}
		}
	})
}

// A vote goes over a connection that was kept, and a node that can't be dialled is not asked again.
func TestVoteTakesAKeptConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := alone(t, &node{})
		time.Sleep(3 * time.Second)
		n.mu.Lock()
		n.down, n.refused = true, 0
		n.mu.Unlock()
		var asked atomic.Int64
		for _, end := range n.ends() {
			go func() {
				if _, err := end.Read(make([]byte, 1)); err == nil {
					asked.Add(1)
				}
				end.Close()
			}()
		}
		_ = n.RequestVote("b", "b", &raft.RequestVoteRequest{}, &raft.RequestVoteResponse{})
		if asked.Load() != 2 {
			t.Errorf("%d connections were tried, two were there", asked.Load())
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.refused > 3 { // once for the vote, and for each that is to be kept
			t.Errorf("who could not be dialled was dialled %d times", n.refused)
		}
	})
}
