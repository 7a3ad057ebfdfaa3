package cluster_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"keyquorum/cluster"
)

func TestWriteAnywhereReadEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.leader()
		for i := range 30 {
			value := fmt.Sprint("value ", i)
			must(t, g.put(i%3, "a/b", value))
			for j := range 3 {
				got, err := g.get(j, "a/b", 5*time.Second)
				must(t, err)
				if got != value {
					t.Fatalf("written %q through member %d, read %q at member %d", value, i%3, got, j)
				}
			}
		}
	})
}

// The schedule of a real stale read after a successful raft.VerifyLeader: both voters have answered
// a heartbeat, their answers are under way; the leader stands still and is cut off; the others
// elect a leader, which acknowledges a new value; the old leader wakes, and the old answers come in
// one by one. Our fence asks a question of its own after it has noted where it stands, so no old
// answer can confirm it.
func TestStaleLeaderDoesNotAnswer(t *testing.T) {
	for range 4 { // in one of four the held answer is no longer the one that would be taken for new
		bubble(t, staleLeader)
	}
}

func staleLeader(t *testing.T) {
	g := newGroup(t, 3)
	g.fenced = true
	old := g.leader()
	must(t, g.put(old, "x", "old"))
	others := []int{(old + 1) % 3, (old + 2) % 3}
	for _, o := range others { // answers already given stay under way
		g.network.Hold(host(o), host(old))
	}
	time.Sleep(150 * time.Millisecond) // a heartbeat, one in 50 to 100 ms, reaches both, which answer it
	entered := g.stalls[old].close()
	lost := make(chan error, 1)
	go func() { lost <- g.put(old, "x", "lost") }()
	<-entered
	for _, o := range others {
		g.network.Hold(host(old), host(o))
	}
	next := g.leader(old)
	must(t, g.put(next, "x", "new"))

	voter := others[0] + others[1] - next
	g.network.Release(host(voter),
		host(old)) // renews the old leader's lease; the next leader's request for its vote would end it
	g.stalls[old].release()
	read := make(chan string, 1)
	go func() {
		got, err := g.get(old, "x", 2*time.Second)
		if err != nil {
			got = "error: " + err.Error()
		}
		read <- got
	}()
	time.Sleep(5 * time.Millisecond)
	g.network.Release(host(next), host(old))
	if got := <-read; got == "old" {
		t.Fatal("a stale value was read behind a fence after a newer one was acknowledged")
	}
	g.network.Heal()
	if got, err := g.get(old, "x", 5*time.Second); err != nil || (got != "new" && got != "lost") {
		t.Fatalf("after the partition healed: %q, %v", got, err)
	}
	<-lost
}

func TestCutOffMemberAnswersNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		follower := (g.leader() + 1) % 3
		must(t, g.put(follower, "x", "1"))
		g.isolate(follower)
		must(t, g.put((follower+1)%3, "x", "2"))
		if got, err := g.get(follower, "x", 20*time.Second); !errors.Is(err, cluster.ErrUnavailable) {
			t.Fatalf("a member without the others answered %q, %v", got, err)
		}
		g.network.Heal()
		got, err := g.get(follower, "x", 20*time.Second)
		must(t, err)
		if got != "2" {
			t.Fatalf("read %q after healing", got)
		}
	})
}

// Who comes while two rounds are under way waits for its own to begin as well, and still no longer
// than 5 s.
func TestNobodyWaitsLongerForALeaderThanIsSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.fenced = true
		follower := (g.leader() + 1) % 3
		g.isolate(follower)
		var readers sync.WaitGroup
		for range 6 {
			readers.Go(func() {
				begun := time.Now()
				_, err := g.get(follower, "x", 20*time.Second)
				if waited := time.Since(begun); !errors.Is(err, cluster.ErrUnavailable) ||
					waited > 5100*time.Millisecond {
					t.Errorf("%v after %s", err, waited)
				}
			})
			time.Sleep(time.Second) // of fake time
		}
		readers.Wait()
	})
}

func TestLeaderLostWritesGoOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		follower := (leader + 1) % 3
		must(t, g.put(follower, "x", "1"))
		g.stop(leader)
		must(t, g.put(follower, "x", "2"))
		g.open(leader)
		got, err := g.get(leader, "x", 20*time.Second)
		must(t, err)
		if got != "2" {
			t.Fatalf("the member that came back read %q", got)
		}
	})
}

func TestRemovedMemberIsOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		gone := (leader + 1) % 3
		must(t, g.members[leader].Remove(t.Context(), g.ids[gone], nil))
		for range 100 {
			if g.members[gone].Removed() {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if _, err := g.get(gone, "x", 10*time.Second); !errors.Is(err, cluster.ErrRemoved) {
			t.Fatalf("a removed member's fence: %v", err)
		}
		must(t, g.put(leader, "x", "1"))
		members, _ := g.members[leader].Members()
		if len(members) != 2 {
			t.Fatalf("%d members after removal", len(members))
		}
		if err := g.members[leader].Add(t.Context(), g.ids[gone], address(gone),
			g.authority.Certificate); err == nil {
			t.Fatal("a removed id came back")
		}
	})
}
