package cluster_test

import (
	"fmt"
	"testing"
	"time"
)

// A lie of gossip's costs a failed dial and no more: not the way to a member.
func TestFalseAddressesCostNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		g.leader()
		must(t, g.put(0, "x", "1"))
		for i := range 3 {
			for j := range 3 {
				g.members[i].Hear(g.ids[j], g.members[i].MetaFor(address((j+1)%3)))
			}
		}
		g.isolate(2) // connections that stand must not hide it
		time.Sleep(20 * time.Second)
		g.network.Heal()
		for i := range 3 {
			got, err := g.get(i, "x", 20*time.Second)
			if err != nil || got != "1" {
				t.Fatalf("member %d answers %q, %v while gossip lies about every address", i, got, err)
			}
		}
		for j := range 2000 { // made-up ids must not crowd out members
			g.members[0].Hear(fmt.Sprintf("%032x", 1000+j), g.members[0].MetaFor("nowhere:1"))
		}
		g.members[0].Hear(g.ids[1], g.members[1].MetaFor("host1:9999"))
		if got := g.members[0].Addresses(g.ids[1]); len(got) != 2 || got[0] != "host1:9999" {
			t.Fatalf("a known member's news is lost among made-up ids: %q", got)
		}
	})
}
