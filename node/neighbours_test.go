package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"keyquorum/node"
)

// A versioned is a cluster whose program has another version.
type versioned struct {
	direct
	version string
}

func (v versioned) Challenge(ctx context.Context, serverID string) (node.Challenge, error) {
	challenge, err := v.direct.Challenge(ctx, serverID)
	challenge.Version = v.version
	return challenge, err
}

// A node joins a cluster of its own version, and of the one before and after. Of others it hears at
// once what to do, before anybody gives it a share.
func TestJoinOfOtherVersions(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.openWith(1, func(c *node.Config) { c.Version = "1.4.2" })
		for version, joins := range map[string]bool{
			"1.4.0": true, "1.3.9": true, "v1.5.0-dev": true, "": true, "test": true, "1.x": true,
			"1.2.9": false, "1.6.0": false, "2.4.2": false, "0.4.2": false,
		} {
			err := joiner.Join(t.Context(), versioned{direct{s.nodes[0]}, version}, false)
			var refused *node.PeerError
			if joins && err != nil || !joins && (!errors.As(err, &refused) ||
				!strings.Contains(err.Error(), "install the cluster's version")) {
				t.Errorf("a cluster of version %q: %v", version, err)
			}
		}
	})
}

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
