// Package gossip finds out at which addresses the members of a cluster are, and what they say of
// themselves for the columns of status, with memberlist.
//
// No decision depends on it. Raft's configuration alone says who is a member, and a lie in gossip
// can at worst send a dial to a place where no certificate of that node answers. What gossip needs
// to know of a member comes in with Member. It never speaks on the cluster port itself.
package gossip

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"keyquorum/internal/throng"
)

// Config is what an operator sets. An empty Bind switches gossip off: then only columns of status
// are missing.
type Config struct {
	Bind      string // host:port, UDP and TCP
	Advertise string // host:port, as the others reach it
	Keys      Keys
}

// A Member is who gossips, and what is asked of it. All is required.
type Member struct {
	NodeID, ClusterID string
	News              func() News     // of this member, now
	Others            func() []string // the node ids of the other members
	// AskAddress asks another member at which address it gossips; "" where it does not, or does not
	// answer.
	AskAddress func(ctx context.Context, nodeID string) string
	Logger     hclog.Logger
}

// A Gossip is one member's part in it, from New to Close. Off, it hears nothing and says nothing.
type Gossip struct {
	bind, advertise string
	member          Member

	streams    *throng.Throng // that came in
	complaints atomic.Uint64

	heardMu sync.RWMutex
	heard   map[string]heard // by node id

	mu     sync.Mutex // guards what follows
	list   *memberlist.Memberlist
	ring   *memberlist.Keyring
	keys   Keys
	silent bool // for good
}

// New prepares a member's part. It says nothing before Start.
func New(config Config, member Member) *Gossip {
	return &Gossip{
		bind: config.Bind, advertise: config.Advertise, member: member,
		heard: map[string]heard{}, keys: config.Keys, streams: newStreams(),
	}
}

// Start opens the addresses, unless gossip is off. It comes before Use.
func (g *Gossip) Start() error {
	if g.bind == "" {
		return nil
	}
	config, err := g.memberlist()
	if err != nil {
		return err
	}
	transport, err := newTransport(config, g.streams)
	if err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	config.Transport = transport
	list, err := memberlist.Create(config)
	if err != nil {
		_ = transport.Shutdown()
		return fmt.Errorf("gossip: %w", err)
	}
	g.mu.Lock()
	g.list, g.ring = list, config.Keyring
	silent := g.silent
	g.mu.Unlock()
	if silent { // meanwhile
		_ = list.Shutdown()
	}
	return nil
}

func (g *Gossip) memberlist() (config *memberlist.Config, err error) {
	config = memberlist.DefaultLANConfig()
	config.Name = g.member.NodeID
	config.Label = g.member.ClusterID
	config.GossipVerifyIncoming, config.GossipVerifyOutgoing = true, true
	config.RequireNodeNames = true
	config.DeadNodeReclaimTime = 30 * time.Second
	d := delegate{g}
	config.Delegate, config.Events, config.Conflict = d, d, d
	config.Logger = g.libraryLog()
	if config.Keyring, err = newRing(g.Keys()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveWait)
	defer cancel()
	if config.BindAddr, config.BindPort, err = splitPort(ctx, g.bind); err != nil {
		return nil, fmt.Errorf("gossip: address: %w", err)
	}
	if config.AdvertiseAddr, config.AdvertisePort, err = splitPort(ctx, g.advertise); err != nil {
		return nil, fmt.Errorf("gossip: advertised address: %w", err)
	}
	return config, nil
}

// resolveWait bounds how long a name of this member's own is looked up.
const resolveWait = 5 * time.Second

// splitPort has the host as a number: memberlist looks names up itself, and no end is put to that.
func splitPort(ctx context.Context, address string) (string, int, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, err
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", 0, err
	}
	first := all[0].Unmap()
	for _, ip := range all {
		if ip = ip.Unmap(); ip.Is4() {
			first = ip
			break
		}
	}
	return first.String(), int(port), nil
}

// open is what memberlist runs on; nil while this member says nothing.
func (g *Gossip) open() *memberlist.Memberlist {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.silent {
		return nil
	}
	return g.list
}

const every = 2 * time.Second

// Run tells the others what has changed here, joins those whom gossip has not found yet, and ends
// with ctx. Telling does not wait for joining: who answers nobody takes its time.
func (g *Gossip) Run(ctx context.Context) {
	if g.open() == nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { repeat(ctx, g.tell()) })
	both.Go(func() { repeat(ctx, func() { g.find(ctx) }) })
	both.Wait()
}

func repeat(ctx context.Context, what func()) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			what()
		case <-ctx.Done():
			return
		}
	}
}

func (g *Gossip) tell() func() {
	var said []byte
	return func() {
		list := g.open()
		if list == nil {
			return
		}
		if meta := g.meta(memberlist.MetaMaxSize); string(meta) != string(said) {
			said = meta
			_ = list.UpdateNode(time.Second) // told again with the next change
		}
	}
}

func (g *Gossip) find(ctx context.Context) {
	for _, id := range g.member.Others() {
		list := g.open()
		if _, known := g.Of(id); known || list == nil {
			continue
		}
		if address := g.ask(ctx, id); address != "" {
			_, _ = list.Join([]string{id + "/" + address})
		}
	}
}

// ask is where a member says that it is found, as a number; "" where it does not answer.
func (g *Gossip) ask(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	address := g.member.AskAddress(ctx, id)
	if address == "" {
		return ""
	}
	host, port, err := splitPort(ctx, address)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// FallSilent ends this member's part without leaving: another process may speak for its node.
func (g *Gossip) FallSilent() {
	list := g.open()
	g.mu.Lock()
	g.silent = true
	g.mu.Unlock()
	if list != nil {
		_ = list.Shutdown()
	}
}

// Close leaves, and ends this member's part.
func (g *Gossip) Close() {
	if list := g.open(); list != nil {
		_ = list.Leave(time.Second)
	}
	g.FallSilent()
}
