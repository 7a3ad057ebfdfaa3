package cluster

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"keyquorum/cluster/wire"
)

// Gossip configures memberlist. An empty Bind switches it off: then only columns of status are missing.
type Gossip struct {
	Bind      string // host:port, UDP and TCP
	Advertise string // host:port; "" is Bind
	Keys      GossipKeys
}

// gossip finds addresses and fills the columns of status. Nothing rests on it: who is a member says Raft's configuration
// alone, and a lie of gossip's can at worst send a dial to a place where no certificate of that node answers.
type gossip struct {
	c    *Cluster
	list *memberlist.Memberlist
	ring *memberlist.Keyring
}

// told is what the members tell of themselves, by node id.
type told struct {
	mu   sync.RWMutex
	byID map[string]heard
}

// maxTold bounds the ids: whoever has the gossip key can make some up.
const maxTold = 1024

// heard is what a node tells of itself, within memberlist's 512 bytes of metadata.
type heard struct {
	_                                    struct{} `cbor:",toarray"`
	Cluster, API, Label, Region, Version string
	Sealed                               bool
	Applied                              uint64
}

func (h heard) about() About {
	return About{Label: h.Label, Region: h.Region, API: h.API, Version: h.Version}
}

func newGossip(c *Cluster) (*gossip, error) {
	g := &gossip{c: c}
	config := memberlist.DefaultLANConfig()
	config.Name = c.id
	config.Label = c.Identity.ClusterID
	config.GossipVerifyIncoming, config.GossipVerifyOutgoing = true, true
	config.RequireNodeNames = true
	config.DeadNodeReclaimTime = 30 * time.Second
	config.Delegate, config.Events, config.Conflict = g, g, g
	config.Logger = c.logger.Named("gossip").StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true})
	var err error
	if g.ring, err = newRing(&c.gossipKeys); err != nil {
		return nil, err
	}
	config.Keyring = g.ring
	if config.BindAddr, config.BindPort, err = splitPort(c.Gossip.Bind); err != nil {
		return nil, fmt.Errorf("cluster: gossip address: %w", err)
	}
	if config.AdvertiseAddr, config.AdvertisePort, err = splitPort(c.Gossip.Advertise); err != nil {
		return nil, fmt.Errorf("cluster: advertised gossip address: %w", err)
	}
	if g.list, err = memberlist.Create(config); err != nil {
		return nil, fmt.Errorf("cluster: gossip: %w", err)
	}
	return g, nil
}

func splitPort(address string) (string, int, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	ip, err := net.ResolveIPAddr("ip", host) // memberlist wants a number
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	return ip.String(), int(port), err
}

const gossipEvery = 2 * time.Second

// tell tells the others what has changed here, and ends with the member. It does not wait for find:
// who answers nobody takes its time.
func (g *gossip) tell() {
	var said []byte
	g.c.every(gossipEvery, func() {
		if g.c.out.Load() != nil {
			return
		}
		if meta := g.NodeMeta(memberlist.MetaMaxSize); string(meta) != string(said) {
			said = meta
			_ = g.list.UpdateNode(time.Second) // told again with the next change
		}
	})
}

// find joins the members of the configuration whom gossip has not found yet, and ends with the
// member.
func (g *gossip) find() { g.c.every(gossipEvery, g.findOnce) }

func (g *gossip) findOnce() {
	for _, s := range g.c.servers() {
		id := string(s.ID)
		if _, ok := g.c.told.of(id); ok || id == g.c.id {
			continue
		}
		ctx, cancel := context.WithTimeout(g.c.ctx, time.Second)
		status, err := ask[statusCall, statusAnswer](ctx, g.c, id, pathStatus, statusCall{})
		cancel()
		if err == nil && status.Gossip != "" {
			_, _ = g.list.Join([]string{id + "/" + status.Gossip})
		}
	}
}

func (g *gossip) close() {
	if g.c.out.Load() == nil {
		_ = g.list.Leave(time.Second)
	}
	_ = g.list.Shutdown()
}

// fallSilent is close for an outcast: another process may speak for its node, which has not left.
func (g *gossip) fallSilent() { _ = g.list.Shutdown() }

// NodeMeta is what this node tells of itself.
func (g *gossip) NodeMeta(limit int) []byte { return g.c.meta(limit) }

func (c *Cluster) meta(limit int) []byte {
	about := c.About
	meta, err := wire.Encode(heard{
		Cluster: c.Address, API: about.API, Label: about.Label, Region: about.Region, Version: about.Version,
		Sealed: c.sealed.Load(), Applied: c.fsm.View().Index(),
	})
	if err != nil || len(meta) > limit {
		return nil // labels too long for a datagram: the columns stay empty
	}
	return meta
}

// NotifyJoin, NotifyUpdate and NotifyLeave keep what the others tell.
func (g *gossip) NotifyJoin(n *memberlist.Node)   { g.NotifyUpdate(n) }
func (g *gossip) NotifyUpdate(n *memberlist.Node) { g.c.told.hear(n.Name, n.Meta) }
func (g *gossip) NotifyLeave(n *memberlist.Node)  { g.c.told.forget(n.Name) }

func (t *told) of(nodeID string) (heard, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	h, ok := t.byID[nodeID]
	return h, ok
}

func (t *told) forget(nodeID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, nodeID)
}

// hear takes what a node tells. Nonsense is passed over, and so is who is new when there are too many.
func (t *told) hear(nodeID string, meta []byte) {
	var h heard
	if len(meta) > memberlist.MetaMaxSize || wire.Decode(meta, &h) != nil {
		return
	}
	if _, _, err := net.SplitHostPort(h.Cluster); err != nil {
		h.Cluster = ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[string]heard{}
	}
	if _, known := t.byID[nodeID]; known || len(t.byID) < maxTold {
		t.byID[nodeID] = h
	}
}

// NotifyConflict reports two nodes that use one id: a copied data folder.
func (g *gossip) NotifyConflict(existing, other *memberlist.Node) {
	g.c.logger.Error("two nodes use the same node id: one runs on a copy of the other's data folder",
		"node", existing.Name, "at", existing.Address(), "and at", other.Address())
}

// The rest of memberlist.Delegate is not used: no messages, no state.
func (g *gossip) NotifyMsg([]byte)                {}
func (g *gossip) GetBroadcasts(int, int) [][]byte { return nil }
func (g *gossip) LocalState(bool) []byte          { return nil }
func (g *gossip) MergeRemoteState([]byte, bool)   {}
