package node_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/fsm"
	"keyquorum/node"
)

// What was sealed under a term is not signed under the next one: it would come into the state after
// somebody has looked whether the older term is needed yet. It is to be decided again.
func TestNothingIsSignedThatWasSealedBefore(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		n := s.nodes[1]
		rotate := func() {
			_, err := s.nodes[2].RotateKeyring(t.Context())
			must(t, err)
			s.awaitTerm(2, 1)
		}
		if outcome, err := n.CommitSealed(t.Context(), func() {}); err != nil ||
			outcome.Kind != fsm.Applied {
			t.Fatalf("sealed and signed under one term: %+v, %v", outcome, err)
		}
		if outcome, err := n.CommitSealed(t.Context(), rotate); err != nil ||
			outcome.Kind != fsm.TooOld {
			t.Errorf("signed under a later term: %+v, %v", outcome, err)
		}
		if outcome, err := n.CommitSealed(t.Context(), func() {}); err != nil ||
			outcome.Kind != fsm.Applied {
			t.Errorf("decided again: %+v, %v", outcome, err)
		}
	})
}

// Two nodes that both believe to lead change the keyring once.
func TestTwoLeadersChangeTheKeyringOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var ahead atomic.Int64
		for i := range 3 {
			s.openWith(i, func(c *node.Config) {
				c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			})
		}
		s.startOpened(3)
		must(t, s.nodes[0].SetKeyringSchedule(t.Context(),
			func(k node.KeyringSchedule) (node.KeyringSchedule, error) {
				k.Interval = 24 * time.Hour
				return k, nil
			}))
		for day := range 3 {
			ahead.Store(int64(day+1) * int64(25*time.Hour))
			var both sync.WaitGroup
			for _, n := range s.nodes {
				both.Go(func() {
					if err := n.RotateWhenDue(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			s.awaitTerm(uint32(day+2), 0, 1, 2)
			if term := s.nodes[0].View().Line().Newest().Term; term != uint32(day+2) {
				t.Errorf("after %d days the term is %d", day+1, term)
			}
		}
	})
}
