package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// memberTimeout bounds how long the leader waits to append a change of configuration; the commit has the call's deadline.
const memberTimeout = 5 * time.Second

// servers is the latest configuration, committed or not, and its index in the log.
func (c *Cluster) servers() []raft.Server {
	future := c.raft.GetConfiguration() // answered from memory
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
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

// addresses are where a node's cluster port may be: what gossip heard last, and what the configuration says.
func (c *Cluster) addresses(nodeID string) (list []string) {
	if m, ok := c.told.of(nodeID); ok && m.Cluster != "" {
		list = append(list, m.Cluster)
	}
	for _, s := range c.servers() {
		if string(s.ID) == nodeID && !slices.Contains(list, string(s.Address)) {
			list = append(list, string(s.Address))
		}
	}
	return list
}

// Add makes nodeID a non-voter at address. It becomes a voter by asking for it, once it is caught up. Adding a member
// again changes its address.
func (c *Cluster) Add(ctx context.Context, nodeID, address string) error {
	if err := checkServer(nodeID, address); err != nil {
		return fmt.Errorf("cluster: the address of the new node: %w", err)
	}
	if c.removed(nodeID) {
		return ErrRemoved
	}
	err := c.member(ctx, memberCall{Verb: verbAdd, Node: nodeID, Address: address})
	switch {
	case errors.Is(err, errRemovedID):
		return ErrRemoved
	case errors.Is(err, errAddressTaken):
		_, _, _ = c.fence(ctx) // this node may not have heard yet of the one that stands in the way
		return fmt.Errorf("%w: %s belongs to server %s; if that one is no more, remove it first", err, address, c.serverAt(address))
	}
	return err
}

// What a configuration may hold. The state machine refuses one with much more, and stops: it must never get into the log.
const (
	maxServers    = 256
	maxServerText = 300 // bytes of an id or an address; a host name has 255 at most
)

func checkServer(nodeID, address string) error {
	if nodeID == "" || len(nodeID) > maxServerText || len(address) > maxServerText {
		return fmt.Errorf("an id or address of more than %d bytes, or no id", maxServerText)
	}
	_, _, err := net.SplitHostPort(address)
	return err
}

func (c *Cluster) serverAt(address string) raft.ServerID {
	for _, s := range c.servers() {
		if string(s.Address) == address {
			return s.ID
		}
	}
	return "(not known here yet)"
}

// Remove marks nodeID as dead for ever, in the state, and takes it out of the configuration. In this order: should this
// node stop in between, the id is dead and Remove can be called again. A leader hands its office over first.
func (c *Cluster) Remove(ctx context.Context, nodeID string) error {
	if err := c.awaitOther(ctx, nodeID); err != nil {
		return err
	}
	// The mark cuts the node off, so its lease must be over by then: a leader that waits for it could lose a majority that needs it.
	if err := c.member(ctx, memberCall{Verb: verbLeave, Node: nodeID}); err != nil {
		return err
	}
	if err := c.markRemoved(ctx, nodeID); err != nil {
		return err
	}
	if err := c.member(ctx, memberCall{Verb: verbRemove, Node: nodeID}); err != nil {
		return err
	}
	_, _, _ = c.fence(ctx) // so that whoever asked sees the configuration without it here; removed it is in any case
	return nil
}

// awaitOther returns when another node than nodeID leads. The mark cuts a node off from all who know of it: a leader
// would keep a log longer than theirs, and where its vote is needed to outvote it nobody could ever lead again.
func (c *Cluster) awaitOther(ctx context.Context, nodeID string) error {
	ctx, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	for try := 0; ; try++ {
		switch _, leader := c.raft.LeaderWithID(); string(leader) {
		case "":
		case nodeID:
			if err := c.StepDown(ctx); err != nil {
				c.logger.Info("the node to be removed still leads", "error", err)
			}
		default:
			return nil
		}
		if pause(ctx, try) != nil {
			return ErrUnavailable
		}
	}
}

func (c *Cluster) markRemoved(ctx context.Context, nodeID string) error {
	path := RemovedDir + nodeID
	for {
		view := c.View()
		if _, ok := view.Get(path); ok {
			return nil
		}
		outcome, err := c.Commit(ctx, fsm.Txn{
			ID: fsm.NewID(), Base: view.Index(), Generation: view.Generation(),
			Conditions: []fsm.Condition{{Kind: fsm.Absent, Path: path}},
			Writes:     []fsm.Write{{Path: path, Logical: view.Index(), Value: []byte{1}}},
		})
		if err != nil || outcome.Kind == fsm.Applied {
			return err
		}
		if err := c.Wait(ctx, outcome.At); err != nil {
			return err
		}
	}
}

// askForVote asks to be made a voter when this node wants to be one, is none, and has caught up (its fence was answered).
func (c *Cluster) askForVote(ctx context.Context) {
	if !c.Store.Manifest().Voter || c.unfit() != nil {
		return
	}
	i := slices.IndexFunc(c.servers(), func(s raft.Server) bool { return string(s.ID) == c.id })
	if i < 0 || c.servers()[i].Suffrage == raft.Voter {
		return
	}
	if _, _, err := c.fence(ctx); err != nil {
		return
	}
	if err := c.member(ctx, memberCall{Verb: verbPromote, Node: c.id, Address: c.Address}); err != nil {
		c.logger.Info("not a voter yet; asking again", "error", err)
	}
}

// tellAddress has the configuration follow this member to another address. Without gossip nobody looks for it there, so it
// does not even hear who leads: it asks all.
func (c *Cluster) tellAddress(ctx context.Context) {
	servers := c.servers()
	i := slices.IndexFunc(servers, func(s raft.Server) bool { return string(s.ID) == c.id })
	if i < 0 || string(servers[i].Address) == c.Address || c.unfit() != nil {
		return
	}
	call := memberCall{Verb: verbAdd, Node: c.id, Address: c.Address}
	for _, s := range servers {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		var err error
		if string(s.ID) == c.id {
			err = c.changeMember(ctx, call)
		} else {
			_, err = ask[memberCall, memberAnswer](ctx, c, string(s.ID), "/v1/member", call)
		}
		cancel()
		if err == nil {
			return
		}
	}
}

// StepDown asks the leader to hand its office to another voter.
func (c *Cluster) StepDown(ctx context.Context) error {
	_, leader := c.raft.LeaderWithID()
	switch string(leader) {
	case "":
		return ErrUnavailable
	case c.id:
		return notTransferred(c.stepDown(ctx))
	}
	_, err := ask[transferCall, transferAnswer](ctx, c, string(leader), "/v1/transfer", transferCall{})
	return notTransferred(err)
}

// notTransferred puts into words for who asked that somebody may lead, and did not hand over.
func notTransferred(err error) error {
	if errors.Is(err, errNotTransferred) || errors.Is(err, errNotLeader) {
		return fmt.Errorf("the leader did not hand over, perhaps because nobody is caught up; ask again: %w", ErrUnavailable)
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

// member brings a change of configuration to the leader, again and again until ctx ends: each verb may be repeated safely.
func (c *Cluster) member(ctx context.Context, call memberCall) error {
	last := ErrUnavailable
	for try := 0; ; try++ {
		_, leader := c.raft.LeaderWithID()
		switch string(leader) {
		case "":
		case c.id:
			last = c.changeMember(ctx, call)
		default:
			_, last = ask[memberCall, memberAnswer](ctx, c, string(leader), "/v1/member", call)
		}
		if last == nil || slices.ContainsFunc(final, func(e error) bool { return errors.Is(last, e) }) {
			return last
		}
		if pause(ctx, try) != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, last)
		}
	}
}

// final are the refusals of a change that asking again does not alter.
var final = []error{errBadCall, errRemovedID, errAddressTaken, errNoSuchMember}

type memberVerb uint8

const (
	verbAdd     memberVerb = 1 // non-voter
	verbPromote memberVerb = 2 // to voter
	verbRemove  memberVerb = 3
	verbLeave   memberVerb = 4 // to be removed: it gets no lease any more, and has none
)

type memberCall struct {
	_       struct{} `cbor:",toarray"`
	Verb    memberVerb
	Node    string
	Address string
}

type memberAnswer struct {
	_ struct{} `cbor:",toarray"`
}

func (c *Cluster) serveMember(ctx context.Context, _ string, r memberCall) (memberAnswer, error) {
	return memberAnswer{}, c.changeMember(ctx, r)
}

// changeMember is the leader's part. A verb whose effect is committed already succeeds: what is only under way may be lost.
func (c *Cluster) changeMember(ctx context.Context, r memberCall) error {
	if !c.leads() {
		return errNotLeader
	}
	if !c.mayChange(r) {
		return errNotLeader // not yet
	}
	committed, _ := c.fsm.View().Configuration()
	at := slices.IndexFunc(committed.Servers, func(s raft.Server) bool { return string(s.ID) == r.Node })
	id, address := raft.ServerID(r.Node), raft.ServerAddress(r.Address)
	if (r.Verb == verbAdd || r.Verb == verbPromote) && (checkServer(r.Node, r.Address) != nil || at < 0 && len(c.servers()) >= maxServers) {
		return errBadCall
	}
	switch r.Verb {
	case verbAdd:
		switch {
		case c.removed(r.Node):
			return errRemovedID
		case at >= 0 && committed.Servers[at].Address == address:
			return nil
		case slices.ContainsFunc(c.servers(), func(s raft.Server) bool { return s.Address == address && s.ID != id }):
			return errAddressTaken
		}
		return c.answer(ctx, func() raft.Future { return c.raft.AddNonvoter(id, address, 0, memberTimeout) })
	case verbPromote:
		if at < 0 || c.removed(r.Node) {
			return errNoSuchMember
		}
		c.changes()
		defer c.changes()
		return c.answer(ctx, func() raft.Future { return c.raft.AddVoter(id, address, 0, memberTimeout) })
	case verbLeave:
		return nil
	case verbRemove:
		if at < 0 {
			return nil
		}
		c.changes()
		defer c.changes()
		return c.answer(ctx, func() raft.Future { return c.raft.RemoveServer(id, 0, memberTimeout) })
	}
	return errBadCall
}

type transferCall struct {
	_ struct{} `cbor:",toarray"`
}

type transferAnswer struct {
	_ struct{} `cbor:",toarray"`
}

func (c *Cluster) serveTransfer(ctx context.Context, _ string, _ transferCall) (transferAnswer, error) {
	return transferAnswer{}, c.stepDown(ctx)
}
