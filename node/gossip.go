package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"

	"keyquorum/cluster"
	"keyquorum/cluster/gossip"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/storage"
)

// The gossip key changes in three steps, so that no two members are ever without a key that both
// have: all get the new key beside the old one, all encrypt with the new one, the old one goes.
// Each step waits until all members that answer have taken it. One that is away finds out when it
// is back, over the cluster port, for which it needs no gossip.

// A gossipRecord is what pathGossip holds:
//
//	version u8 (1) ‖ step u8 ‖ hash of the keys 32 ‖ the keys, sealed
//
// The hash is in the clear so that a sealed node can tell whether it has them, and whether what it
// is told are they.
type gossipRecord struct {
	Step   gossipStep
	Hash   [32]byte
	Sealed []byte
}

type gossipStep uint8

const (
	gossipSteady gossipStep = 0 // one key
	gossipBoth   gossipStep = 1 // the old one encrypts, all get the new one
	gossipNewest gossipStep = 2 // the new one encrypts
)

var gossipSteps = [...]string{
	gossipBoth:   "all members get the new key beside the old one",
	gossipNewest: "all members encrypt with the new key",
}

const (
	gossipVersion = 1
	gossipHead    = 2 + sha256.Size
	gossipKeySize = 32
	maxGossipKeys = 2
)

var errGossipRecord = errors.New("node: the record of the gossip key is not readable")

func decodeGossip(b []byte) (g gossipRecord, err error) {
	if len(b) <= gossipHead || b[0] != gossipVersion || b[1] > byte(gossipNewest) {
		return g, errGossipRecord
	}
	return gossipRecord{gossipStep(b[1]), [32]byte(b[2:gossipHead]), b[gossipHead:]}, nil
}

// sealGossip makes the record of keys for a logical version.
func sealGossip(k *seal.Keyring, step gossipStep, keys gossip.Keys, logical uint64) ([]byte,
	error) {
	hash, plain := keys.Hash(), bytes.Join(keys, nil)
	defer clear(plain)
	return k.Seal(append([]byte{gossipVersion, byte(step)}, hash[:]...), pathGossip, logical, plain)
}

// splitGossip takes keys apart that stand one after the other, as in the folder and in the record.
func splitGossip(b []byte) (gossip.Keys, error) {
	if len(b) == 0 || len(b)%gossipKeySize != 0 {
		return nil, errors.New("node: not gossip keys")
	}
	return slices.Collect(slices.Chunk(bytes.Clone(b), gossipKeySize)), nil
}

// open gives the keys of a record that is at r.
func (k *keys) openGossip(view fsm.View, r fsm.Record, g gossipRecord) (gossip.Keys, error) {
	if err := k.refresh(view); err != nil {
		return nil, err
	}
	plain, err := k.keyring.Open(nil, pathGossip, r.Logical, g.Sealed)
	if err != nil {
		return nil, err
	}
	defer plain.Zero()
	keys, err := splitGossip(plain)
	if err == nil && keys.Hash() != g.Hash {
		err = errGossipRecord
	}
	return keys, err
}

// followGossip takes over what the state says of the gossip keys: from the record if this node is
// unsealed, else from another member.
func (n *Node) followGossip(ctx context.Context, m *member) error {
	view := m.cluster.View()
	r, ok := view.Get(pathGossip)
	if !ok || r.Mod == m.gossipFrom {
		return nil
	}
	g, err := decodeGossip(r.Value)
	if err != nil {
		return err
	}
	keys := m.gossipKeys
	if keys.Hash() != g.Hash {
		if k := n.keys.Load(); k != nil {
			keys, err = k.openGossip(view, r, g)
		} else {
			keys, err = m.cluster.AskGossipKeys(ctx, g.Hash)
		}
		if err != nil {
			return err
		}
		if err := storage.WriteFile(filepath.Join(n.memberDir(), fileGossipKey),
			bytes.Join(keys, nil)); err != nil {
			return err
		}
		if err := m.cluster.UseGossipKeys(keys); err != nil {
			return err
		}
	}
	m.gossipKeys, m.gossipFrom = keys, r.Mod
	return nil
}

// RotateGossipKey has the gossip key changed, unless a change is under way.
func (n *Node) RotateGossipKey(ctx context.Context) (Rotation, error) {
	err := n.changeGossip(ctx, func(g gossipRecord, keys gossip.Keys) (gossipStep, gossip.Keys) {
		if g.Step != gossipSteady {
			return g.Step, nil
		}
		key := make([]byte, gossipKeySize)
		rand.Read(key)
		return gossipBoth, append(keys, key)
	})
	if err != nil {
		return Rotation{}, err
	}
	return n.GossipRotation(ctx)
}

// changeGossip writes the record anew. next gives what comes after a record; without keys it stays
// as it is.
func (n *Node) changeGossip(
	ctx context.Context, next func(gossipRecord, gossip.Keys) (gossipStep, gossip.Keys),
) error {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return ErrSealed
	}
	return m.change(ctx, fsm.Ordinary, func(view fsm.View, txn *fsm.Txn) error {
		r, _ := view.Get(pathGossip)
		g, err := decodeGossip(r.Value)
		if err != nil {
			return err
		}
		keys, err := k.openGossip(view, r, g)
		if err != nil {
			return err
		}
		step, keys := next(g, keys)
		if keys == nil {
			return nil
		}
		value, err := sealGossip(k.keyring, step, keys, r.Mod)
		cluster.Put(txn, view, pathGossip, value)
		return err
	})
}

// change commits what decide makes of the newest state, again where others were faster. A
// transaction that writes nothing is not committed.
func (m *member) change(ctx context.Context, verb fsm.Verb,
	decide func(fsm.View, *fsm.Txn) error) error {
	for {
		view := m.cluster.View()
		txn := view.Begin(verb)
		if err := decide(view, &txn); err != nil || len(txn.Writes) == 0 {
			return err
		}
		outcome, err := m.cluster.Commit(ctx, txn)
		if err != nil || outcome.Kind == fsm.Applied {
			return err
		}
		if err := m.cluster.Wait(ctx, max(outcome.At, outcome.Index)); err != nil {
			return err
		}
	}
}

// driveGossip takes the next step when all members that answer have taken the last one. The leader
// does it.
func (n *Node) driveGossip(ctx context.Context, m *member) error {
	r, _ := m.cluster.View().Get(pathGossip)
	g, err := decodeGossip(r.Value)
	if err != nil || g.Step == gossipSteady || anyAnswers(n.gossipLaggards(ctx, m, g)) {
		return err
	}
	return n.changeGossip(ctx, func(now gossipRecord, keys gossip.Keys) (gossipStep, gossip.Keys) {
		switch {
		case now.Hash != g.Hash:
			return now.Step, nil
		case now.Step == gossipBoth:
			return gossipNewest, gossip.Keys{keys[1], keys[0]}
		}
		return gossipSteady, keys[:1]
	})
}

// gossipLaggards are the members that have other keys than the record's, or do not answer.
func (n *Node) gossipLaggards(ctx context.Context, m *member, g gossipRecord) []Laggard {
	return laggards(m.cluster.Survey(ctx), func(p Peer) bool {
		return p.Status.GossipKeys == g.Hash
	})
}

// GossipRotation says where the change of the gossip key stands.
func (n *Node) GossipRotation(ctx context.Context) (Rotation, error) {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return Rotation{}, ErrSealed
	}
	view := m.cluster.View()
	r, _ := view.Get(pathGossip)
	g, err := decodeGossip(r.Value)
	if err != nil {
		return Rotation{}, err
	}
	keys, err := k.openGossip(view, r, g)
	if err != nil {
		return Rotation{}, err
	}
	newest := keys[0]
	if g.Step == gossipBoth {
		newest = keys[1]
	}
	hash := gossip.Keys{newest}.Hash()
	rotation := Rotation{
		ID: hex.EncodeToString(hash[:8]), Older: len(keys) - 1, Step: gossipSteps[g.Step],
		Waiting: n.gossipLaggards(ctx, m, g),
	}
	if g.Step == gossipSteady && anyAnswers(rotation.Waiting) {
		rotation.Step = "all members forget the old key"
	}
	return rotation, nil
}
