package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/identity"
	"keyquorum/cluster/lease"
	"keyquorum/fsm"
	"keyquorum/internal/address"
)

// memberTimeout bounds how long Raft's main loop is waited for with a change of configuration.
const memberTimeout = 5 * time.Second

// servers is the latest configuration, committed or not, and its index in the log.
func (c *Cluster) servers() []raft.Server {
	future := c.raft.GetConfiguration() // answered from memory
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

// isServer says whether a node is in the latest configuration.
func (c *Cluster) isServer(nodeID string) bool {
	return slices.ContainsFunc(c.servers(), func(s raft.Server) bool { return string(s.ID) == nodeID })
}

// voters are the ids of the voters of the latest configuration.
func (c *Cluster) voters() []string {
	var ids []string
	for _, s := range c.servers() {
		if s.Suffrage == raft.Voter {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// addresses are where a node's cluster port may be: what gossip heard last, and what the
// configuration says.
func (c *Cluster) addresses(nodeID string) (list []string) {
	if m, ok := c.gossip.Of(nodeID); ok && m.Cluster != "" {
		list = append(list, m.Cluster)
	}
	if address := c.moved.of(nodeID); address != "" && !slices.Contains(list, address) {
		list = append(list, address)
	}
	for _, s := range c.servers() {
		if string(s.ID) == nodeID && !slices.Contains(list, string(s.Address)) {
			list = append(list, string(s.Address))
		}
	}
	return list
}

// Add makes nodeID, whose certificate has this key, a non-voter at host:port. It makes itself a
// voter once it is caught up and unsealed. Adding a member again changes its address and key.
// This member must be unsealed.
func (c *Cluster) Add(ctx context.Context, nodeID, at string, certificate *x509.Certificate) error {
	if err := checkServer(nodeID, at); err != nil {
		return fmt.Errorf("cluster: the address of the new node: %w", err)
	}
	m := identity.NewMember(nodeID, at, certificate)
	return c.changeMembers(ctx, func(list fsm.Members) (fsm.Members, error) {
		if c.removed(nodeID) {
			return nil, ErrIDRemoved
		}
		old, there := list.Find(nodeID)
		m.Voter = old.Voter
		if !there && len(list) >= maxServers {
			return nil, fmt.Errorf("cluster: there are %d members already", len(list))
		}
		if other, taken := memberAt(list, at); taken && other != nodeID {
			return nil, fmt.Errorf("%w: %s belongs to node %s; if that one is no more, remove it first "+
				"(keyquorum operator raft remove-peer)", ErrAddressTaken, at, c.nameOf(other))
		}
		return list.With(m), nil
	})
}

// ErrIDRemoved is about who asks to join, which takes another id then by itself (node's pending).
var ErrIDRemoved = errors.New("cluster: a node of this id was removed, and the id never comes " +
	"back: the joining node has taken another now, so give it its shares again")

func memberAt(list fsm.Members, at string) (id string, taken bool) {
	i := slices.IndexFunc(list, func(m fsm.Member) bool { return m.Address == at })
	if i < 0 {
		return "", false
	}
	return list[i].ID, true
}

// What a member may be called. The state machine refuses much more.
const (
	maxServers    = 256
	maxServerText = 300 // bytes of an id
)

func checkServer(nodeID, at string) error {
	if nodeID == "" || len(nodeID) > maxServerText {
		return fmt.Errorf("an id of more than %d bytes, or none", maxServerText)
	}
	return address.Reachable(at)
}

// changeMembers signs for another list of members, and returns when Raft's configuration has
// followed it. edit gives the list that is wanted, or the error to end with; the same list means
// that there is nothing to do. It may be called several times.
func (c *Cluster) changeMembers(ctx context.Context,
	edit func(fsm.Members) (fsm.Members, error)) error {
	for try := 0; ; try++ {
		view := c.View()
		list, err := edit(view.Members())
		if err != nil {
			if _, behind := c.fence(ctx); behind == nil && !c.View().Members().Equal(view.Members()) {
				continue // it may be about what has changed meanwhile
			}
			return err
		}
		if list.Equal(view.Members()) {
			return c.awaitConfiguration(ctx)
		}
		txn, err := memberChange(view, list)
		if err != nil {
			return err
		}
		outcome, err := c.Commit(ctx, txn)
		if err != nil {
			return err
		}
		if outcome.Kind == fsm.Applied {
			return c.awaitConfiguration(ctx)
		}
		if pause(ctx, try) != nil {
			return ErrUnavailable
		}
	}
}

// memberChange is the transaction that makes list the members. Who is gone is marked, for ever.
func memberChange(view fsm.View, list fsm.Members) (fsm.Txn, error) {
	txn := view.Begin(fsm.Change)
	value, err := list.Encode()
	if err != nil {
		return txn, err
	}
	Put(&txn, view, fsm.PathMembers, value)
	for _, m := range view.Members() {
		if _, ok := list.Find(m.ID); !ok {
			Put(&txn, view, fsm.RemovedDir+m.ID, []byte{1})
		}
	}
	return txn, nil
}

// Put adds a write of a clear record, held to what is at path now.
func Put(txn *fsm.Txn, view fsm.View, path string, value []byte) {
	c, logical := fsm.Condition{Kind: fsm.Absent, Path: path}, view.Index()
	if r, ok := view.Get(path); ok {
		c.Kind, c.Index, logical = fsm.Unchanged, r.Mod, r.Mod
	}
	txn.Conditions = append(txn.Conditions, c)
	txn.Writes = append(txn.Writes, fsm.Write{Path: path, Logical: logical, Value: value})
}

// awaitConfiguration returns when the committed configuration is what the members are, as this
// member sees both.
func (c *Cluster) awaitConfiguration(ctx context.Context) error {
	for {
		view := c.View()
		if configuration, _ := view.Configuration(); view.Members().Matches(configuration) {
			return nil
		}
		if c.Wait(ctx, view.Index()+1) != nil {
			return fmt.Errorf("%w: the change is signed, and the leader has not carried it out yet",
				ErrUnavailable)
		}
	}
}

// ErrMembersChanged: somebody else has changed the members since a change was found good.
var ErrMembersChanged = errors.New("cluster: the members have changed meanwhile: look at them, and " +
	"ask again")

// Remove takes nodeID out of the members and marks it as dead for ever, in one transaction. A
// leader hands its office over first. This member must be unsealed. judged are the members by which
// the removal was found good, nil where it does not matter: if they are others by then, nothing is
// done, and the error is ErrMembersChanged.
func (c *Cluster) Remove(ctx context.Context, nodeID string, judged fsm.Members) error {
	if err := c.retire(ctx, nodeID); err != nil {
		return err
	}
	err := c.changeMembers(ctx,
		func(list fsm.Members) (fsm.Members, error) {
			if _, there := list.Find(nodeID); there && judged != nil && !list.Equal(judged) {
				return nil, ErrMembersChanged
			}
			return list.Without(nodeID), nil
		})
	if err == nil {
		_, _ = c.fence(ctx) // so that whoever asked sees the configuration without it here; removed it is in any case
	}
	return err
}

// retire returns when another node than nodeID leads, and has taken its lease from it for good. The
// mark cuts the node off, so its lease must be over by then: a leader that waits for it could lose
// a majority that needs it. Who leads may change meanwhile, so both are looked at together.
func (c *Cluster) retire(ctx context.Context, nodeID string) error {
	for try := 0; ; try++ {
		leader, err := c.awaitOther(ctx, nodeID)
		if err != nil {
			return err
		}
		err = c.orderOnce(ctx, leader, orderLeave, nodeID)
		if err == nil || errors.Is(err, ErrSealed) || errors.Is(err, errBadCall) {
			return err
		}
		if pause(ctx, try) != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

// awaitOther returns when another node than nodeID leads. The mark cuts a node off from all who
// know of it: a leader would keep a log longer than theirs, and where its vote is needed to outvote
// it nobody could ever lead again.
func (c *Cluster) awaitOther(ctx context.Context, nodeID string) (leads string, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	for try := 0; ; try++ {
		switch leader := c.leader(); leader {
		case "":
		case nodeID:
			if err := c.StepDown(ctx); err != nil {
				c.logger.Info("the node to be removed still leads", "error", err)
			}
		default:
			return leader, nil
		}
		if pause(ctx, try) != nil {
			return "", ErrUnavailable
		}
	}
}

// removesThis says whether a transaction marks this member as removed. A leader does not put that
// into the log: somebody else has to lead first, and awaitOther looked before this one was elected.
func (c *Cluster) removesThis(data []byte) bool {
	mark := fsm.RemovedDir + c.id
	if !bytes.Contains(data, []byte(mark)) {
		return false
	}
	txn, err := fsm.DecodeTxn(data)
	return err == nil &&
		slices.ContainsFunc(txn.Writes, func(w fsm.Write) bool { return w.Path == mark })
}

// askForVote gives this node a vote when it is to have one, has none, is unsealed, has caught up
// (its fence was answered), and has been healthy for long enough.
func (c *Cluster) askForVote(ctx context.Context) {
	own, ok := c.View().Members().Find(c.id)
	if !c.Store.Manifest().Voter || !ok || own.Voter || c.signer.Load() == nil || c.unfit() != nil {
		return
	}
	if _, err := c.fence(ctx); err != nil || !c.steady(ctx) {
		return
	}
	if err := c.setVote(ctx, c.id, true, nil); err != nil {
		c.logger.Info("not a voter yet; asking again", "error", err)
	}
}

// StepDown asks the leader to hand its office to another voter. It does not go by way of atLeader:
// the order is signed for one leader, a leader needs none, and the answer must not be lost because
// the next one has taken over by then.
func (c *Cluster) StepDown(ctx context.Context) error {
	switch leader := c.leader(); leader {
	case "":
		return ErrUnavailable
	case c.id:
		return notTransferred(c.stepDown(ctx))
	default:
		return notTransferred(c.orderOnce(ctx, leader, orderTransfer, ""))
	}
}

// notTransferred puts into words for who asked that somebody may lead, and did not hand over.
func notTransferred(err error) error {
	if errors.Is(err, errNotTransferred) || errors.Is(err, errNotLeader) {
		return fmt.Errorf("the leader did not hand over, perhaps because nobody is caught up; ask again: %w",
			ErrUnavailable)
	}
	return err
}

func (c *Cluster) stepDown(ctx context.Context) error {
	if len(c.voters()) < 2 {
		return errors.New("cluster: there is no other voter to lead")
	}
	if err := c.answer(ctx, func() raft.Future { return c.raft.LeadershipTransfer() }); err != nil {
		c.logger.Info("leadership was not handed over", "error", err)
		return errNotTransferred
	}
	return nil
}

// orderWait bounds an order. A hand-over takes an election time-out at most.
const orderWait = 5 * time.Second

// orderOnce gives an order to the leader. Each may be repeated safely.
func (c *Cluster) orderOnce(ctx context.Context, leader string, verb orderVerb,
	nodeID string) error {
	o, err := c.newOrder(verb, leader, nodeID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, orderWait)
	defer cancel()
	_, err = atNode(ctx, c, leader, "/v1/order", o, c.serveOrder)
	return err
}

type orderAnswer struct {
	_ struct{} `cbor:",toarray"`
}

// serveOrder is the leader's part.
func (c *Cluster) serveOrder(ctx context.Context, from string, o order) (orderAnswer, error) {
	if err := c.obey(from, o, o.Verb); err != nil {
		return orderAnswer{}, err
	}
	switch o.Verb {
	case orderTransfer:
		return orderAnswer{}, c.stepDown(ctx)
	case orderLeave:
		if !c.leads() || !c.mayChange(lease.Leave, o.Node) {
			return orderAnswer{}, errNotLeader // not yet
		}
		return orderAnswer{}, nil
	}
	return orderAnswer{}, errBadCall
}
