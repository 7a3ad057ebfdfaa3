package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/node"
)

// A lateness lets the wall clock of every node jump ahead, so that an hour takes no hour.
type lateness struct {
	*site
	by atomic.Int64 // nanoseconds
}

func (l *lateness) open(i int) *node.Node {
	return l.openWith(i, func(c *node.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(l.by.Load())) }
	})
}

// pass is so much of everybody's time, and two minutes more in which the leader may look.
func (l *lateness) pass(d time.Duration) {
	l.by.Add(int64(d))
	time.Sleep(2 * time.Minute)
}

// late makes an unsealed cluster of k nodes.
func late(s *site, k int) *lateness {
	l := &lateness{site: s}
	for i := range k {
		l.open(i)
	}
	s.startOpened(k)
	return l
}

// ghost has node i be admitted, and die before it hears of it. It returns the id.
func (l *lateness) ghost(i int) (id string) {
	l.t.Helper()
	joiner := l.open(i)
	must(l.t, joiner.Join(l.t.Context(), &lossy{direct: direct{l.nodes[0]}}, false))
	for _, share := range l.shares[:2] {
		_, _ = joiner.Unseal(l.t.Context(), share)
	}
	l.stop(i)
	for _, p := range l.peers(0) {
		if strings.HasPrefix(p.Address, fmt.Sprintf("host%d:", i)) {
			return p.ID
		}
	}
	l.t.Fatalf("node %d is no ghost", i)
	return ""
}

func (s *site) peers(i int) []node.Peer {
	s.t.Helper()
	peers, _, err := s.nodes[i].Peers()
	must(s.t, err)
	return peers
}

func (s *site) has(id string) bool {
	return slices.ContainsFunc(s.peers(0), func(p node.Peer) bool { return p.ID == id })
}

// A node that was admitted and never comes is removed after an hour, whoever leads then. One that
// came is not, however long it is away, with a vote or without.
func TestAdmittedNodeThatNeverComesIsRemoved(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T, s *site) {
		l := late(s, 3)
		nonVoter := l.open(3)
		must(t, nonVoter.Join(t.Context(), direct{s.nodes[0]}, true))
		s.unseal(3)
		time.Sleep(5 * time.Second)
		s.stop(3)
		id := l.ghost(4)
		must(t, s.nodes[0].StepDown(t.Context()))
		l.pass(50 * time.Minute)
		if !s.has(id) {
			t.Fatal("it was removed after less than an hour")
		}
		l.pass(10 * time.Minute)
		if peers := s.peers(0); s.has(id) || len(peers) != 4 {
			t.Errorf("after more than an hour the members are %v", peers)
		}
		recorded := 0
		for i := range 3 {
			log, err := os.ReadFile(filepath.Join(s.root, fmt.Sprintf("host%d", i), "audit.log"))
			must(t, err)
			recorded += strings.Count(string(log), `"operation":"raft/join-lapsed"`)
		}
		if recorded != 1 {
			t.Errorf("%d usage records say that it was removed", recorded)
		}
		joiner := l.open(4) // it comes after all, under another id
		must(t, joiner.Join(t.Context(), direct{s.nodes[0]}, false))
		s.unseal(4)
	})
}

// A killed join that goes on within the hour is the same member, and stays.
func TestJoinThatGoesOnDoesNotLapse(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		l := late(s, 1)
		id := l.ghost(1)
		l.pass(50 * time.Minute)
		must(t, l.open(1).Join(t.Context(), direct{s.nodes[0]}, true))
		s.unseal(1)
		time.Sleep(5 * time.Second)
		s.stop(1)
		l.pass(2 * time.Hour)
		if !s.has(id) {
			t.Error("a member that had come was removed")
		}
	})
}

// A slow member takes a while to say that it has admitted a node.
type slow struct{ direct }

func (s slow) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	admission, err := s.direct.Answer(ctx, a)
	time.Sleep(20 * time.Second)
	return admission, err
}

// A clock that is a day ahead at the leader does not cut a join short that is under way, though the
// leader looks a few times before it hears of the node.
func TestClockAheadDoesNotCutAJoinShort(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T, s *site) {
		s.openWith(0, func(c *node.Config) {
			c.Now = func() time.Time { return time.Now().Add(24 * time.Hour) }
		})
		s.startOpened(1)
		s.open(1)
		must(t, s.nodes[1].Join(t.Context(), direct{s.nodes[0]}, false))
		s.unseal(1)
		s.await("both vote", func() bool { return s.voters(1) == 2 })
		s.open(2)
		must(t, s.nodes[2].Join(t.Context(), slow{direct{s.nodes[1]}}, false)) // its clock is right
		s.unseal(2)
		time.Sleep(2 * time.Minute)
		if n := s.voters(1); n != 3 {
			t.Errorf("%d nodes vote", n)
		}
	})
}

func (s *site) voters(at int) (n int) {
	for _, p := range s.peers(at) {
		if p.Voter {
			n++
		}
	}
	return n
}
