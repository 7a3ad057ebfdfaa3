package vault

import (
	"context"
	"errors"
	"sync"
)

// errSlow ends a preview of what keeps a core busy for long.
var errSlow = errors.New("vault: this takes its turn")

// slow says whether a decision on what this node holds now would keep a core busy for long. Then it takes its turn before it takes a view:
// of sixty signatures of RSA-4096 at once all would be made, and then thrown away because their views are too old.
func (v *Vaults) slow(decide func(*decision) error) bool {
	d := &decision{v: v, preview: true}
	d.begin(v.cfg.Replica.View())
	return decide(d) == errSlow
}

// takeTurn waits for a turn at a core. give may be called more than once.
//
// Nobody waits for the network while they have a turn, or a few who do could hold up all others: whoever has no lease, or wants a fence, goes
// without.
func (v *Vaults) takeTurn(ctx context.Context) (give func(), err error) {
	select {
	case v.turns <- struct{}{}:
		return sync.OnceFunc(func() { <-v.turns }), nil
	case <-ctx.Done():
		return nil, unavailable("Busy", "This node is busy with other keys.")
	}
}
