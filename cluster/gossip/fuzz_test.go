package gossip_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/hashicorp/memberlist"

	"keyquorum/cluster/gossip"
)

// FuzzGossip: whatever others gossip, a member keeps no more than it may, and what it tells fits
// and can be heard.
func FuzzGossip(f *testing.F) {
	news := gossip.News{Cluster: "host1:8201", API: "https://host1:8200", Label: "one"}
	g := gossip.New(gossip.Config{}, gossip.Member{News: func() gossip.News { return news }})
	f.Add("00000000000000000000000000000002", g.Meta(memberlist.MetaMaxSize), memberlist.MetaMaxSize)
	f.Add("00000000000000000000000000000002", g.Meta(memberlist.MetaMaxSize), 20)
	f.Add("", []byte{0x86, 0x60, 0x60, 0x60, 0x60, 0xf4, 0x00}, 0)
	f.Add("x", []byte{0x9f}, -1)
	n := 0
	f.Fuzz(func(t *testing.T, id string, meta []byte, limit int) {
		n++
		g.Hear(id, meta)
		g.Hear(fmt.Sprint(id, n), meta)
		if heard, _ := g.Of(id); heard.Cluster != "" {
			if _, _, err := net.SplitHostPort(heard.Cluster); err != nil {
				t.Fatalf("an address was kept that is none: %q", heard.Cluster)
			}
		}
		if g.Heard() > 1024 {
			t.Fatalf("%d ids are kept", g.Heard())
		}
		told := g.Meta(limit)
		if len(told) > max(limit, 0) {
			t.Fatalf("%d bytes of metadata where %d fit", len(told), limit)
		}
		if g.Hear("own", told); told != nil && n == 1 {
			if heard, _ := g.Of("own"); heard != news {
				t.Fatalf("what it tells is heard as %+v", heard)
			}
		}
	})
}
