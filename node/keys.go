package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"keyquorum/cluster"
	"keyquorum/fsm"
)

// Keys change while nodes serve. The keyring is in the state, wrapped, and each unsealed node follows it: a new term is known
// to a node before it can meet a record that is sealed under it, since the record comes later in the log.

// errForeignKeyring: somebody put another cluster's state, or an old one, under this node's shares.
var errForeignKeyring = errors.New("node: the keyring does not hold the transaction key that this node's state goes by: its folder was altered; remove it and join anew")

// rightful says whether a keyring holds the key that the state in view goes by.
func (k *keys) rightful(view fsm.View) error {
	newest := view.Line().Newest()
	public, ok := k.keyring.Public(newest.Term)
	if !ok || k.keyring.Term() != newest.Term || !bytes.Equal(public, newest.Public) {
		return errForeignKeyring
	}
	return nil
}

// refresh takes over the keyring of the state, if it is another one than before.
func (k *keys) refresh(view fsm.View) error {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	r, ok := view.Get(pathKeyring)
	if !ok || r.Mod <= k.wrapped {
		return nil
	}
	newer, err := k.root.UnwrapKeyring(r.Value)
	if err != nil {
		return fmt.Errorf("node: the new keyring does not open: %w", err)
	}
	defer newer.Close()
	if err := k.keyring.Adopt(newer); err != nil {
		return err
	}
	k.wrapped = r.Mod
	return nil
}

// followKeyring ends with the keys.
func (n *Node) followKeyring(m *member, k *keys) {
	for {
		view := m.cluster.View()
		if err := k.refresh(view); err != nil && k.working.Err() == nil {
			n.logger().Error("this node does not follow the keyring, and seals itself", "error", err)
			n.wg.Go(n.sealNow)
			return
		}
		if m.cluster.Wait(k.working, view.Index()+1) != nil {
			return
		}
	}
}

// RotateKeyring gives the cluster a new data key and a new transaction key, while all nodes serve. What is sealed under older
// terms stays readable; what an older transaction key signs is refused from now on.
func (n *Node) RotateKeyring(ctx context.Context) (term uint32, err error) {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return 0, ErrSealed
	}
	for {
		view := m.cluster.View()
		if err := k.refresh(view); err != nil {
			return 0, err
		}
		txn, err := k.rotation(view)
		if err != nil {
			return 0, err
		}
		outcome, err := m.cluster.Commit(ctx, txn)
		if err != nil {
			return 0, err
		}
		if outcome.Kind == fsm.Applied {
			break
		}
		if err := m.cluster.Wait(ctx, outcome.At); err != nil {
			return 0, err
		}
	}
	view := m.cluster.View()
	if err := k.refresh(view); err != nil {
		return 0, err
	}
	// The new key's word for the state, at once: a snapshot without it is taken by nobody any more.
	_, err = m.cluster.Commit(ctx, view.Begin(fsm.Ordinary))
	return view.Line().Newest().Term, err
}

// rotation is the transaction that gives keyring and transaction key a successor.
func (k *keys) rotation(view fsm.View) (fsm.Txn, error) {
	none := fsm.Txn{}
	old, ok := view.Get(pathKeyring)
	if !ok {
		return none, errForeignKeyring
	}
	next, err := k.root.UnwrapKeyring(old.Value)
	if err != nil {
		return none, err
	}
	defer next.Close()
	last := next.Term()
	if err := next.Rotate(); err != nil {
		return none, err
	}
	public, _ := next.Public(next.Term())
	endorsement, err := next.SignUnder(last, fsm.EndorsementOf(next.Term(), public))
	if err != nil {
		return none, err
	}
	line, err := view.Line().Extend(next.Term(), public, endorsement).Encode()
	if err != nil {
		return none, err
	}
	wrapped, err := k.root.WrapKeyring(next)
	if err != nil {
		return none, err
	}
	txn := view.Begin(fsm.Rotate)
	cluster.Put(&txn, view, pathKeyring, wrapped)
	cluster.Put(&txn, view, fsm.PathKeys, line)
	return txn, nil
}
