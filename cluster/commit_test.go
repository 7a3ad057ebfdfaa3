package cluster_test

import (
	"errors"
	"testing"

	"keyquorum/cluster"
)

// A member that hears of its removal while a write of its is under way does not know what became of the write.
func TestWriteUnderWayAtARemovalIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		asker := (leader + 1) % 3
		must(t, g.put(asker, "x", "before"))
		stored := g.stalls[leader].close()
		written := make(chan error, 1)
		go func() { written <- g.put(asker, "x", "under way") }()
		<-stored
		g.members[asker].LearnRemoved()
		g.network.Reset(host(leader), host(asker))
		if err := <-written; !errors.Is(err, cluster.ErrUnknown) {
			t.Errorf("the write that was sent is reported as %v", err)
		}
	})
}
