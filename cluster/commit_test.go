package cluster_test

import (
	"errors"
	"testing"
	"time"

	"keyquorum/cluster"
)

// A member that hears of its removal while a write of its is under way does not know what became of
// the write.
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

// What is refused for its age or its generation is an outcome only where it was not sent before: a
// copy may have been applied before, and forgotten.
func TestOutcomeOfAWriteThatWasSentBeforeMayBeUnknown(t *testing.T) {
	for _, lost := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			g := newGroup(t, 3)
			leader := g.leader()
			asker := (leader + 1) % 3
			must(t, g.put(asker, "x", "before"))
			stored := g.stalls[leader].close()
			written := make(chan error, 1)
			go func() { written <- ofAnotherGeneration(g, asker) }()
			<-stored
			if lost {
				g.network.Reset(host(leader), host(asker))
			}
			time.Sleep(100 * time.Millisecond)
			g.stalls[leader].release()
			if err := <-written; errors.Is(err, cluster.ErrUnknown) != lost {
				t.Errorf("with an answer lost (%v) it is reported as %v", lost, err)
			}
		})
	}
}

// A leader that does not answer a write is asked again, also by who has set no time.
func TestWriteIsSentAgainWhereNoAnswerComes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.lead(0)
		must(t, g.put(1, "a", "1"))
		g.slow[0].hold()
		before := g.members[0].Stats().Proposed
		written := make(chan error, 1)
		txn := write(g.members[1].View(), "b", "1")
		go func() {
			_, err := g.members[1].Commit(t.Context(), txn)
			written <- err
		}()
		time.Sleep(15 * time.Second)
		if n := g.members[0].Stats().Proposed - before; n != 2 {
			t.Errorf("in 15 s the write was sent %d times", n)
		}
		g.slow[0].release()
		must(t, <-written)
	})
}
