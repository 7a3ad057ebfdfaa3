package node_test

import (
	"errors"
	"testing"

	"keyquorum/node"
)

// The shares that were given are those of before, when a rekey at another node comes between the
// last of them and the token: it is not made.
func TestRekeyOvertakesRootGeneration(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(2)
		n := s.nodes[1]
		_, o := s.operator(1)
		status, _, err := n.BeginRootGeneration(nil)
		must(t, err)
		_, err = n.GiveRootGenerationShare(t.Context(), o, status.Nonce, s.shares[0], allowed)
		must(t, err)
		g, err := n.GiveRootGenerationShare(t.Context(), o, status.Nonce, s.shares[1], func() error {
			s.rekey(0, 3, 2, false)
			return nil
		})
		if !errors.Is(err, node.ErrResealed) || g.Encoded != nil {
			t.Errorf("with the shares of before: %v", err)
		}
		if now, err := n.RootGenerationStatus(); err != nil || now.Started {
			t.Errorf("after it: %+v, %v", now, err)
		}
	})
}
