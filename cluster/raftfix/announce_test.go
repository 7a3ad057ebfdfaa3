package raftfix

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// A follower hears of a commit when it is announced, not when Raft happens to send the next
// message. One that an old leader announces is not sent.
func TestCommitsAreAnnounced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t)
		a.Stand()
		time.Sleep(time.Second)
		if a.raft.State() != raft.Leader {
			t.Fatalf("a is a %s", a.raft.State())
		}
		future := a.raft.Apply([]byte("x"), time.Second)
		if err := future.Error(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if b.machine.applied.Load() != 0 {
			t.Fatal("the follower knows of the commit already: nothing is tested")
		}
		a.Announce(future.Index(), a.raft.CurrentTerm()-1)
		time.Sleep(time.Minute)
		if b.machine.applied.Load() != 0 {
			t.Error("it was announced in a term that is over")
		}
		a.Announce(future.Index(), a.raft.CurrentTerm())
		synctest.Wait()
		if b.machine.applied.Load() != 1 {
			t.Error("the follower has not applied what was announced")
		}
	})
}
