package node

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

// SealStatus is the state of the seal on this node.
type SealStatus struct {
	Initialized, Sealed bool
	Joining             bool // shares given now answer a join challenge
	Opening             bool // the shares are complete; the node waits for the cluster to bring it the keyring
	Threshold, Shares   int
	Progress            int
	ClusterID           string
	Version             string
	Unfit               string // why this node serves nobody, shares or not; "" when it may
	// Rootless: the shares were changed, and nobody has told this unsealed node their root key yet.
	Rootless   bool
	Unattended string // of a sealed node with wrappers: UnattendedTrying, UnattendedHeld, or ""
}

// SealStatus answers from memory; it never waits for a ceremony that is under way.
func (n *Node) SealStatus() SealStatus {
	s := SealStatus{Version: n.config.Version, Sealed: true}
	if last := n.status.Load(); last != nil {
		s = *last
		s.Version = n.config.Version
	}
	if m := n.member.Load(); m != nil {
		record := m.sealRecord()
		s.Initialized, s.Threshold, s.Shares = true, record.Threshold, record.Shares
		s.ClusterID = m.identity.ClusterID
		if why := m.cluster.Unfit(); why != nil {
			s.Unfit = why.Error()
		}
	}
	n.keysMu.Lock()
	k := n.keys.Load()
	s.Sealed, s.Opening = k == nil, n.opening != nil
	s.Rootless = k != nil && k.rootless.Load()
	n.keysMu.Unlock()
	s.Unattended = n.unattendedStatus()
	if !s.Sealed {
		s.Progress, s.Joining = 0, false
	}
	return s
}

// noteLocked publishes what SealStatus can't read from elsewhere.
func (n *Node) noteLocked() SealStatus {
	var s SealStatus
	if n.ceremony != nil {
		s.Progress = n.ceremony.Progress()
	}
	if j := n.joining; j != nil && n.member.Load() == nil {
		s.Initialized, s.Joining = true, true
		s.Threshold, s.Shares = j.lock.Threshold, j.lock.Shares
	}
	n.status.Store(&s)
	return n.SealStatus()
}

// Unseal takes one share. A wrong one is refused by name (seal.ErrShare…) and the progress stays.
// With the last share the node is unsealed when the call returns, unless the cluster has no leader
// yet: then it becomes so by itself.
func (n *Node) Unseal(ctx context.Context, share seal.Plaintext) (SealStatus, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	s, opened, err := n.giveShare(ctx, share)
	if opened == nil {
		return s, err
	}
	return n.awaitOpened(ctx, opened)
}

// giveShare takes a share, and begins to open the node with the last one. opened tells how that
// ends; it is nil where nothing was begun.
func (n *Node) giveShare(ctx context.Context, share seal.Plaintext) (s SealStatus,
	opened <-chan error, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return n.SealStatus(), nil, errClosed
	}
	if n.keys.Load() != nil {
		return n.SealStatus(), nil, nil
	}
	if n.ceremony == nil {
		return n.SealStatus(), nil, n.absent()
	}
	if m := n.member.Load(); m != nil {
		n.collectLocked(m)
	}
	progress, err := n.ceremony.Add(share)
	if err != nil || progress < n.thresholdLocked() {
		return n.noteLocked(), nil, err
	}
	root, err := n.openSealLocked(ctx)
	if err != nil {
		return n.noteLocked(), nil, err
	}
	n.releaseLocked()
	opened = n.openKeysLocked(root, seal.Wrapper{})
	return n.noteLocked(), opened, nil
}

// openSealLocked makes the root key of enough shares, at a joiner by way of the cluster.
func (n *Node) openSealLocked(ctx context.Context) (*seal.Root, error) {
	if n.joining == nil {
		return n.ceremony.Open()
	}
	opener, err := n.ceremony.Unlock()
	if err != nil {
		return nil, err
	}
	defer opener.Close()
	return n.answerLocked(ctx, opener)
}

func (n *Node) thresholdLocked() int {
	if n.joining != nil {
		return n.joining.lock.Threshold
	}
	return n.member.Load().sealRecord().Threshold
}

// unsealWait is how long the call that brought the last share waits for the state to bring the
// keyring.
const unsealWait = 10 * time.Second

// An opening is a root key that waits for the cluster to bring the keyring. There is one at most:
// sealing, resetting, and another set of shares end it.
type opening struct{ stop context.CancelFunc }

// openKeysLocked unwraps the keyring and opens the domain. The keyring may not be here yet: after a
// restart nothing is applied before there is a leader, a node that has just joined has an empty
// state. So a goroutine waits for it, and tells how that ended. by is the wrapper that gave the root
// key; without a name, shares did.
func (n *Node) openKeysLocked(root *seal.Root, by seal.Wrapper) (done <-chan error) {
	opened, stop := context.WithCancel(n.ctx)
	o := &opening{stop}
	n.stopOpening()
	n.keysMu.Lock()
	n.opening = o
	n.keysMu.Unlock()
	m, ended := n.member.Load(), make(chan error, 1)
	n.wg.Go(func() { ended <- n.openKeys(opened, o, m, root, by) })
	return ended
}

// awaitOpened waits without mu: whoever seals the node meanwhile must not wait for a leader too.
func (n *Node) awaitOpened(ctx context.Context, opened <-chan error) (s SealStatus, err error) {
	wait, cancel := context.WithTimeout(ctx, unsealWait)
	defer cancel()
	select {
	case err = <-opened:
	case <-wait.Done():
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.noteLocked(), err
}

// openKeys takes over root.
func (n *Node) openKeys(
	ctx context.Context, o *opening, m *member, root *seal.Root, by seal.Wrapper,
) error {
	defer o.stop()
	k, err := n.makeKeys(ctx, m, root)
	if err != nil {
		n.tellOfOldShares(err, by)
		root.Close()
		n.ended(o)
		return err
	}
	ctx, k.outdated = context.WithCancelCause(ctx)
	defer k.outdated(nil)
	n.wg.Go(func() { n.followKeyring(m, k) })
	n.wg.Go(func() { n.driveKeys(m, k, n.driveGossip) })
	n.wg.Go(func() { n.driveKeys(m, k, n.driveNodes) })
	n.wg.Go(func() { n.driveKeys(m, k, n.driveReseal) })
	n.wg.Go(func() { n.driveKeys(m, k, (&expectation{n: n, k: k}).drive) })
	err = n.cleanse(ctx, m, k)
	if err == nil { // on a state that has all that was acknowledged before
		err = k.refresh(m.cluster.View())
	}
	if err == nil {
		err = n.checkWrappers(k, m.cluster.View(), by)
	}
	if errors.Is(err, errNoRoot) || errors.Is(context.Cause(ctx), ErrOldShares) {
		err = ErrOldShares
	}
	n.keysMu.Lock()
	current := n.opening == o // else it was ended, and who ended it must find no keys later
	if current {
		n.opening = nil
	}
	if current && err == nil {
		n.keys.Store(k)
		n.wg.Go(func() { n.work(m, k) })
		n.wg.Go(func() { n.takeScheduled(m, k) })
		n.wg.Go(func() { n.keepKeyring(m, k) })
		m.cluster.Unseal(k.keyring)
	}
	n.keysMu.Unlock()
	if err == nil && !current {
		err = ErrSealed
	}
	if err != nil {
		n.tellOfOldShares(err, by)
		m.cluster.Withdraw(k.keyring)
		k.close()
		return err
	}
	n.logger().Info("unsealed")
	return nil
}

// tellOfOldShares: whoever gave them may have gone by now.
func (n *Node) tellOfOldShares(err error, by seal.Wrapper) {
	if by.Name == "" && errors.Is(err, ErrOldShares) {
		n.logger().Warn("this node stays sealed: it was given the shares of before a rekey")
	}
}

// ended forgets an opening that came to nothing.
func (n *Node) ended(o *opening) {
	n.keysMu.Lock()
	defer n.keysMu.Unlock()
	if n.opening == o {
		n.opening = nil
	}
}

// cleanse has this node's folder rid of what was deleted while it was away, before it serves. It
// tries until ctx ends: for a while there may be no leader.
func (n *Node) cleanse(ctx context.Context, m *member, k *keys) error {
	m.cluster.Authorize(k.keyring)
	for last := ""; ; {
		err := m.cluster.Cleanse(ctx)
		switch {
		case err == nil, errors.Is(err, cluster.ErrRemoved), errors.Is(err, cluster.ErrDiverged):
			return err // such a node is told by every call why it serves nobody
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if err.Error() != last && !errors.Is(err, cluster.ErrUnavailable) {
			n.logger().Error("this node's folder holds what was deleted, so it does not serve yet; trying again",
				"error", err)
			last = err.Error()
		}
		select {
		case <-time.After(time.Second / 4):
		case <-ctx.Done():
		}
	}
}

// makeKeys waits for the keyring, and makes of it and root what an unsealed node has.
func (n *Node) makeKeys(ctx context.Context, m *member, root *seal.Root) (*keys, error) {
	view, err := m.awaitKeyring(ctx, root.Generation())
	if err != nil {
		return nil, err
	}
	wrapped, _ := view.Get(pathKeyring)
	keyring, err := root.UnwrapKeyring(wrapped.Value)
	if err != nil {
		n.logger().Error("the keyring does not open with the root key", "error", err)
		return nil, err
	}
	k := &keys{root: root, keyring: keyring, wrapped: wrapped.Mod,
		ceremonies: ceremonies{logger: n.logger()}}
	if err := rightful(keyring, view); err != nil {
		keyring.Close()
		n.logger().Error("this node stays sealed", "error", err)
		return nil, err
	}
	k.vaults, err = vault.New(vault.Config{
		AuthorityKeys: n.config.AuthorityKeys,
		Replica:       m.cluster, Keyring: keyring,
		Refresh: func() error { return k.refresh(m.cluster.View()) },
		Audit:   n.audit, Now: n.config.Now,
		Node: n.config.Label, ClusterID: m.identity.ClusterID, Counts: n.counts,
	})
	if err != nil {
		keyring.Close()
		return nil, err
	}
	k.working, k.stop = context.WithCancel(n.ctx)
	return k, nil
}

// awaitKeyring returns a view of this node's state as soon as that has the keyring that goes with
// the shares of a generation.
func (m *member) awaitKeyring(ctx context.Context, generation uint64) (fsm.View, error) {
	for {
		view := m.cluster.View()
		if _, ok := view.Get(pathKeyring); ok {
			record, err := sealRecordIn(view)
			if err != nil || record.Generation == generation {
				return view, err
			}
			if record.Generation > generation {
				return view, ErrOldShares
			}
		}
		if err := m.cluster.Wait(ctx, view.Index()+1); err != nil {
			return view, err
		}
	}
}

// ResetUnseal forgets the shares given so far, and a root key that waits. It takes one of this
// seal's shares, which it does not keep: a stranger shall not throw progress away.
func (n *Node) ResetUnseal(share seal.Plaintext) (SealStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.keys.Load() != nil:
		return n.SealStatus(), ErrUnsealed
	case n.ceremony == nil:
		return n.SealStatus(), n.absent()
	}
	if err := n.ceremony.Check(share); err != nil {
		return n.SealStatus(), err
	}
	n.stopOpening()
	n.ceremony.Reset()
	return n.noteLocked(), nil
}

// Seal drops every key of this node, one that waits for the keyring too. A leader finds itself an
// unsealed successor within seconds. The node stays sealed until it is given shares, also after a
// restart: an error says that the keys are gone, and that this could not be written down.
func (n *Node) Seal(context.Context) error {
	if n.member.Load() == nil {
		return n.absent()
	}
	n.sealNow()
	return n.hold()
}

func (n *Node) sealNow() {
	n.stopUnattended()
	early := n.dropKeys() // at once: whoever holds mu may be waiting for the cluster
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.dropKeys() && !early {
		return
	}
	if m := n.member.Load(); m != nil {
		m.cluster.Seal()
		n.ceremony = seal.NewCeremony(m.sealRecord())
	}
	n.noteLocked()
	n.logger().Info("sealed")
}

// dropKeys takes the keys away from all who come after, then closes them.
func (n *Node) dropKeys() bool {
	stopped := n.stopOpening()
	n.keysMu.Lock()
	k := n.keys.Swap(nil)
	n.keysMu.Unlock()
	if k != nil {
		k.close()
	}
	return stopped || k != nil
}

// stopOpening ends the wait for the keyring, and says whether there was one.
func (n *Node) stopOpening() bool {
	n.keysMu.Lock()
	defer n.keysMu.Unlock()
	o := n.opening
	if o != nil {
		o.stop()
	}
	n.opening = nil
	return o != nil
}

// Refusals that say what is wrong with a share, all of them the holder's to mend.
func IsBadShare(err error) bool {
	return errors.Is(err, seal.ErrShareLength) || errors.Is(err, seal.ErrShareMalformed) ||
		errors.Is(err, seal.ErrShareForeign) || errors.Is(err, seal.ErrShareDuplicate)
}

// ShareFault says to the holder of such a share what is wrong with it, and what to do.
func ShareFault(err error) string {
	switch {
	case errors.Is(err, seal.ErrShareDuplicate):
		return "this share was given already"
	case errors.Is(err, errInForce):
		return "this share is in force still, and the rekey waits for the new ones that it has " +
			"shown: give one of those"
	case errors.Is(err, errNotOfItsDay):
		return "this is none of the shares that open it. What was written before a rekey takes the " +
			"shares of its day, which were in force then. It may also be another cluster's, or mistyped"
	case errors.Is(err, seal.ErrShareForeign):
		return "this is none of the shares that unseal this cluster now: it may be another " +
			"cluster's, one of before a rekey, or mistyped. While a rekey is under way it may be one of the new " +
			"shares, which are not in force yet: keep it"
	}
	return "this is no unseal share: one is 66 hex digits, or 44 characters of base64. It may be " +
		"cut off or mistyped"
}

// IsDuplicateShare says that the share was given already.
func IsDuplicateShare(err error) bool { return errors.Is(err, seal.ErrShareDuplicate) }

// shareLen is the size of an unseal share in bytes.
const shareLen = 33

// DecodeShare reads an unseal share as people keep it: hex if that gives a share's length, else
// standard base64. text and share are the caller's to erase.
func DecodeShare(text []byte) (share []byte, ok bool) {
	share = make([]byte, max(hex.DecodedLen(len(text)), base64.StdEncoding.DecodedLen(len(text))))
	if n, err := hex.Decode(share, text); err == nil && n == shareLen {
		return share[:n], true
	}
	if n, err := base64.StdEncoding.Decode(share, text); err == nil && n > 0 {
		return share[:n], true
	}
	clear(share)
	return nil, false
}
