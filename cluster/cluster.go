// Package cluster is a node among nodes: Raft, gossip, and one mutually authenticated port.
//
// It owns the order of things. Commit brings a transaction to the leader and answers when this node has applied it and
// every reader may see it; Read makes sure that this node's copy is current before anything is read from it. It knows
// paths and indexes, and clear records under sys/; it never imports seal and could open nothing. Sealed or not, a
// member takes part, votes and may lead.
//
// DESIGN.md has the rules of both calls and what breaks without each.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"keyquorum/cluster/gossip"
	"keyquorum/cluster/identity"
	"keyquorum/cluster/lease"
	"keyquorum/cluster/port"
	"keyquorum/cluster/raftfix"
	"keyquorum/fsm"
	"keyquorum/storage"
)

var (
	// ErrUnavailable: no leader or majority within the deadline; a transaction was surely not applied.
	ErrUnavailable = errors.New("cluster: no leader with a majority could be reached")
	// ErrUnknown: the deadline passed after the transaction was sent; it may or may not have been applied, now or later.
	ErrUnknown = errors.New("cluster: the outcome of the write is not known")
	// ErrBusy: too many fences are waiting.
	ErrBusy = errors.New("cluster: too many requests are waiting")
	// ErrDiverged: this node's state differs from the majority's; it answers nothing.
	ErrDiverged = errors.New("cluster: this node's state differs from the others'")
	// ErrRemoved: this node was removed from the cluster.
	ErrRemoved = errors.New("cluster: this node was removed from the cluster")
)

// leaderWait is how long a fence or a write that was not sent yet waits for a leader (decision 11).
const leaderWait = 5 * time.Second

// raftTimeout bounds a message of Raft's.
const raftTimeout = 3 * time.Second

// Config is what a member needs. Store, Identity, Listener, Dial, Address and Logger are required.
type Config struct {
	Store    *storage.Store
	Identity identity.Identity
	Listener net.Listener // of the cluster port, plain TCP; closed by Close
	Dial     func(ctx context.Context, addr string) (net.Conn, error)
	Address  string        // of the cluster port, host:port, as others reach it
	Gossip   gossip.Config // an empty Advertise is Bind
	About    About
	Timing   Timing
	Leases   Leases
	Compact  Compact
	Logger   hclog.Logger
	Now      func() time.Time // wall clock, for the skew that a survey shows; nil: time.Now
	// Trouble says why this node, though a member in good order, had better not lead; nil: it never has any. It must not wait.
	Trouble func() error
	// PlaceLeader has this node, when it leads, hand over to a voter from which writes cost clearly less.
	PlaceLeader bool
	// Trust is what this member remembers; Remember has its folder remember more. Without one nothing is kept.
	Trust    Trust
	Remember func(Trust) error
	// CertifyFor makes a certificate of the generation that a view wants, for a node's key (PKCS#10). It is asked while this member is unsealed;
	// nil: it certifies nobody.
	CertifyFor func(view fsm.View, nodeID string, request []byte) ([]byte, error)
	// Diverged is called once, when this node was found to hold another state than the majority. It answers nothing from then on.
	Diverged func(error)

	wrapLogs   func(raft.LogStore) raft.LogStore       // tests only: nil in a node
	wrapFSM    func(*fsm.FSM) raft.FSM                 // likewise
	wrapStable func(raft.StableStore) raft.StableStore // likewise
}

// About is what a node says of itself for the columns of status.
type About struct {
	_                           struct{} `cbor:",toarray"`
	Label, Region, API, Version string
}

// Timing of Raft. A zero field takes its LAN default. Heartbeat is what followers agree by; an Election of less than half as long again is that.
type Timing struct{ Heartbeat, Election, LeaderLease, Commit time.Duration }

// Leases: with Off this member asks for none, so each of its reads asks the leader. Clock is the lease clock, of which only the rate
// counts; nil is the time since the machine started (CLOCK_BOOTTIME).
//
// Watch stands between this member and its part in the protocol, to see each step (package
// lease/trace); nil: nobody does.
type Leases struct {
	Off   bool
	Clock func() time.Duration
	Watch func(*lease.Node) lease.Steps
}

// Compact says when the log is cut. A zero field takes its default.
type Compact struct {
	Weight  int64  // bytes of log, and of state, below which no snapshot is worth its writing; 16 MiB
	Entries uint64 // that stay behind a snapshot at least, for followers that are a little late; 256
	// Scrub is after how long the folder is rid of what was deleted; some members take up to a minute longer; 4 minutes
	Scrub time.Duration
}

// Defaults for a LAN (decision 12): heartbeat and election follow the round trips from there.
var lan = Timing{Heartbeat: 500 * time.Millisecond, Election: 500 * time.Millisecond, LeaderLease: 500 * time.Millisecond, Commit: 50 * time.Millisecond}

// A Cluster is this node's membership, from Open to Close.
type Cluster struct {
	Config
	id        string
	fsm       *fsm.FSM
	raft      *raft.Raft
	transport *raftfix.Transport
	inbound   *inbound
	port      *port.Port
	server    *http.Server
	client    atomic.Pointer[http.Client]
	gossip    *gossip.Gossip
	logger    hclog.Logger

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	questions *raftfix.Questions // to raft

	reloading    sync.Mutex    // held while a setting of Raft is read, changed and written
	snapshotting chan struct{} // full while Raft takes a snapshot that this member asked for

	signer       atomic.Pointer[signer]  // nil while this member is sealed
	out          atomic.Pointer[outcast] // not nil: this member takes no part
	lacking      atomic.Pointer[lack]    // the leader lacks what is committed here
	shownBefore  uint64                  // E as this member's last process knew it
	lost         atomic.Pointer[error]   // what a majority has forgotten, as this member
	greets       greeter
	hears        hears
	strayed      atomic.Uint64               // index of the newest configuration that the state machine refused
	marked       atomic.Uint64               // up to where the folder says that the log is committed
	noted        atomic.Pointer[fsm.Members] // the members by which connections were cut last
	marking      chan struct{}               // holds one while what the folder knows is written
	markNow      chan struct{}
	trustChanged chan struct{}
	followNow    chan struct{} // Raft's configuration may have to follow the members
	foreseen     chan []*raft.Log
	accused      accusations
	heldMu       sync.Mutex
	held         heldBack
	moved        moved
	scrubbing    scrubbing

	opened    atomic.Uint64 // the newest term that this node led and opened; 0 for none
	openedAt  atomic.Int64  // Unix nanoseconds of that
	sealed    atomic.Bool
	removedID atomic.Pointer[map[string]bool]
	cast      atomic.Bool // this node heard that it was removed

	begun         time.Time                 // when it was opened
	stood         atomic.Pointer[time.Time] // when it was last made to stand for election
	wall          func() time.Time
	followed      era                  // of one leader, as this node knows it
	clock         func() time.Duration // of leases
	leases        leases
	checkInNow    chan struct{}
	heartbeat     atomic.Int64 // Raft's time-out now, nanoseconds
	trips         trips        // of this node to the others
	better        better       // place for the leader, as this one
	handOverAgain time.Time    // not before, after a transfer of the office that failed; seekLeader's
	astray        atomic.Bool  // this node's lease clock and the leader's run at different rates

	fences   rounds[fenced]      // of this node's readers
	confirms rounds[fenceAnswer] // of this node as leader
	counts   counts
	diverged atomic.Pointer[error]
	judging  sync.Mutex // held while this node compares itself with all voters

	failOnce sync.Once
	failed   chan struct{}
	failErr  error
}

// Open starts Raft on the store's log and serves the cluster port.
func Open(config Config) (*Cluster, error) {
	c := &Cluster{
		Config: config,
		id:     config.Identity.NodeID,
		logger: config.Logger.Named("cluster"),
		begun:  time.Now(),
		failed: make(chan struct{}),

		questions: raftfix.NewQuestions(),
	}
	if c.Gossip.Advertise == "" {
		c.Gossip.Advertise = c.Gossip.Bind
	}
	c.gossip = c.newGossip()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wall = config.Now
	if c.wall == nil {
		c.wall = time.Now
	}
	c.clock = config.Leases.Clock
	if c.clock == nil {
		c.clock = bootTime
	}
	c.checkInNow, c.marking = make(chan struct{}, 1), make(chan struct{}, 1)
	c.beginLeases(rand.Uint64())
	c.heartbeat.Store(int64(or(config.Timing.Heartbeat, lan.Heartbeat)))
	c.followed.next(c.ctx)
	c.leases.arrival.next(context.Background()) // at the member's end a wait fails, and no lease has come
	c.sealed.Store(true)
	c.markNow = make(chan struct{}, 1)
	c.snapshotting = make(chan struct{}, 1)
	c.trustChanged, c.followNow, c.foreseen = make(chan struct{}, 1), make(chan struct{}, 1), make(chan []*raft.Log, 16)
	if c.Remember == nil {
		c.Remember = func(Trust) error { return nil }
	}
	removed := map[string]bool{}
	for _, id := range config.Trust.Removed {
		removed[id] = true
	}
	c.removedID.Store(&removed)
	if err := c.beginLife(); err != nil {
		c.cancel()
		config.Listener.Close()
		return nil, fmt.Errorf("cluster: %w", err)
	}
	machine := c.newMachine()
	life := c.greets.self.Diary.Lives.Now()
	c.port = port.New(port.Config{
		Listener: config.Listener, Identity: config.Identity, Life: life, Dial: config.Dial,
		Addresses: c.addresses, Admits: c.admit, Logger: c.logger,
	})
	c.client.Store(c.newCallClient())
	c.server = c.newCallServer()
	c.transport = c.newTransport()
	c.inbound = newInbound(c)
	logs := config.Store.Logs()
	if config.wrapLogs != nil {
		logs = config.wrapLogs(logs)
	}
	stable := config.Store.Stable()
	if config.wrapStable != nil {
		stable = config.wrapStable(stable)
	}
	config.Store.Vet(c.vetSnapshot)
	err := machine.begin()
	if err == nil {
		c.raft, err = c.transport.Start(c.raftConfig(), machine, logs, stable, config.Store.Snapshots())
	}
	if err != nil {
		c.cancel()
		c.transport.Close()
		c.port.Close()
		return nil, fmt.Errorf("cluster: Raft does not start: %w", errors.Join(err, config.Store.Err()))
	}
	c.countStates()
	c.applied(c.fsm.View())
	c.wg.Go(func() { _ = c.server.Serve(c.port.Calls()) }) // ends with the listener
	c.wg.Go(c.inbound.serve)
	c.wg.Go(c.foresees)
	c.wg.Go(c.keepTrust)
	c.wg.Go(c.keepMark)
	c.wg.Go(c.greetAll)
	c.wg.Go(c.followMembers)
	c.wg.Go(c.checkpoints)
	c.wg.Go(c.scrubs)
	c.wg.Go(c.openTerms)
	c.wg.Go(c.watchLeader)
	c.wg.Go(c.checkIns)
	c.beginDuties()
	c.wg.Go(c.measure)
	c.wg.Go(c.sweep)
	if c.out.Load() == nil {
		if err := c.gossip.Start(); err != nil {
			c.Close(context.Background())
			return nil, fmt.Errorf("cluster: %w", err)
		}
		c.wg.Go(func() { c.gossip.Run(c.ctx) })
	}
	return c, nil
}

func (c *Cluster) newTransport() *raftfix.Transport {
	return raftfix.NewTransport(c.ctx, raftfix.Config{
		ID:      c.id,
		Address: c.Listener.Addr(),
		Dial:    c.connectRaft,
		Timeout: raftTimeout,
		Newest:  c.Store.NewestSnapshot,
		Waiting: c.Store.Waiting,
		Believe: c.believe,
		Go:      c.wg.Go,
		Logger:  c.logger.Named("transport"),
	})
}

func (c *Cluster) raftConfig() *raft.Config {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(c.id)
	config.HeartbeatTimeout = ownTimers(or(c.Timing.Heartbeat, lan.Heartbeat))
	config.ElectionTimeout = max(or(c.Timing.Election, lan.Election), config.HeartbeatTimeout)
	config.LeaderLeaseTimeout = or(c.Timing.LeaderLease, min(lan.LeaderLease, config.HeartbeatTimeout))
	config.CommitTimeout = or(c.Timing.Commit, lan.Commit)
	config.MaxAppendEntries = 512
	config.BatchApplyCh = true
	config.ShutdownOnRemove = false
	config.SnapshotThreshold = 1 << 62 // storage counts bytes and we ask (decision 27)
	config.SnapshotInterval = time.Hour
	config.Logger = c.logger.Named("raft")
	config.NoLegacyTelemetry = true
	return config
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Close hands leadership over, if there is somebody to take it within ctx, and ends everything that Open began.
func (c *Cluster) Close(ctx context.Context) {
	if ctx.Err() == nil && c.raft.State() == raft.Leader && len(c.voters()) > 1 {
		_ = c.answer(ctx, func() raft.Future { return c.raft.LeadershipTransfer() }) // else an election finds the next
	}
	c.questions.End()
	c.cancel()
	c.gossip.Close()
	_ = c.raft.Shutdown().Error()
	c.transport.Close()
	c.server.Close()
	c.port.Close()
	c.client.Load().CloseIdleConnections()
	c.wg.Wait()
	if ctx.Err() == nil {
		c.mark(ctx)
	}
}

// Failed is closed when this member met something it must not go on from; Err says what.
func (c *Cluster) Failed() <-chan struct{} { return c.failed }

// Err is the reason after Failed.
func (c *Cluster) Err() error { <-c.failed; return c.failErr }

func (c *Cluster) fail(err error) {
	c.failOnce.Do(func() {
		c.failErr = err
		c.logger.Error("this node must stop", "error", err)
		close(c.failed)
	})
}

// View returns this node's newest state, current or not: for decisions that end in a transaction, which the FSM checks.
func (c *Cluster) View() fsm.View { return c.fsm.View() }

// Wait returns when this node has applied index, or with the context's error.
func (c *Cluster) Wait(ctx context.Context, index uint64) error { return c.fsm.Wait(ctx, index) }

// applied is called after each batch of the FSM. It must be quick: it stands in Raft's way.
func (c *Cluster) applied(v fsm.View) {
	if (c.leases.tenure.Load().Lease != lease.Lease{}) {
		c.nudgeCheckIn() // writers wait until the leader hears of it
	}
	c.noteRemoved(v)
	c.noteMembers(v)
	c.nudgeMark()
	select {
	case c.trustChanged <- struct{}{}:
	default:
	}
}
