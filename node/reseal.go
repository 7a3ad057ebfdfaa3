package node

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/storage"
)

// ErrResealed: somebody else changed the shares first.
var ErrResealed = errors.New("node: the unseal shares were changed by another operation " +
	"meanwhile, so this one has ended: its new shares open nothing")

// reseal puts new shares in force, in the place of those of the record that was changed at index
// `from` last: all or nothing. ErrUnknown says that they may be; asked again it finds out, if it
// returns nil or ErrResealed. The follower of the keyring must know of root (keys.make).
func (n *Node) reseal(
	ctx context.Context, m *member, k *keys, from uint64, record seal.Record, root *seal.Root,
) error {
	err := m.change(ctx, fsm.Reseal, func(view fsm.View, txn *fsm.Txn) error {
		now, _ := view.Get(pathSeal)
		switch {
		case bytes.Equal(now.Value, record.Encode()):
			return nil // by an earlier attempt
		case now.Mod != from:
			return ErrResealed
		}
		wrapped, err := k.rewrap(view, root)
		if err != nil {
			return err
		}
		cluster.Put(txn, view, pathSeal, record.Encode())
		cluster.Put(txn, view, pathKeyring, wrapped)
		return nil
	})
	if err == nil { // whatever becomes of this node: they are in force
		if err := k.refresh(m.cluster.View()); err != nil {
			n.logger().Error("this node changed the shares, and does not follow", "error", err)
		}
	}
	return err
}

// make tells the keyring's follower of a root key that may soon be the cluster's; nil: of none.
func (k *keys) make(root *seal.Root) {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	k.made = root
}

// rewrap has another root key wrap the keyring of a view.
func (k *keys) rewrap(view fsm.View, root *seal.Root) ([]byte, error) {
	if err := k.refresh(view); err != nil {
		return nil, err
	}
	keyring, err := k.keyringOf(view)
	if err != nil {
		return nil, err
	}
	defer keyring.Close()
	return root.WrapKeyring(keyring)
}

// followSeal keeps a copy of the seal record in the folder, and has a sealed node take the shares
// of now. It is for each member, sealed or not. A state that is read from the log again may have
// an older record: the copy never goes back to that. What an unsealed node has is no older one.
func (n *Node) followSeal(_ context.Context, m *member) error {
	r, ok := m.cluster.View().Get(pathSeal)
	if !ok {
		return nil
	}
	record, err := seal.DecodeRecord(r.Value)
	if err != nil {
		return err
	}
	mirror := *m.mirror.Load()
	if record != mirror && (n.keys.Load() != nil || !mirror.Newer(record)) {
		if err := storage.WriteFile(filepath.Join(n.memberDir(), fileSeal), r.Value); err != nil {
			return err
		}
		m.mirror.Store(&record)
	}
	if n.keys.Load() == nil && n.mu.TryLock() { // who holds it may wait for the cluster
		n.collectLocked(m)
		n.mu.Unlock()
	}
	return nil
}

// collectLocked has the ceremony of a member be one for the shares of now. Older ones that were
// given so far are good for nothing any more.
func (n *Node) collectLocked(m *member) {
	record := m.sealRecord()
	if n.ceremony == nil || n.ceremony.Collects(record.Lock) {
		return
	}
	n.ceremony.Reset()
	n.ceremony = seal.NewCeremony(record)
	n.noteLocked()
}
