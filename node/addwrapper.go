package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"keyquorum/seal"
)

// A wrapper can stand for the shares, so it takes as many of them to add one as it takes to unseal,
// and an operator's token beside them. The node that is asked wraps with the foreign key that its
// own configuration names, and opens what it has wrapped, before the cluster hears of it.

// An AdditionStatus says where the addition of a wrapper at this node stands. Not started, all but
// Required is zero.
type AdditionStatus struct {
	Started            bool
	Nonce              string
	Name, Kind, About  string // of the wrapper
	Progress, Required int
	Complete           bool // it is on the list
}

// addition is one at this node. Its calls hold ceremonies.mu.
type addition struct {
	gathering
	name      string
	key       ForeignKey
	lapse     *time.Timer
	unsettled *seal.Wrapper // nobody knows whether it is on the list
}

func (a *addition) end() {
	a.lapse.Stop()
	a.shares.Reset()
}

func (a *addition) status() AdditionStatus {
	return AdditionStatus{Started: true, Nonce: a.nonce, Name: a.name, Kind: a.key.Kind(),
		About: a.key.About(), Progress: a.shares.Progress(), Required: a.record.Threshold}
}

// Addition asks nobody. It waits while a wrapper is made.
func (n *Node) Addition() (AdditionStatus, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return AdditionStatus{}, err
	}
	k.ceremonies.mu.Lock()
	defer k.ceremonies.mu.Unlock()
	if a := k.ceremonies.addition; a != nil {
		return a.status(), nil
	}
	return AdditionStatus{Required: m.sealRecord().Threshold}, nil
}

// BeginAddition begins to collect shares for a wrapper. It refuses one whose foreign key this node
// can't use now: shares would be given for nothing.
func (n *Node) BeginAddition(ctx context.Context, name string) (AdditionStatus, error) {
	record, list, err := n.vouchedWrappers()
	if err != nil {
		return AdditionStatus{}, err
	}
	_, k, err := n.unsealed()
	if err != nil {
		return AdditionStatus{}, err
	}
	key := n.config.Wrappers[name]
	switch {
	case key == nil:
		return AdditionStatus{}, &CeremonyError{fmt.Sprintf(
			"this node's configuration names no seal wrapper %q (--seal-wrapper)", name)}
	case slices.Contains(namesOf(list), name):
		return AdditionStatus{}, errListed(name)
	}
	if err := tryKey(ctx, key); err != nil {
		return AdditionStatus{}, &CeremonyError{fmt.Sprintf("this node can't use the key of %q: %v",
			name, err)}
	}
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.addition != nil {
		return AdditionStatus{}, &CeremonyError{"a seal wrapper is being added already"}
	}
	a := &addition{gathering: newGathering("addition of a seal wrapper", record), name: name,
		key: key}
	a.lapse = time.AfterFunc(ceremonyLife, func() { lapseAddition(c, a) })
	c.addition = a
	return a.status(), nil
}

func errListed(name string) error {
	return &CeremonyError{fmt.Sprintf("there is a seal wrapper %q already: remove it first", name)}
}

// tryKey wraps and unwraps a key that is good for nothing.
func tryKey(ctx context.Context, key ForeignKey) error {
	ctx, cancel := context.WithTimeout(ctx, wrapperWait)
	defer cancel()
	probe := make([]byte, 32)
	rand.Read(probe)
	wrapped, err := key.Wrap(ctx, probe)
	if err != nil {
		return err
	}
	again, err := key.Unwrap(ctx, wrapped)
	if err == nil && !slices.Equal(again, probe) {
		err = errors.New("it opens something else than it has wrapped")
	}
	return err
}

func lapseAddition(c *ceremonies, a *addition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.addition == a {
		c.endAdditionLocked()
	}
}

func (c *ceremonies) endAdditionLocked() {
	if c.addition != nil {
		c.addition.end()
	}
	c.addition = nil
}

// CancelAddition ends it, if there is one.
func (n *Node) CancelAddition() error {
	_, k, err := n.unsealed()
	if err != nil {
		return err
	}
	k.ceremonies.mu.Lock()
	defer k.ceremonies.mu.Unlock()
	k.ceremonies.endAdditionLocked()
	return nil
}

// GiveAdditionShare takes one share. With the last one the wrapper is made and put on the list, if
// begins, which is called before, does not refuse. ErrUnknown says that it may be on the list: given
// any share again, it finds out.
func (n *Node) GiveAdditionShare(
	ctx context.Context, nonce string, share seal.Plaintext, begins func() error,
) (AdditionStatus, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return AdditionStatus{}, err
	}
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.addition
	if a == nil {
		return AdditionStatus{}, &CeremonyError{"no seal wrapper is being added"}
	}
	if err := a.named(nonce); err != nil {
		return AdditionStatus{}, err
	}
	if m.sealRecord().Lock != a.record.Lock { // these shares are no authority any more
		c.endAdditionLocked()
		return AdditionStatus{}, ErrResealed
	}
	made, err := n.takeForAddition(ctx, k, a, share, begins)
	if err != nil || !made {
		return a.status(), err
	}
	done := a.status()
	if err := n.enlist(ctx, m, k, a); err != nil {
		return AdditionStatus{}, err
	}
	done.Complete, done.Started = true, false
	c.endAdditionLocked()
	n.logger().Info("a seal wrapper was added", "wrapper", a.name, "kind", done.Kind)
	return done, nil
}

// takeForAddition takes a share, and says whether the wrapper is made.
func (n *Node) takeForAddition(ctx context.Context, k *keys, a *addition, share seal.Plaintext,
	begins func() error) (made bool, err error) {
	if a.unsettled != nil {
		return true, a.shares.Check(share)
	}
	if complete, err := a.add(share); err != nil || !complete {
		return false, err
	}
	if err := a.prove(begins); err != nil {
		return false, err
	}
	w, err := n.wrap(ctx, a.name, a.record.Lock, k.root)
	if err != nil {
		return false, fmt.Errorf("the key of seal wrapper %q: %w", a.name, err)
	}
	a.unsettled = &w
	return true, nil
}

// enlist puts the wrapper that was made on the list. Asked again after an unknown outcome, it finds
// out.
func (n *Node) enlist(ctx context.Context, m *member, k *keys, a *addition) error {
	enlisted := errors.New("it is on the list")
	err := n.changeWrappers(ctx, m, k, func(list []seal.Wrapper) ([]seal.Wrapper, error) {
		switch {
		case slices.Contains(list, *a.unsettled):
			return nil, enlisted
		case slices.Contains(namesOf(list), a.name):
			return nil, errListed(a.name)
		}
		return withWrapper(list, *a.unsettled), nil
	})
	if errors.Is(err, enlisted) {
		return nil
	}
	return err
}
