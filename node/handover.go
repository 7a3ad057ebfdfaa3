package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
)

// When the shares are changed, the keyring of the state is wrapped by another root key. A member
// that is unsealed meanwhile needs it for the next keyring, and the state does not have it: it asks
// the others, over the cluster port. It has to sign for that with the transaction key, which only
// who is unsealed has, and the answer is sealed for a key that it made for this one question
// (seal.Handover). seal/DESIGN.md says what that is good for.
//
// A change of the shares ends with a change of the keyring (driveReseal). From then on there is a
// transaction key that nobody has who has no more than the old shares and an old folder.

const (
	// handoverWait is how long a member without the newest term tries before it seals itself, and how
	// long the transaction key from before the change of the keyring may still ask.
	handoverWait = time.Minute
	// handoverRest is what the leader leaves the others before it changes the keyring.
	handoverRest = 3 * time.Second
	// handoverTell is how often a node tells that nobody has told it the root key.
	handoverTell = 3 * time.Minute
)

// errNoRoot: the state is that of newer shares than this node's root key came from.
var errNoRoot = fmt.Errorf("%w: the unseal shares were changed, and this node has not been told "+
	"their root key yet", cluster.ErrUnavailable)

// ErrOldShares: good shares, of a seal that is no more.
var ErrOldShares = fmt.Errorf("%w: the shares were changed, and these are older",
	seal.ErrShareForeign)

// A handed is the root key that this node went over to while it was unsealed, and in time.
type handed struct {
	at   time.Time // zero: to none, or late
	term uint32    // of the transaction key of then
}

// sealRecordIn is the seal record of a view.
func sealRecordIn(view fsm.View) (seal.Record, error) {
	r, ok := view.Get(pathSeal)
	if !ok {
		return seal.Record{}, seal.ErrRecord
	}
	return seal.DecodeRecord(r.Value)
}

// unwrapLocked opens the keyring of a view, with the root key that this node has made itself where
// that is the one.
func (k *keys) unwrapLocked(view fsm.View) (*seal.Keyring, error) {
	r, _ := view.Get(pathKeyring)
	keyring, err := k.root.UnwrapKeyring(r.Value)
	if !errors.Is(err, seal.ErrWrongKey) {
		return keyring, err
	}
	if k.made != nil {
		if keyring, err := k.goOverLocked(view, k.made); err == nil {
			return keyring, nil
		}
	}
	record, unreadable := sealRecordIn(view)
	if unreadable == nil && record.Generation > k.root.Generation() {
		return nil, errNoRoot
	}
	return nil, err
}

// goOverLocked has this node go on with the root key of newer shares. It is that of the cluster if
// it opens the keyring of the state.
func (k *keys) goOverLocked(view fsm.View, root *seal.Root) (*seal.Keyring, error) {
	record, err := sealRecordIn(view)
	if err != nil || record.Generation != root.Generation() {
		return nil, errNoRoot
	}
	r, _ := view.Get(pathKeyring)
	keyring, err := root.UnwrapKeyring(r.Value)
	if err != nil {
		return nil, err
	}
	if err := rightful(keyring, view); err != nil {
		keyring.Close()
		return nil, err
	}
	if err := k.root.Adopt(root); err != nil {
		keyring.Close()
		return nil, err
	}
	k.handed = handed{time.Now(), k.keyring.Term()}
	return keyring, nil
}

// goOver takes a root key that came from another member. One that came late makes this member tell
// nobody who is as late: its minute is the other's.
func (k *keys) goOver(view fsm.View, root *seal.Root, late bool) error {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	keyring, err := k.goOverLocked(view, root)
	if err != nil {
		return err
	}
	defer keyring.Close()
	if late {
		k.handed = handed{}
	}
	return k.adoptLocked(view, keyring)
}

// awaitRoot returns when this node's keyring is that of the state, for which it gets the root key
// of new shares from another member. One that serves nobody yet doesn't ask: whoever unseals a node
// does it with the shares of now.
//
// Until there is a new term the keyring that this node has is as good as the new one, so it serves
// on, whoever can tell it the root key. errNoRoot: nobody did for long after there was one.
func (n *Node) awaitRoot(m *member, k *keys) error {
	defer k.rootless.Store(false)
	for begun, told, overtaken := time.Now(), (time.Time{}), (time.Time{}); ; {
		view := m.cluster.View()
		if err := k.refresh(view); !errors.Is(err, errNoRoot) {
			return err
		}
		if view.Line().Newest().Term > k.keyring.Term() && overtaken.IsZero() {
			overtaken = time.Now()
		}
		switch {
		case n.keys.Load() != k:
			k.outdated(ErrOldShares)
		case n.askRoot(m, k, view) == nil:
			n.logger().Info("the unseal shares were changed; this node has the new root key")
			return nil
		case time.Since(begun) > handoverRest: // the others needed a moment themselves
			k.rootless.Store(true)
			told = n.tellOfNoRoot(told)
		}
		if !overtaken.IsZero() && time.Since(overtaken) > handoverWait {
			return errNoRoot
		}
		select {
		case <-time.After(followRest):
		case <-k.working.Done():
			return errNoRoot
		}
	}
}

// tellOfNoRoot says now and then that somebody is needed, and returns when it did last.
func (n *Node) tellOfNoRoot(told time.Time) time.Time {
	if !told.IsZero() && time.Since(told) < handoverTell {
		return told
	}
	n.logger().Warn("the unseal shares were changed, and no node in reach has told this one the new " +
		"root key: it serves on, follows no change of the keyring, and tries again; a node that is " +
		"unsealed with the new shares can tell it")
	return time.Now()
}

// askRoot asks the others once.
func (n *Node) askRoot(m *member, k *keys, view fsm.View) error {
	ctx, cancel := context.WithTimeout(k.working, followWait)
	defer cancel()
	record, err := sealRecordIn(view)
	if err != nil {
		return err
	}
	h, err := seal.NewHandover(record.ClusterID, record.Generation)
	if err != nil {
		return err
	}
	r := cluster.RootKeyRequest{Generation: record.Generation, Public: h.Public()}
	message, err := r.Message(m.identity.NodeID)
	if err != nil {
		return err
	}
	if r.KeyTerm, r.Signature, err = k.keyring.Sign(message); err != nil {
		return err
	}
	return m.cluster.AskRootKey(ctx, r, func(sealed []byte, late bool) bool {
		root, err := h.Root(sealed)
		if err != nil {
			return false
		}
		defer root.Close()
		return k.goOver(view, root, late) == nil
	})
}

// errAskedBySealed: whoever asks has not shown that it is unsealed.
var errAskedBySealed = errors.New("node: the root key is for unsealed members")

// handRootKey serves an unsealed member that asks for the root key of the shares of now.
func (n *Node) handRootKey(
	nodeID string, r cluster.RootKeyRequest,
) (sealed []byte, late bool, err error) {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return nil, false, ErrSealed
	}
	message, err := r.Message(nodeID)
	if err != nil {
		return nil, false, err
	}
	late = !m.cluster.View().Line().Verify(r.KeyTerm, message, r.Signature)
	if late && !k.late(r, message) {
		return nil, late, errAskedBySealed
	}
	sealed, err = k.root.HandOver(r.Generation, r.Public)
	if err == nil {
		n.logger().Info("told another member the root key of the new unseal shares",
			"node_id", nodeID, "generation", r.Generation, "late", late)
	}
	return sealed, late, err
}

// late says whether a request is of a member that the change of the keyring has overtaken: signed
// with the key of when the shares were changed, a short while after that.
func (k *keys) late(r cluster.RootKeyRequest, message []byte) bool {
	k.refreshing.Lock()
	h := k.handed
	k.refreshing.Unlock()
	public, ok := k.keyring.Public(h.term)
	return ok && r.KeyTerm == h.term && time.Since(h.at) < handoverWait &&
		ed25519.Verify(public, message, r.Signature)
}

// resealed says whether nothing came after a change of the shares that has changed the keyring:
// both records are of one transaction then, as at the founding, and after a change of the wrappers.
func resealed(view fsm.View) bool {
	s, _ := view.Get(pathSeal)
	r, _ := view.Get(pathKeyring)
	record, err := sealRecordIn(view)
	return err == nil && s.Mod == r.Mod && record.Generation > 1 && !record.WrappersChanged()
}

// driveReseal ends a change of the shares with one of the keyring. The leader does it.
func (n *Node) driveReseal(ctx context.Context, m *member) error {
	k := n.keys.Load()
	if k == nil || !resealed(m.cluster.View()) {
		return nil
	}
	k.refreshing.Lock()
	since := time.Since(k.handed.at)
	k.refreshing.Unlock()
	if since < handoverRest {
		return nil
	}
	_, err := n.RotateKeyring(ctx)
	return err
}
