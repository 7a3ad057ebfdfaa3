package gossip

import "github.com/hashicorp/memberlist"

// Meta is what this member tells of itself in at most limit bytes.
func (g *Gossip) Meta(limit int) []byte { return g.meta(limit) }

// Heard is the number of nodes of which something was heard.
func (g *Gossip) Heard() int {
	g.heardMu.RLock()
	defer g.heardMu.RUnlock()
	return len(g.heard)
}

// Events is a Gossip as memberlist tells it who comes and goes.
func (g *Gossip) Events() memberlist.EventDelegate { return delegate{g} }
