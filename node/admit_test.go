package node_test

import (
	"strings"
	"testing"

	"keyquorum/node"
)

// Two members that run have two names. That of one that is gone is free.
func TestNameOfAMemberThatRunsIsTaken(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		joiner := s.openWith(3, func(c *node.Config) { c.Label = "host1" })
		join := func() error {
			must(t, joiner.Join(t.Context(), frank{direct{s.nodes[0]}}, false))
			_, err := joiner.Unseal(t.Context(), s.shares[0])
			must(t, err)
			_, err = joiner.Unseal(t.Context(), s.shares[1])
			return err
		}
		if err := join(); err == nil || !strings.Contains(err.Error(),
			"a member that runs is called host1 (") {
			t.Errorf("a second host1: %v", err)
		}
		s.stop(1)
		must(t, join())
	})
}
