package vault

import (
	"context"
	"errors"
)

// errNoTurn ends a decision that would keep a core busy for long while all of them are.
var errNoTurn = errors.New("vault: this waits for its turn")

// A turn is what a request needs to use a private key that takes a core about a millisecond. It is
// taken where the key is used, and given back there: nobody waits for the network with one. Whoever
// finds none free waits for it, and decides again: of sixty signatures of RSA-4096 at once all
// would be made, and then thrown away because their views are too old.
//
// A nil turn needs nothing: whoever has no lease, or wants a fence, waits for the network anyway.
type turn struct {
	cores chan struct{} // holds one for each turn that is taken
	held  bool
}

// turnFor gives a request the turn that it may come to need.
func (v *Vaults) turnFor(c Caller, w verb) *turn {
	if !w.secret || c.Fenced || !v.cfg.Replica.Leased() {
		return nil
	}
	return &turn{cores: v.turns}
}

// take takes a turn if one is free, or is held already.
func (t *turn) take() error {
	if t == nil || t.held {
		return nil
	}
	select {
	case t.cores <- struct{}{}:
		t.held = true
		return nil
	default:
		return errNoTurn
	}
}

// wait takes a turn as soon as one is free.
func (t *turn) wait(ctx context.Context) error {
	select {
	case t.cores <- struct{}{}:
		t.held = true
		return nil
	case <-ctx.Done():
		return unavailable("Busy", "This node is busy with other keys.")
	}
}

// give gives a turn back, if one is held.
func (t *turn) give() {
	if t != nil && t.held {
		<-t.cores
		t.held = false
	}
}
