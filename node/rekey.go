package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"keyquorum/cluster"
	"keyquorum/internal/uuid"
	"keyquorum/seal"
)

// A rekey makes other shares. When enough of the old ones were given, the new ones are shown, once.
// They are in force at once, or, with verification, when enough of them were given back: until then
// nothing has changed, and nobody can lose the cluster by losing what was shown.

// A RekeyStatus says where the rekey at this node stands. Not started, all but Required is zero.
type RekeyStatus struct {
	Started            bool
	Nonce              string
	Shares, Threshold  int // that are to be
	Progress, Required int // of the shares that are
	Verify             bool
	Fingerprints       []string            // of who gets the new shares encrypted; nil: nobody does
	Dropped            []string            // names of wrappers that don't go over to the new root key
	Verification       *VerificationStatus // nil until the new shares were shown
}

// A VerificationStatus says how many of the new shares were given back.
type VerificationStatus struct {
	Nonce             string
	Shares, Threshold int
	Progress          int
	Dropped           []string // as in RekeyStatus
}

// A Rekeyed is what came of a share. The new shares are shown once: the caller zeroes them.
type Rekeyed struct {
	Status RekeyStatus
	Shares []seal.Plaintext // 33 bytes each, or encrypted; nil unless they were just made
}

// rekey is one at this node. Its calls hold ceremonies.mu.
type rekey struct {
	gathering
	from              uint64 // mod index of the seal record that is
	shares, threshold int    // that are to be
	verify            bool
	to                []Recipient // one for each new share, or none
	dropped           []string    // wrappers that this node can't carry over; in the end, that it did not
	lapse             *time.Timer
	ends              time.Time // when it lapses

	// From when the old shares were complete:
	made    *newShares
	back    *gathering // of the new shares; nil without verification, and before they were shown
	pending bool       // nobody knows whether they are in force; an answer alone ends that
}

// newShares are those that nobody has promised yet.
type newShares struct {
	record seal.Record
	shares []seal.Plaintext // nil once shown
	root   *seal.Root       // nil while they are being given back

	carried bool // the record has its wrappers
}

func (r *rekey) end() {
	r.lapse.Stop()
	r.gathering.shares.Reset()
	if r.back != nil {
		r.back.shares.Reset()
	}
	if r.made != nil {
		r.made.forget()
	}
}

func (s *newShares) forget() {
	zeroAll(s.shares)
	if s.root != nil {
		s.root.Close()
	}
	s.shares, s.root = nil, nil
}

const (
	calledRekey  = "rekey operation"
	calledVerify = "verify operation"
)

// RekeyStatus asks nobody. It waits while new shares are made and put in force.
func (n *Node) RekeyStatus() (RekeyStatus, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return RekeyStatus{}, err
	}
	k.ceremonies.mu.Lock()
	defer k.ceremonies.mu.Unlock()
	if r := k.ceremonies.rekey; r != nil {
		return r.status(), nil
	}
	return RekeyStatus{Required: m.sealRecord().Threshold}, nil
}

func (r *rekey) status() RekeyStatus {
	s := RekeyStatus{
		Started: true, Nonce: r.nonce, Shares: r.shares, Threshold: r.threshold,
		Progress: r.gathering.shares.Progress(), Required: r.record.Threshold, Verify: r.verify,
		Fingerprints: fingerprints(r.to), Dropped: r.dropped,
	}
	if r.back != nil {
		s.Verification = &VerificationStatus{r.back.nonce, r.shares, r.threshold,
			r.back.shares.Progress(), r.dropped}
	}
	return s
}

// BeginRekey begins to collect shares so that there be others: so many, of which threshold open.
// Where there are recipients each new share is shown encrypted for one of them.
func (n *Node) BeginRekey(
	shares, threshold int, verify bool, to ...Recipient,
) (RekeyStatus, error) {
	m, k, err := n.unsealed()
	switch {
	case err != nil:
		return RekeyStatus{}, err
	case checkSplit(shares, threshold, len(to)) != nil:
		return RekeyStatus{}, ErrShares
	}
	view := m.cluster.View()
	record, err := sealRecordIn(view)
	if err != nil {
		return RekeyStatus{}, err
	}
	now, _ := view.Get(pathSeal)
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rekey != nil {
		return RekeyStatus{}, &CeremonyError{"rekey already in progress"}
	}
	r := &rekey{gathering: newGathering(calledRekey, record), from: now.Mod,
		shares: shares, threshold: threshold, verify: verify, to: to,
		dropped: n.unconfigured(record)}
	r.lapse = time.AfterFunc(ceremonyLife, func() { n.lapseRekey(k, r) })
	r.ends = time.Now().Add(ceremonyLife)
	c.rekey = r
	return r.status(), nil
}

// lapseRekey ends a rekey that took too long, but one whose outcome nobody knows: its new shares
// may be in force, and are nowhere else.
func (n *Node) lapseRekey(k *keys, r *rekey) {
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.rekey != r:
	case r.pending:
		r.lapse.Reset(ceremonyLife)
	case time.Now().Before(r.ends): // it has begun anew meanwhile, and so has its timer
	default:
		r.end()
		c.rekey = nil
		n.logger().Warn("a rekey has lapsed: its shares did not come within an hour")
	}
}

// CancelRekey ends the rekey, if there is one. A nonce that is not empty must be its own.
func (n *Node) CancelRekey(nonce string) error {
	_, k, err := n.unsealed()
	if err != nil {
		return err
	}
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rekey
	switch {
	case r == nil:
		return nil
	case nonce != "" && r.named(nonce) != nil:
		return r.named(nonce)
	case r.pending:
		return ErrOutcomeUnknown
	}
	r.end()
	c.rekey = nil
	return nil
}

// runningLocked is the rekey that a caller takes part in.
func (c *ceremonies) runningLocked() (*rekey, error) {
	if c.rekey == nil {
		return nil, &CeremonyError{"no rekey in progress"}
	}
	return c.rekey, nil
}

// GiveRekeyShare takes one of the shares that are. With the last one the new shares are made, if
// begins, which is called before, does not refuse. Without verification they are in force then.
func (n *Node) GiveRekeyShare(
	ctx context.Context, nonce string, share seal.Plaintext, begins func() error,
) (Rekeyed, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return Rekeyed{}, err
	}
	k.ceremonies.mu.Lock()
	defer k.ceremonies.mu.Unlock()
	r, err := k.ceremonies.runningLocked()
	if err == nil {
		err = r.named(nonce)
	}
	if err != nil {
		return Rekeyed{}, err
	}
	if r.back != nil {
		return Rekeyed{}, &CeremonyError{fmt.Sprintf("rekey operation already finished; "+
			"verification must be performed; nonce for the verification operation is %q", r.back.nonce)}
	}
	if r.made == nil && m.sealRecord() != r.record { // else it would show shares that come to nothing
		k.ceremonies.finishLocked()
		return Rekeyed{}, ErrResealed
	}
	if made, err := r.take(share, begins); err != nil || !made {
		return Rekeyed{Status: r.status()}, err
	}
	if r.verify {
		return r.show(), nil
	}
	if err := n.enforce(ctx, m, k, r); err != nil {
		return Rekeyed{}, err
	}
	shown := Rekeyed{Status: r.status(), Shares: r.made.shares}
	r.made.shares = nil
	k.ceremonies.finishLocked()
	return shown, nil
}

// finishLocked ends the rekey that has done its work.
func (c *ceremonies) finishLocked() {
	c.rekey.end()
	c.rekey = nil
}

// take takes a share, and says whether the new shares are made. Once they are, any of the old
// shares asks again for what could not be done then.
func (r *rekey) take(share seal.Plaintext, begins func() error) (made bool, err error) {
	if r.made != nil {
		return true, r.gathering.shares.Check(share)
	}
	if complete, err := r.add(share); err != nil || !complete {
		return false, err
	}
	if err := r.prove(begins); err != nil {
		return false, err
	}
	record, shares, root, err := seal.Rekey(r.record.Lock, r.shares, r.threshold)
	if err != nil {
		return false, err
	}
	r.made = &newShares{record: record, shares: shares, root: root}
	if err := encryptFor(r.to, shares); err != nil {
		r.made.forget()
		r.made = nil
		return false, err
	}
	return true, nil
}

// show gives the new shares out, keeps nothing that opens anything, and waits for them to come
// back: for as long as it waited for the old ones, as there are other people to find.
func (r *rekey) show() Rekeyed {
	shares := r.made.shares
	r.made.shares = nil
	r.made.forget()
	back := newGathering(calledVerify, r.made.record)
	r.back = &back
	r.ends = time.Now().Add(ceremonyLife)
	r.lapse.Reset(ceremonyLife)
	return Rekeyed{r.status(), shares}
}

// enforce puts the new shares in force. Unless another change of the shares was faster, it can be
// tried again. An attempt whose outcome nobody knows is not undone by one that fails after it: only
// success, or that another change was faster, says what has become of the first.
func (n *Node) enforce(ctx context.Context, m *member, k *keys, r *rekey) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.working, cancel)()
	if err := n.carryWrappers(ctx, k, r); err != nil {
		return err
	}
	k.make(r.made.root)
	err := n.reseal(ctx, m, k, r.from, r.made.record, r.made.root)
	settled := err == nil || errors.Is(err, ErrResealed)
	r.pending = !settled && (r.pending || errors.Is(err, cluster.ErrUnknown))
	if !r.pending {
		k.make(nil)
	}
	switch {
	case r.pending:
		return ErrOutcomeUnknown
	case errors.Is(err, ErrResealed):
		k.ceremonies.finishLocked()
	case err == nil:
		n.logger().Info("the unseal shares were changed", "shares", r.shares, "threshold", r.threshold)
	}
	return err
}

// carryWrappers has the wrappers open the new root key, before it is in force. It is done once: what
// may be in force already stays as it is.
func (n *Node) carryWrappers(ctx context.Context, k *keys, r *rekey) (err error) {
	if r.made.carried {
		return nil
	}
	record, dropped, err := n.carryOver(ctx, k, r.record, r.made.record, r.made.root)
	if err == nil {
		r.made.record, r.dropped, r.made.carried = record, dropped, true
	}
	return err
}

// RekeyVerification says how many of the new shares were given back, and whether any are waited
// for.
func (n *Node) RekeyVerification() (s VerificationStatus, started bool, err error) {
	status, err := n.RekeyStatus()
	if err != nil || status.Verification == nil {
		return VerificationStatus{}, false, err
	}
	return *status.Verification, true, nil
}

// verifyingLocked is the rekey whose new shares are waited for.
func (c *ceremonies) verifyingLocked() (*rekey, error) {
	if r, err := c.runningLocked(); err != nil || r.back != nil {
		return r, err
	}
	return nil, &CeremonyError{"no rekey verification in progress: the new shares were not made " +
		"yet, or this rekey asks for none"}
}

// GiveNewShare takes one of the new shares back. With the last one that is needed they are in
// force, and the rekey is complete.
func (n *Node) GiveNewShare(
	ctx context.Context, nonce string, share seal.Plaintext,
) (s VerificationStatus, complete bool, err error) {
	m, k, err := n.unsealed()
	if err != nil {
		return s, false, err
	}
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.verifyingLocked()
	if err == nil {
		err = r.back.named(nonce)
	}
	if err == nil {
		complete, err = r.takeBack(share)
	}
	if err == nil && complete {
		err = n.enforce(ctx, m, k, r)
	}
	if err != nil {
		return s, false, err
	}
	s = *r.status().Verification
	if complete {
		c.finishLocked()
	}
	return s, complete, nil
}

// errInForce: one of the shares that are was given where the new ones are waited for.
var errInForce = fmt.Errorf("%w: it is one that is in force", seal.ErrShareForeign)

// takeBack takes one of the new shares, and says whether they gave the new root key.
func (r *rekey) takeBack(share seal.Plaintext) (complete bool, err error) {
	if r.made.root != nil {
		return true, r.back.shares.Check(share)
	}
	complete, err = r.back.add(share)
	if errors.Is(err, seal.ErrShareForeign) && r.gathering.shares.Check(share) == nil {
		err = errInForce
	}
	if err != nil || !complete {
		return false, err
	}
	r.made.root, err = r.back.shares.Open()
	return err == nil, err
}

// RestartRekeyVerification forgets the new shares that were given back, under a new nonce.
func (n *Node) RestartRekeyVerification() (VerificationStatus, error) {
	_, k, err := n.unsealed()
	if err != nil {
		return VerificationStatus{}, err
	}
	k.ceremonies.mu.Lock()
	defer k.ceremonies.mu.Unlock()
	r, err := k.ceremonies.verifyingLocked()
	switch {
	case err != nil:
		return VerificationStatus{}, err
	case r.pending:
		return VerificationStatus{}, ErrOutcomeUnknown
	}
	r.made.forget()
	r.back.shares.Reset()
	r.back.nonce = uuid.New()
	return *r.status().Verification, nil
}
