package node

import "time"

// Background work is what no request asks for (vault.Sweep). The leader does it, if it is unsealed;
// a sealed one looks for an unsealed successor anyway. Each unsealed node looks now and then
// whether it leads, so that a new leader goes on where the last one stopped: all that there is to
// know is in the state.

const (
	workRest  = time.Minute // between two passes at least
	workShare = 100         // times as long as a pass took to look: a core has better things to do
)

// work ends when the node is sealed or closed.
func (n *Node) work(m *member, k *keys) {
	seen := make(leftovers)
	for rest := n.workRest(); ; {
		select {
		case <-time.After(rest):
		case <-k.working.Done():
			return
		}
		rest = max(n.workRest(), workShare*n.workOnce(m, k, seen))
	}
}

func (n *Node) workRest() time.Duration {
	if n.config.Timing.Rest > 0 {
		return n.config.Timing.Rest
	}
	return workRest
}

// workOnce does a pass if this node leads, and ends it when it does not any more. It returns how
// long it looked.
func (n *Node) workOnce(m *member, k *keys, seen leftovers) time.Duration {
	ctx, stop, leads := m.cluster.WhileLeading(k.working)
	defer stop()
	if !leads {
		clear(seen)
		return 0
	}
	n.sweepLeftovers(m, k, seen)
	did, err := k.vaults.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		n.logger().Warn("background work is not complete", "error", err)
	}
	if did.Done > 0 {
		n.logger().Info("background work", "looked at", did.Looked, "done", did.Done)
	}
	return did.Took
}
