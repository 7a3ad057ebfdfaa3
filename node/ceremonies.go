package node

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster"
	"keyquorum/internal/uuid"
	"keyquorum/seal"
)

// People give shares one by one for more than unsealing: to have other shares made (rekey.go), and
// for another root token (rootgeneration.go) or seal wrapper (addwrapper.go). Such a ceremony is in the memory of the node that it
// was begun at and nowhere else. It goes with the node's keys, and lapses.

// ceremonyLife is how long a ceremony takes shares.
const ceremonyLife = time.Hour

// ceremonies are those at this node, one of each kind at most.
type ceremonies struct {
	logger hclog.Logger

	mu       sync.Mutex // held through each call, also while something is committed
	rekey    *rekey
	root     *rootGeneration
	addition *addition
}

// drop ends them all. The keys go.
func (c *ceremonies) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rekey; r != nil {
		if r.pending {
			c.logger.Error("this node loses its keys before it is known whether new unseal shares are "+
				"in force", "generation", r.made.record.Generation, "shown", r.back != nil)
		}
		r.end()
	}
	if c.root != nil {
		c.root.end()
	}
	c.endAdditionLocked()
	c.rekey, c.root = nil, nil
}

// A CeremonyError is what somebody who takes part in a ceremony does wrong.
type CeremonyError struct{ says string }

func (e *CeremonyError) Error() string { return e.says }

// A gathering takes the shares of one seal record, each checked alone.
type gathering struct {
	called string // in errors: "rekey operation"
	nonce  string // names it to those who take part; not a secret
	record seal.Record
	shares *seal.Ceremony
}

func newGathering(called string, record seal.Record) gathering {
	return gathering{called, uuid.New(), record, seal.NewCeremony(record)}
}

// named refuses who takes part in another ceremony than this one.
func (g *gathering) named(nonce string) error {
	if nonce == g.nonce {
		return nil
	}
	return &CeremonyError{fmt.Sprintf("incorrect nonce supplied; nonce for this %s is %q", g.called,
		g.nonce)}
}

// add takes one share, and says whether that was the last one that is needed.
func (g *gathering) add(share seal.Plaintext) (complete bool, err error) {
	progress, err := g.shares.Add(share)
	return err == nil && progress >= g.record.Threshold, err
}

// prove opens the record with the shares that were given, and forgets them, whatever comes of it.
// First it calls begins, which may refuse: what is done with a root key has a usage record before.
func (g *gathering) prove(begins func() error) error {
	if err := begins(); err != nil {
		g.shares.Reset()
		return err
	}
	root, err := g.shares.Open()
	if err != nil {
		return err
	}
	root.Close()
	return nil
}

// unsealed gives what an operation of an unsealed node needs.
func (n *Node) unsealed() (*member, *keys, error) {
	m, k := n.member.Load(), n.keys.Load()
	switch {
	case m == nil:
		return nil, nil, n.absent()
	case k == nil:
		return nil, nil, ErrSealed
	}
	return m, k, nil
}

// ErrOutcomeUnknown: nobody knows yet whether new shares are in force. The ceremony stays until
// that is known: given any share of it again, it finds out.
var ErrOutcomeUnknown = fmt.Errorf("%w: it is not known whether the new shares are in force; "+
	"give any share of this operation again to find out, and seal or stop no node before",
	cluster.ErrUnknown)
