package gossip_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/gossip"
)

// What are no keys is refused, also while gossip runs, and the keys stay what they were.
func TestOnlyKeysAreUsed(t *testing.T) {
	first, next := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	for _, bind := range []string{"", "127.0.0.1:0"} {
		g := gossip.New(gossip.Config{Bind: bind, Advertise: bind, Keys: gossip.Keys{first}},
			gossip.Member{
				NodeID: "one", ClusterID: "cluster",
				News:       func() gossip.News { return gossip.News{} },
				Others:     func() []string { return nil },
				AskAddress: func(context.Context, string) string { return "" },
				Logger:     hclog.NewNullLogger(),
			})
		if err := g.Start(); err != nil {
			t.Fatal(err)
		}
		for _, none := range []gossip.Keys{nil, {}, {nil}, {first[:16], first[16:]}, {next, nil}} {
			if err := g.Use(none); err == nil || g.Keys().Hash() != (gossip.Keys{first}).Hash() {
				t.Errorf("bound to %q, %x are used: %v", bind, none, err)
			}
		}
		if err := g.Use(gossip.Keys{next, first}); err != nil || len(g.Keys()) != 2 {
			t.Errorf("bound to %q, good keys are refused: %v", bind, err)
		}
		g.Close()
	}
}
