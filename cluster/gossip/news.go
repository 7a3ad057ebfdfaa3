package gossip

import (
	"maps"

	"github.com/hashicorp/memberlist"

	"keyquorum/cluster/wire"
	"keyquorum/internal/address"
)

// News is what a node tells of itself, within memberlist's 512 bytes of metadata.
type News struct {
	_                                    struct{} `cbor:",toarray"`
	Cluster, API, Label, Region, Version string   // Cluster: of its cluster port, host:port
	Sealed                               bool
	Applied                              uint64 // index of the newest entry that its state has
}

// heard is what a node told last. Of one that is gone only its names are good for anything: people
// look for it now.
type heard struct {
	News
	gone bool
}

// maxHeard bounds the nodes: whoever has the gossip key can make some up.
const maxHeard = 1024

// Of is what a node told of itself last. Its Cluster is host:port, or "".
func (g *Gossip) Of(nodeID string) (News, bool) {
	g.heardMu.RLock()
	defer g.heardMu.RUnlock()
	n, ok := g.heard[nodeID]
	return n.News, ok && !n.gone
}

// Last is the same, also of a node that is gone.
func (g *Gossip) Last(nodeID string) News {
	g.heardMu.RLock()
	defer g.heardMu.RUnlock()
	return g.heard[nodeID].News
}

// Hear takes a node's metadata: News, encoded. Nonsense is passed over, and so is who is new when
// there are too many.
func (g *Gossip) Hear(nodeID string, meta []byte) {
	var n News
	if len(meta) > memberlist.MetaMaxSize || wire.Decode(meta, &n) != nil {
		return
	}
	if address.Reachable(n.Cluster) != nil {
		n.Cluster = ""
	}
	g.heardMu.Lock()
	defer g.heardMu.Unlock()
	if _, known := g.heard[nodeID]; !known && len(g.heard) >= maxHeard {
		maps.DeleteFunc(g.heard, func(_ string, h heard) bool { return h.gone })
	}
	if _, known := g.heard[nodeID]; known || len(g.heard) < maxHeard {
		g.heard[nodeID] = heard{News: n}
	}
}

func (g *Gossip) forget(nodeID string) {
	g.heardMu.Lock()
	defer g.heardMu.Unlock()
	if h, known := g.heard[nodeID]; known {
		h.gone = true
		g.heard[nodeID] = h
	}
}

// meta is what this member tells of itself in at most limit bytes.
func (g *Gossip) meta(limit int) []byte {
	meta, err := wire.Encode(g.member.News())
	if err != nil || len(meta) > limit {
		return nil // labels too long for a datagram: the columns stay empty
	}
	return meta
}

// A delegate is a Gossip as memberlist calls it.
type delegate struct{ *Gossip }

// NodeMeta is what this node tells of itself.
func (d delegate) NodeMeta(limit int) []byte { return d.meta(limit) }

// NotifyJoin, NotifyUpdate and NotifyLeave keep what the others tell.
func (d delegate) NotifyJoin(n *memberlist.Node)   { d.Hear(n.Name, n.Meta) }
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.Hear(n.Name, n.Meta) }
func (d delegate) NotifyLeave(n *memberlist.Node)  { d.forget(n.Name) }

// NotifyConflict reports two nodes that use one id: a copied data folder.
func (d delegate) NotifyConflict(existing, other *memberlist.Node) {
	d.member.Logger.Error(
		"two nodes use the same node id: one runs on a copy of the other's data folder",
		"node", existing.Name, "at", existing.Address(), "and at", other.Address())
}

// The rest of memberlist.Delegate is not used: no messages, no state.
func (delegate) NotifyMsg([]byte)                {}
func (delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (delegate) LocalState(bool) []byte          { return nil }
func (delegate) MergeRemoteState([]byte, bool)   {}
