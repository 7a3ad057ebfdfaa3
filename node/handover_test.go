package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/node"
	"keyquorum/seal"
)

// asks has a node be asked for the root key of generation 2, by an unsealed member whose newest
// transaction key is that of a term.
func (s *site) asks(i int, term uint32) error {
	s.t.Helper()
	name := filepath.Join(s.root, fmt.Sprintf("host%d/cluster/seal.record", i))
	record, err := seal.DecodeRecord(readFile(s.t, name))
	must(s.t, err)
	h, err := seal.NewHandover(record.ClusterID, 2)
	must(s.t, err)
	r := cluster.RootKeyRequest{Generation: 2, Public: h.Public()}
	_, err = s.nodes[i].HandRootKey("a", "a", term, r)
	return err
}

// A member that got the new root key late gives it to nobody who is as late: else the transaction
// key from before the rekey would be good for a minute more with each that takes it.
func TestLatenessIsNotHandedOn(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var j journal
		for i := range 3 {
			s.openWith(i, j.keep)
		}
		s.startOpened(3)
		late := (s.leader() + 1) % 3
		at, other := (late+1)%3, (late+2)%3
		s.network.Isolate(fmt.Sprint("host", late), fmt.Sprint("host", at), fmt.Sprint("host", other))
		s.rekey(at, 3, 2, false)
		s.awaitTerm(2, at, other)
		if j.count("late=true") != 0 || j.count("told another member the root key") != 1 {
			t.Error("the handover to the second member is not in the log, once")
		}
		s.network.Heal()
		s.awaitTerm(2, late)
		if j.count("generation=2 late=true") != 1 {
			t.Error("the handover to the late member is not in the log, once")
		}
		must(t, s.asks(at, 1))
		must(t, s.asks(late, 2))
		if s.asks(late, 1) == nil {
			t.Error("the late member answers to the transaction key from before the rekey")
		}
	})
}

// Members that nobody can tell the new root key serve on, and say what they lack until somebody
// can.
func TestMembersSayThatTheyLackTheRootKey(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var j journal
		for i := range 3 {
			s.openWith(i, j.keep)
		}
		s.startOpened(3)
		by := (s.leader() + 1) % 3
		others := []int{(by + 1) % 3, (by + 2) % 3}
		s.requireWrites("before", by) // so it has a connection to the leader
		made := s.rekey(by, 3, 2, true)
		for _, i := range others { // it is heard, and hears nobody
			s.network.Hold(fmt.Sprint("host", i), fmt.Sprint("host", by))
		}
		status, _, err := s.nodes[by].RekeyVerification()
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for i, want := range []error{nil, node.ErrOutcomeUnknown} {
			_, _, err := s.nodes[by].GiveNewShare(ctx, status.Nonce, made[i])
			if !errors.Is(err, want) {
				t.Fatalf("new share %d: %v", i, err)
			}
		}
		s.stop(by)
		s.network.Heal()
		lack := func() (count int) {
			for _, i := range others {
				if s.nodes[i].SealStatus().Rootless {
					count++
				}
			}
			return count
		}
		s.await("both say so", func() bool { return lack() == 2 })
		s.requireWrites("alone", others...)
		const warning = "no node in reach has told this one the new root key"
		if c := j.count(warning); c != 2 {
			t.Errorf("%d warnings, want one of each", c)
		}
		time.Sleep(3*time.Minute + 10*time.Second) // fake time
		if c := j.count(warning); c != 4 {
			t.Errorf("%d warnings three minutes later, want two of each", c)
		}
		s.open(by)
		s.await("it has heard of the new shares", func() bool {
			_, err := s.nodes[by].Unseal(t.Context(), made[0])
			return err == nil
		})
		if !s.opens(by, made[1]) {
			t.Fatal("the new shares are not in force")
		}
		s.awaitTerm(2, 0, 1, 2)
		s.await("nobody lacks it", func() bool { return lack() == 0 })
	})
}
