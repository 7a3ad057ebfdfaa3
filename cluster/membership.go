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

// address is where a node's cluster port is: what gossip heard last, else what the configuration says.
func (c *Cluster) address(nodeID string) (string, bool) {
	if c.gossip != nil {
		if m, ok := c.gossip.member(nodeID); ok && m.Cluster != "" {
			return m.Cluster, true
		}
	}
	for _, s := range c.servers() {
		if string(s.ID) == nodeID {
			return string(s.Address), true
		}
	}
	return "", false
}

// Add makes nodeID a non-voter at address. It becomes a voter by asking for it, once it is caught up. Adding a member
// again changes its address.
func (c *Cluster) Add(ctx context.Context, nodeID, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("cluster: the address of the new node: %w", err)
	}
	if c.removed(nodeID) {
		return ErrRemoved
	}
	return c.member(ctx, memberCall{Verb: verbAdd, Node: nodeID, Address: address})
}

// Remove marks nodeID as dead for ever, in the state, and takes it out of the configuration. In this order: should this
// node stop in between, the id is dead and Remove can be called again.
func (c *Cluster) Remove(ctx context.Context, nodeID string) error {
	if err := c.markRemoved(ctx, nodeID); err != nil {
		return err
	}
	return c.member(ctx, memberCall{Verb: verbRemove, Node: nodeID})
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
	if _, err := c.Fence(ctx); err != nil {
		return
	}
	if err := c.member(ctx, memberCall{Verb: verbPromote, Node: c.id, Address: c.Address}); err != nil {
		c.logger.Info("not a voter yet; asking again", "error", err)
	}
}

// StepDown asks the leader to hand its office to another voter.
func (c *Cluster) StepDown(ctx context.Context) error {
	_, leader := c.raft.LeaderWithID()
	switch string(leader) {
	case "":
		return ErrUnavailable
	case c.id:
		return c.stepDown()
	}
	_, err := ask[transferCall, transferAnswer](ctx, c, string(leader), "/v1/transfer", transferCall{})
	return err
}

func (c *Cluster) stepDown() error {
	if len(c.voters()) < 2 {
		return errors.New("cluster: there is no other voter to lead")
	}
	return c.raft.LeadershipTransfer().Error()
}

// member brings a change of configuration to the leader, again and again until ctx ends: each verb may be repeated safely.
func (c *Cluster) member(ctx context.Context, call memberCall) error {
	last := ErrUnavailable
	for try := 0; ; try++ {
		_, leader := c.raft.LeaderWithID()
		switch string(leader) {
		case "":
		case c.id:
			last = c.changeMember(call)
		default:
			_, last = ask[memberCall, memberAnswer](ctx, c, string(leader), "/v1/member", call)
		}
		if last == nil || errors.Is(last, errBadCall) {
			return last
		}
		if pause(ctx, try) != nil {
			return fmt.Errorf("%w: %v", ErrUnavailable, last)
		}
	}
}

type memberVerb uint8

const (
	verbAdd     memberVerb = 1 // non-voter
	verbPromote memberVerb = 2 // to voter
	verbRemove  memberVerb = 3
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

func (c *Cluster) serveMember(_ context.Context, _ string, r memberCall) (memberAnswer, error) {
	return memberAnswer{}, c.changeMember(r)
}

// changeMember is the leader's part. A verb whose effect is there already succeeds.
func (c *Cluster) changeMember(r memberCall) error {
	if !c.leads() {
		return errNotLeader
	}
	at := slices.IndexFunc(c.servers(), func(s raft.Server) bool { return string(s.ID) == r.Node })
	id, address := raft.ServerID(r.Node), raft.ServerAddress(r.Address)
	switch r.Verb {
	case verbAdd:
		if c.removed(r.Node) {
			return errNotMember
		}
		if at >= 0 && c.servers()[at].Address == address {
			return nil
		}
		return c.raft.AddNonvoter(id, address, 0, memberTimeout).Error()
	case verbPromote:
		if at < 0 || c.removed(r.Node) {
			return errNotMember
		}
		return c.raft.AddVoter(id, address, 0, memberTimeout).Error()
	case verbRemove:
		if at < 0 {
			return nil
		}
		return c.raft.RemoveServer(id, 0, memberTimeout).Error()
	}
	return errBadCall
}

type transferCall struct {
	_ struct{} `cbor:",toarray"`
}

type transferAnswer struct {
	_ struct{} `cbor:",toarray"`
}

func (c *Cluster) serveTransfer(context.Context, string, transferCall) (transferAnswer, error) {
	return transferAnswer{}, c.stepDown()
}
