package cluster_test

import (
	"testing"
	"time"
)

// A fenced read answers from a state that has got to its fence, or not at all.
func TestFencedReadGetsToItsFence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3, withoutLeases)
		leader := g.leader()
		behind := (leader + 1) % 3
		must(t, g.put(leader, "x", "old"))
		must(t, g.members[behind].Wait(t.Context(), g.members[leader].View().Index()))
		g.slow[behind].hold()
		must(t, g.put(leader, "x", "new"))
		if got, err := g.get(behind, "x", time.Second); err == nil {
			t.Errorf("%q is read from a state that is behind its fence", got)
		}
		g.slow[behind].release()
		if got, err := g.get(behind, "x", 5*time.Second); err != nil || got != "new" {
			t.Errorf("afterwards %q, %v", got, err)
		}
	})
}
