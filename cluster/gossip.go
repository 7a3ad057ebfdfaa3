package cluster

import (
	"context"

	"keyquorum/cluster/gossip"
)

// What gossip is told by this member and asks of it, and the keys that members give one another.
// They go over the cluster port: who lacks a key of gossip's has no gossip to ask by.

func (c *Cluster) newGossip() *gossip.Gossip {
	return gossip.New(c.Gossip, gossip.Member{
		NodeID: c.id, ClusterID: c.Identity.ClusterID,
		News:       c.news,
		Others:     c.others,
		AskAddress: c.askGossipAddress,
		Logger:     c.logger.Named("gossip"),
	})
}

// news is what this member tells of itself.
func (c *Cluster) news() gossip.News {
	about := c.About
	return gossip.News{
		Cluster: c.Address, API: about.API, Label: about.Label, Region: about.Region,
		Version: about.Version, Sealed: c.sealed.Load(), Applied: c.fsm.View().Index(),
	}
}

// aboutOf is what a member told by gossip, as it says it in a status.
func aboutOf(n gossip.News) About {
	return About{Label: n.Label, Region: n.Region, API: n.API, Version: n.Version}
}

func (c *Cluster) askGossipAddress(ctx context.Context, nodeID string) string {
	status, _ := ask[statusCall, Status](ctx, c, nodeID, pathStatus, statusCall{})
	return status.Gossip
}

// UseGossipKeys has this member gossip with other keys, and serve them to the others.
func (c *Cluster) UseGossipKeys(keys gossip.Keys) error { return c.gossip.Use(keys) }

// GossipKeys are those in use here.
func (c *Cluster) GossipKeys() gossip.Keys { return c.gossip.Keys() }

type gossipKeysCall struct {
	_    struct{} `cbor:",toarray"`
	Hash [32]byte
}

type gossipKeysAnswer struct {
	_    struct{} `cbor:",toarray"`
	Keys gossip.Keys
}

// serveGossipKeys tells a member the keys of a hash.
func (c *Cluster) serveGossipKeys(
	_ context.Context, _ string, r gossipKeysCall,
) (gossipKeysAnswer, error) {
	keys := c.gossip.Keys()
	if keys.Hash() != r.Hash {
		return gossipKeysAnswer{}, errCantTell
	}
	return gossipKeysAnswer{Keys: keys}, nil
}

// AskGossipKeys asks the other members, one after the other, for the keys of a hash.
func (c *Cluster) AskGossipKeys(ctx context.Context, hash [32]byte) (gossip.Keys, error) {
	answer, err := askAny(ctx, c, "/v1/gossip-keys", gossipKeysCall{Hash: hash},
		func(a gossipKeysAnswer) bool { return a.Keys.Check() == nil && a.Keys.Hash() == hash })
	return answer.Keys, err
}
