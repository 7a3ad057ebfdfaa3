package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/wire"
	"keyquorum/fsm"
)

var (
	// ErrSealed: this member has no transaction key, so it decides nothing.
	ErrSealed = errors.New(
		"cluster: this member is sealed, and only an unsealed one can change anything")
	// errSealedBefore: something in the transaction was sealed before the key that signs it was made.
	errSealedBefore = errors.New("cluster: the keyring was changed after this was sealed")
	// ErrRefused: every node refuses the transaction, though it was signed here.
	ErrRefused = errors.New("cluster: the transaction breaks a rule, and every node refuses it")
)

// A key in use, behind a pointer: it comes and goes with the seal.
type signer struct{ fsm.Signer }

// Authorize gives this member the transaction key. To the others it stays sealed.
func (c *Cluster) Authorize(s fsm.Signer) { c.signer.Store(&signer{s}) }

// Withdraw takes the key away again, unless it was given another one meanwhile.
func (c *Cluster) Withdraw(s fsm.Signer) {
	if now := c.signer.Load(); now != nil && now.Signer == s {
		c.signer.CompareAndSwap(now, nil)
	}
}

// Unseal gives this member the transaction key, and tells the others, by status and gossip, that it
// serves.
func (c *Cluster) Unseal(s fsm.Signer) {
	c.Authorize(s)
	c.sealed.Store(false)
	c.checkInNow.give()
}

// Seal takes the key away. A sealed leader looks for an unsealed successor.
func (c *Cluster) Seal() {
	c.signer.Store(nil)
	c.sealed.Store(true)
	c.dropLease()
}

// sign signs a transaction under the newest key that this member's state has. A member that does
// not have that key yet waits for it, and one whose state is not what it was yet waits for that.
//
// What it signs is sealed under the term that signs, and no older one. The state machine takes
// nothing that an older key signed, so once it has a new key, nothing that comes into the state is
// sealed under an older term: what was found to be under none stays so.
func (c *Cluster) sign(ctx context.Context, txn fsm.Txn) ([]byte, error) {
	for try := 0; ; try++ {
		s := c.signer.Load()
		if s == nil {
			return nil, ErrSealed
		}
		data, err := txn.Sign(s)
		if err != nil {
			return nil, err
		}
		if c.sealedBefore(txn, fsm.SignedUnder(data)) {
			return nil, errSealedBefore
		}
		if v := c.fsm.View(); !c.behindTrust(v) && fsm.SignedUnder(data) >= v.Line().Newest().Term {
			return data, nil
		}
		if err := pause(ctx, try); err != nil {
			return nil, ErrUnavailable
		}
	}
}

// sealedBefore says whether something in a transaction is sealed under another term than one.
func (c *Cluster) sealedBefore(txn fsm.Txn, term uint32) bool {
	if c.SealedUnder == nil {
		return false
	}
	return slices.ContainsFunc(txn.Writes, func(w fsm.Write) bool {
		under, sealed := c.SealedUnder(w)
		return sealed && under != term
	})
}

// An order is a call that a sealed member must not make: it is signed like a transaction. It holds
// in one term of one leader, so that it can't be given again later.
type order struct {
	_         struct{} `cbor:",toarray"`
	Verb      orderVerb
	Leader    string
	Term      uint64
	Node      string // whom it is about, for orderLeave
	KeyTerm   uint32
	Signature []byte
}

type orderVerb uint8

const (
	orderTransfer orderVerb = 1 // hand the office over
	orderLeave    orderVerb = 2 // a member is to be removed: it gets no lease any more, and has none
)

const orderLabel = "keyquorum order v1\n"

func (o order) message() ([]byte, error) {
	o.KeyTerm, o.Signature = 0, nil
	b, err := wire.Encode(o)
	return append([]byte(orderLabel), b...), err
}

// newOrder signs an order for the leader that this member follows.
func (c *Cluster) newOrder(verb orderVerb, leader, node string) (order, error) {
	s := c.signer.Load()
	if s == nil {
		return order{}, ErrSealed
	}
	o := order{Verb: verb, Leader: leader, Term: c.raft.CurrentTerm(), Node: node}
	message, err := o.message()
	if err == nil {
		o.KeyTerm, o.Signature, err = s.Sign(message)
	}
	return o, err
}

// obey says whether an order is for this leader, now, and signed by an unsealed member.
func (c *Cluster) obey(from string, o order, verb orderVerb) error {
	if o.Verb != verb || o.Leader != c.id || o.Term != c.raft.CurrentTerm() {
		return errNotLeader
	}
	message, err := o.message()
	if err != nil {
		return errBadCall
	}
	line := c.fsm.View().Line()
	if o.KeyTerm > line.Newest().Term {
		return errNotLeader // a key that this node has yet to hear of
	}
	if !line.Verify(o.KeyTerm, message, o.Signature) {
		c.accuse(from, deedOrder)
		return errBadCall
	}
	return nil
}

// leaderIn is who led in a term, as far as this member knows; "" where it does not.
func (c *Cluster) leaderIn(term uint64) string {
	r := c.transport.Raft()
	if r == nil || term != r.CurrentTerm() {
		return ""
	}
	_, leader := r.LeaderWithID()
	return string(leader)
}

// staleEntry is told of each entry that was signed longer ago than a member waits for an answer:
// somebody kept it.
func (c *Cluster) staleEntry(l *raft.Log) {
	c.accuse(c.leaderIn(l.Term), deedStale, "index", l.Index, "term", l.Term)
}

// refusedEntry is told of each entry that the state machine refuses. Who led in the entry's term
// put it there.
func (c *Cluster) refusedEntry(l *raft.Log, why error) {
	did := deedEntry
	if l.Type == raft.LogConfiguration {
		did = deedConfiguration
		c.strayed.Store(l.Index)
	}
	c.accuse(c.leaderIn(l.Term), did, "index", l.Index, "term", l.Term, "why", why)
}

// estranged says whether Raft here follows a configuration that the state machine refused.
func (c *Cluster) estranged() bool {
	at := c.strayed.Load()
	if at == 0 {
		return false
	}
	_, configured := c.fsm.View().Configuration()
	return at > configured
}

// errEstranged: Raft here follows a configuration that no unsealed member signed, so its majorities
// mean nothing.
var errEstranged = fmt.Errorf("%w: this node's log has a configuration of members that nobody "+
	"signed; its folder was altered: remove it and join anew", ErrDiverged)
