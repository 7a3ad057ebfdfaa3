package testcluster_test

import (
	"testing"
	"testing/synctest"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// Right after a change of members all nodes are started anew. The change and the configuration that
// follows from it may be in logs, and neither known to be committed: a follower must take the
// configuration by what is signed in its log, since the leader commits the change by an entry
// behind both.
func TestAllStartAnewAfterAChangeOfMembers(t *testing.T) {
	heavy.Test(t)
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			c := testcluster.New(t, 5)
			c.AddVoter()
			for i := range c.Size() {
				c.Restart(i)
			}
			c.Settled()
		})
	}
}
