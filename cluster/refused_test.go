package cluster_test

import (
	"context"
	"testing"
	"time"
)

// Raft stops reading the answers of its pipeline at the first that says no, while a request that it
// sends may wait for an answer before it to be read. Neither may wait for the other: the follower
// would be sent nothing more for the rest of the term (hashicorp/raft#612).
func TestFollowerThatRefusedEntriesCatchesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3, withoutLeases) // so that no write waits for the follower
		leader := g.leader()
		follower := (leader + 1) % 3
		g.far(leader, follower, 20*time.Millisecond) // so that several requests are on their way
		write := func(n int) {
			for range n {
				must(t, g.put(leader, "x", "1"))
				time.Sleep(time.Millisecond)
			}
		}
		for range 5 {
			write(10)
			g.stalls[follower].full.Store(true)
			write(50)
			g.stalls[follower].full.Store(false)
			late, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if g.members[follower].Wait(late, g.members[leader].View().Index()) != nil {
				t.Fatal("the follower is sent nothing more")
			}
			cancel()
		}
	})
}
