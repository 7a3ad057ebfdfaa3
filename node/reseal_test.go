package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/seal"
)

// A journal is what nodes log.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) count(says string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), says)
}

// keep is for openWith.
func (j *journal) keep(c *node.Config) {
	c.Logger = hclog.New(&hclog.LoggerOptions{Output: j, Level: hclog.Info})
}

// hold lets no message from one host to another, for as long as the network is not healed.
func (s *site) hold(hosts int) {
	for i := range hosts {
		for j := range hosts {
			if i != j {
				s.network.Hold(fmt.Sprint("host", i), fmt.Sprint("host", j))
			}
		}
	}
}

// beginUnknown begins a rekey at the leader of three nodes, and has its outcome be unknown.
func (s *site) beginUnknown() (leader int, nonce string) {
	s.t.Helper()
	s.hold(3)
	leader = s.leader()
	status, err := s.nodes[leader].BeginRekey(3, 2, false)
	must(s.t, err)
	ctx, cancel := context.WithTimeout(s.t.Context(), 300*time.Millisecond)
	defer cancel()
	for i, want := range []error{nil, node.ErrOutcomeUnknown} {
		_, err := s.nodes[leader].GiveRekeyShare(ctx, status.Nonce, s.shares[i], allowed)
		if !errors.Is(err, want) {
			s.t.Fatalf("share %d with nobody else in reach: %v", i, err)
		}
	}
	return leader, status.Nonce
}

// What is not known stays so whatever another attempt fails of: nothing throws the new shares away,
// which may be in force and are nowhere else.
func TestRekeyOutcomeStaysUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		leader, nonce := s.beginUnknown()
		n := s.nodes[leader]
		s.await("it leads no more", func() bool { return !n.Health().Leader })
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := n.GiveRekeyShare(ctx, nonce, s.shares[2], allowed) // surely not sent
		if !errors.Is(err, node.ErrOutcomeUnknown) {
			t.Errorf("a second attempt without a leader: %v", err)
		}
		if err := n.CancelRekey(""); !errors.Is(err, node.ErrOutcomeUnknown) {
			t.Fatalf("cancelled while its shares may be in force: %v", err)
		}
		n.LapseRekey()
		if status, err := n.RekeyStatus(); err != nil || !status.Started {
			t.Fatalf("lapsed while its shares may be in force: %+v, %v", status, err)
		}
		s.network.Heal()
		var r node.Rekeyed
		s.await("it finds out", func() bool {
			r, err = n.GiveRekeyShare(t.Context(), nonce, s.shares[2], allowed)
			return err == nil
		})
		s.awaitTerm(2, 0, 1, 2)
		must(t, n.Seal(t.Context()))
		if s.opens(leader, s.shares[0]) || !s.opens(leader, r.Shares[0], r.Shares[1]) {
			t.Fatal("the shares that were shown are not in force")
		}
	})
}

// A node that is sealed before it knows says so.
func TestSealedBeforeTheOutcomeIsKnown(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var j journal
		for i := range 3 {
			s.openWith(i, j.keep)
		}
		s.startOpened(3)
		leader, _ := s.beginUnknown()
		must(t, s.nodes[leader].Seal(t.Context()))
		if j.count("loses its keys before it is known whether new unseal shares are in force") != 1 {
			t.Error("it says nothing")
		}
	})
}

// The hour in which new shares are to be given back begins when they are shown.
func TestRekeyVerificationHour(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T, s *site) {
		s.openWith(0, func(c *node.Config) {
			c.Timing = node.Timing{Heartbeat: 20 * time.Second, Election: 20 * time.Second,
				LeaderLease: 10 * time.Second} // hours pass
		})
		s.startOpened(1)
		n := s.nodes[0]
		status, err := n.BeginRekey(3, 2, true)
		must(t, err)
		time.Sleep(50 * time.Minute) // fake time
		made := s.giveOld(0, status.Nonce)
		time.Sleep(50 * time.Minute) // fake time
		_, err = s.verify(0, made[:1])
		must(t, err)
		time.Sleep(11 * time.Minute) // fake time
		if status, err := n.RekeyStatus(); err != nil || status.Started {
			t.Errorf("an hour after they were shown: %+v, %v", status, err)
		}
	})
}

// Who decides on a state from before a rekey may try again: nothing is wrong with the node.
func TestRotationOnAStateFromBeforeARekey(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		before := s.nodes[0].View()
		s.rekey(0, 1, 1, false)
		s.awaitTerm(2, 0)
		if err := s.nodes[0].RotateOn(before); !errors.Is(err, node.ErrUnavailable) {
			t.Errorf("%v, want one that says try again", err)
		}
		must(t, s.nodes[0].RotateOn(s.nodes[0].View()))
	})
}

// A state that is older than the folder's seal record does not take it back to older shares. That of
// an unsealed node is not older: such a record in its folder is somebody else's.
func TestTheFolderKeepsTheNewestSealRecord(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		newer, err := seal.DecodeRecord(readFile(t, filepath.Join(s.root, "host0/cluster/seal.record")))
		must(t, err)
		own := newer
		newer.Generation++
		for _, want := range []seal.Record{own, newer} {
			after, err := s.nodes[0].FollowSeal(t.Context(), newer)
			must(t, err)
			if after != want {
				t.Errorf("it has generation %d, want %d", after.Generation, want.Generation)
			}
			must(t, s.nodes[0].Seal(t.Context()))
		}
	})
}
