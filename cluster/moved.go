package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/address"
)

// A member that came back at another address tells the others where it is: without gossip nobody
// looks for it there, so it does not even hear who leads. What it says of itself is kept in memory,
// and costs a failed dial when it is not true. When it is unsealed it signs for its address.
type moved struct {
	mu   sync.Mutex
	byID map[string]string
}

func (m *moved) of(nodeID string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byID[nodeID]
}

// set keeps one address of each member that told one.
func (m *moved) set(nodeID, address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID == nil {
		m.byID = map[string]string{}
	}
	m.byID[nodeID] = address
}

type addressCall struct {
	_       struct{} `cbor:",toarray"`
	Address string
}

type addressAnswer struct {
	_ struct{} `cbor:",toarray"`
}

// serveAddress hears a member about itself.
func (c *Cluster) serveAddress(_ context.Context, from string, r addressCall) (addressAnswer,
	error) {
	if address.Reachable(r.Address) != nil {
		return addressAnswer{}, errBadCall
	}
	c.moved.set(from, r.Address)
	return addressAnswer{}, nil
}

// tellAll tells everybody at the same time: whoever does not answer must not take the others' time.
func (c *Cluster) tellAll(ctx context.Context, servers []raft.Server) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var told sync.WaitGroup
	for _, s := range servers {
		if id := string(s.ID); id != c.id {
			told.Go(func() {
				_, _ = ask[addressCall, addressAnswer](ctx, c, id, "/v1/address",
					addressCall{Address: c.Address})
			})
		}
	}
	told.Wait()
}

// tellAddress has the others, and at last the members, follow this one to another address.
func (c *Cluster) tellAddress(ctx context.Context) {
	servers := c.servers() // Raft knows them before the state does
	at := slices.IndexFunc(servers, func(s raft.Server) bool { return string(s.ID) == c.id })
	if at < 0 || string(servers[at].Address) == c.Address || c.unfit() != nil {
		return
	}
	c.tellAll(ctx, servers)
	if c.signer.Load() == nil {
		return
	}
	err := c.changeMembers(ctx, func(list fsm.Members) (fsm.Members, error) {
		own, ok := list.Find(c.id)
		if !ok {
			return nil, ErrRemoved
		}
		own.Address = c.Address
		return list.With(own), nil
	})
	if err != nil {
		c.logger.Info("the cluster does not know this node's new address yet; trying again", "error", err)
	}
}
