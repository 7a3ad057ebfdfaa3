package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

// GossipKeys are the keys that gossip is encrypted with, 32 bytes each: the first encrypts, all
// decrypt. They lie in the folders in the clear and in a record of the state (node's), sealed,
// beside their hash in the clear: who can't open the record asks the others for keys of that hash.
type GossipKeys [][]byte

// Hash names the keys without telling them.
func (k GossipKeys) Hash() [32]byte {
	b := []byte("keyquorum gossip keys v1\n")
	for _, key := range k {
		b = append(b, key...)
	}
	return sha256.Sum256(b)
}

// UseGossipKeys has this member gossip with other keys, and serve them to the others.
func (c *Cluster) UseGossipKeys(keys GossipKeys) error {
	if c.gossip != nil {
		if err := c.gossip.use(keys); err != nil {
			return err
		}
	}
	c.gossipKeys.Store(&keys)
	return nil
}

// GossipKeys are those in use here.
func (c *Cluster) GossipKeys() GossipKeys { return *c.gossipKeys.Load() }

// use brings memberlist's keys to what they are to be: new ones first, so that it never lacks one.
func (g *gossip) use(keys GossipKeys) error {
	for _, k := range keys {
		if err := g.ring.AddKey(k); err != nil {
			return err
		}
	}
	if err := g.ring.UseKey(keys[0]); err != nil {
		return err
	}
	for _, k := range g.ring.GetKeys() {
		if !slices.ContainsFunc(keys, func(kept []byte) bool { return string(kept) == string(k) }) {
			if err := g.ring.RemoveKey(k); err != nil {
				return err
			}
		}
	}
	return nil
}

func newRing(keys *atomic.Pointer[GossipKeys]) (*memberlist.Keyring, error) {
	k := *keys.Load()
	if len(k) == 0 {
		return nil, errors.New("cluster: no gossip key")
	}
	return memberlist.NewKeyring(k, k[0])
}

type gossipKeysCall struct {
	_    struct{} `cbor:",toarray"`
	Hash [32]byte
}

type gossipKeysAnswer struct {
	_    struct{} `cbor:",toarray"`
	Keys GossipKeys
}

// serveGossipKeys tells a member the keys of a hash.
func (c *Cluster) serveGossipKeys(_ context.Context, _ string, r gossipKeysCall) (gossipKeysAnswer, error) {
	keys := *c.gossipKeys.Load()
	if keys.Hash() != r.Hash {
		return gossipKeysAnswer{}, errCantTell
	}
	return gossipKeysAnswer{Keys: keys}, nil
}

// AskGossipKeys asks the other members, one after the other, for the keys of a hash.
func (c *Cluster) AskGossipKeys(ctx context.Context, hash [32]byte) (GossipKeys, error) {
	answer, err := askAny(ctx, c, "/v1/gossip-keys", gossipKeysCall{Hash: hash}, func(a gossipKeysAnswer) bool {
		return a.Keys.Hash() == hash
	})
	return answer.Keys, err
}
