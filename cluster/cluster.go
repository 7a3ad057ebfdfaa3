// Package cluster makes a node a member among members: Raft, gossip, and one mutually authenticated
// port.
//
// It owns the order of things. Commit brings a transaction to the leader and answers when this node
// has applied it and every reader may see it; Read makes sure that this node's copy is current
// before anything is read from it. It knows paths and indexes, and clear records under sys/; it
// never imports seal and could open nothing. Sealed or not, a member takes part, votes and may
// lead.
//
// DESIGN.md has the rules of both calls and what breaks without each. Whatever needs no running
// member has a package of its own: identity, lives, lease and succession judge; port, calls and
// gossip carry messages; raftfix mends faults of hashicorp/raft; wire encodes. The files here, by
// subject:
//
//	what a member is           cluster, config, calls, duties, tasks, clock, asking, unfit
//	a write                    commit, signing, everywhere
//	a read                     read, fence, rounds
//	leases                     leases, checkin, granting
//	who belongs                membership, follow, found, moved, nodekeys
//	who is heard               admission, trust, connect, hello, greet, outcast, lacking
//	what Raft is handed        inbound, vetting, oneleader, committed, accuse
//	what must not be forgotten known, checkpoint, snapshots, scrub, digest
//	who leads                  standing, epoch, leader
//	who leads next             succession, handover, pace, roundtrips
//	whose disk has room        room
//	who runs which release     releases
//	how it is                  survey, stats, gossip
package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/gossip"
	"keyquorum/cluster/lease"
	"keyquorum/cluster/port"
	"keyquorum/cluster/raftfix"
	"keyquorum/fsm"
	"keyquorum/internal/release"
)

var (
	// ErrUnavailable: no leader or majority within the deadline; a transaction was surely not applied.
	ErrUnavailable = errors.New("cluster: no leader with a majority could be reached")
	// ErrUnknown: the deadline passed after the transaction was sent; it may or may not have been
	// applied, now or later.
	ErrUnknown = errors.New("cluster: the outcome of the write is not known")
	// ErrBusy: too many fences are waiting.
	ErrBusy = errors.New("cluster: too many requests are waiting")
	// ErrDiverged: this node's state differs from the majority's; it answers nothing.
	ErrDiverged = errors.New("cluster: this node's state differs from the others'")
	// ErrRemoved: this node was removed from the cluster.
	ErrRemoved = errors.New("cluster: this node was removed from its cluster, for ever: " +
		"to have it join anew, stop it, move its data folder away, start it, and make it join")
)

// leaderWait is how long a fence or a write that was not sent yet waits for a leader (decision 11).
const leaderWait = 5 * time.Second

// raftTimeout bounds a message of Raft's.
const raftTimeout = 3 * time.Second

// A Cluster is this node's membership, from Open to Close.
type Cluster struct {
	Config
	id        string
	fsm       *fsm.FSM
	raft      *raft.Raft
	started   chan struct{} // closed when raft is there
	transport *raftfix.Transport
	inbound   *inbound
	port      *port.Port
	server    *calls.Server // of what others ask
	client    *calls.Client
	gossip    *gossip.Gossip
	logger    hclog.Logger

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	tasks     tasks
	questions *raftfix.Questions // to raft
	failure   failure

	reloading    sync.Mutex    // held while a setting of Raft is read, changed and written
	snapshotting chan struct{} // full while Raft takes a snapshot that this member asked for

	signer       atomic.Pointer[signer]  // nil while this member is sealed
	out          atomic.Pointer[outcast] // not nil: this member takes no part
	lacking      atomic.Pointer[lack]    // the leader lacks what is committed here
	lost         atomic.Pointer[error]   // what a majority has forgotten, as this member
	greets       greeter
	hears        hears
	releases     releases
	kept         kept                        // what the folder knows
	strayed      atomic.Uint64               // index of the newest configuration that was refused
	noted        atomic.Pointer[fsm.Members] // the members by which connections were cut last
	removals     removals
	trustChanged nudge
	followNow    nudge // Raft's configuration may have to follow the members
	foreseen     chan []*raft.Log
	accused      accusations
	held         heldBack
	older        older
	moved        moved
	rooms        rooms
	told         sync.Map // node id → About, of members that were asked how they are
	scrubbing    scrubbing

	opened   atomic.Uint64 // the newest term that this node led and opened; 0 for none
	openedAt atomic.Int64  // Unix nanoseconds of that
	sealed   atomic.Bool

	begun       time.Time                 // when it was opened
	stood       atomic.Pointer[time.Time] // when it was last made to stand for election
	wall        func() time.Time
	leaderEpoch epoch                // of one leader, as this node knows it
	clock       func() time.Duration // of leases
	leases      leases
	checkInNow  nudge
	heartbeat   atomic.Int64 // Raft's time-out now, nanoseconds
	roundTrips  roundTrips   // of this node to the others
	clockAstray atomic.Bool  // this node's lease clock and the leader's run at different rates

	noHandOverBefore time.Time // after one that failed; giveUpLead's

	fences   rounds[fenced]      // of this node's readers
	confirms rounds[fenceAnswer] // of this node as leader
	surveys  rounds[Survey]      // likewise
	counts   counts
	diverged atomic.Pointer[error]
	reigns   claims                           // who leads in which term
	votes    votes                            // this member's
	pilot    pilot                            // of this node as leader
	judging  struct{ found, told sync.Mutex } // held while this node compares itself with all voters
}

// Open starts Raft on the store's log and serves the cluster port.
func Open(config Config) (*Cluster, error) {
	c := prepare(config)
	if err := c.beginLife(); err != nil {
		c.cancel()
		c.Listener.Close()
		return nil, fmt.Errorf("cluster: %w", err)
	}
	machine := c.newMachine()
	c.openPort()
	if err := c.startRaft(machine); err != nil {
		c.abandon()
		return nil, fmt.Errorf("cluster: Raft does not start: %w", errors.Join(err, c.Store.Err()))
	}
	if err := c.fits(); err != nil {
		_ = c.raft.Shutdown().Error()
		c.abandon()
		return nil, fmt.Errorf("cluster: %w", err)
	}
	c.countStates()
	c.applied(c.fsm.View())
	c.beginLoops()
	if c.out.Load() == nil {
		if err := c.gossip.Start(); err != nil {
			c.Close(context.Background())
			return nil, fmt.Errorf("cluster: %w", err)
		}
		c.tasks.begin(func() { c.gossip.Run(c.ctx) })
	}
	return c, nil
}

// abandon ends what a member begins before its loops.
func (c *Cluster) abandon() {
	c.cancel()
	c.transport.Close()
	c.port.Close()
	c.tasks.end()
}

// prepare makes a member that has not looked at its folder yet.
func prepare(config Config) *Cluster {
	c := &Cluster{
		Config: config,
		id:     config.Identity.NodeID,
		logger: config.Logger.Named("cluster"),
		begun:  time.Now(),
		wall:   config.Now,
		clock:  config.Leases.Clock,

		started:      make(chan struct{}),
		failure:      failure{failed: make(chan struct{})},
		questions:    raftfix.NewQuestions(),
		snapshotting: make(chan struct{}, 1),
		scrubbing:    scrubbing{busy: make(chan struct{}, 1)},
		kept:         newKept(),
		reigns:       claims{byTerm: map[uint64]*claim{}},
		trustChanged: newNudge(),
		followNow:    newNudge(),
		checkInNow:   newNudge(),
		foreseen:     make(chan []*raft.Log, 16),
	}
	if c.Gossip.Advertise == "" {
		c.Gossip.Advertise = c.Gossip.Bind
	}
	c.releases.own = or(config.Release, release.Own(config.About.Version))
	if c.wall == nil {
		c.wall = time.Now
	}
	if c.clock == nil {
		c.clock = bootTime
	}
	if c.Remember == nil {
		c.Remember = func(Trust) error { return nil }
	}
	c.fences.begin, c.confirms.begin, c.surveys.begin = c.tasks.begin, c.tasks.begin, c.tasks.begin
	c.gossip = c.newGossip()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.beginLeases(rand.Uint64())
	c.heartbeat.Store(int64(or(config.Timing.Heartbeat, lan.Heartbeat)))
	c.leaderEpoch.next(c.ctx)
	// At the member's end a wait for a lease fails, and none has come.
	c.leases.arrival.next(context.Background())
	c.sealed.Store(true)
	c.removals.begin(config.Trust.Removed)
	return c
}

// openPort comes before Raft, which sends by it, and after the state machine, which admits by it.
func (c *Cluster) openPort() {
	c.port = port.New(port.Config{
		Listener: c.Listener, Identity: c.Identity, Life: c.greets.self.Diary.Lives.Now(),
		Dial: c.Dial, Addresses: c.addresses, Admits: c.admit, Logger: c.logger,
	})
	c.client = calls.NewClient(c.port.Dial, c.said())
	c.server = c.newCallServer()
	c.transport = c.newTransport()
	c.inbound = newInbound(c)
}

func (c *Cluster) startRaft(machine *resumed) (err error) {
	logs, stable := c.Store.Logs(), c.Store.Stable()
	if c.wrapLogs != nil {
		logs = c.wrapLogs(logs)
	}
	if c.wrapStable != nil {
		stable = c.wrapStable(stable)
	}
	logs = committedLog{logs, c}
	if err := c.votes.begin(stable); err != nil {
		return err
	}
	c.Store.Vet(c.vetSnapshot)
	if err := machine.begin(); err != nil {
		return err
	}
	c.raft, err = c.transport.Start(c.raftConfig(), machine, logs, &c.votes, c.Store.Snapshots())
	if err == nil {
		close(c.started)
	}
	return err
}

// awaitRaft returns when Raft has started. What Raft's own goroutines begin comes by here: they run
// before Start has returned.
func (c *Cluster) awaitRaft(ctx context.Context) error {
	select {
	case <-c.started:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beginLoops begins what ends with the member.
func (c *Cluster) beginLoops() {
	c.tasks.begin(func() { c.server.Serve(c.port.Calls()) }) // ends with the listener
	c.tasks.begin(c.inbound.serve)
	c.tasks.begin(c.foresees)
	c.tasks.begin(c.keepTrust)
	c.tasks.begin(c.keepMark)
	c.tasks.begin(c.greetAll)
	c.tasks.begin(c.followMembers)
	c.tasks.begin(c.checkpoints)
	c.tasks.begin(c.scrubs)
	c.tasks.begin(c.openTerms)
	c.tasks.begin(c.watchLeader)
	c.tasks.begin(c.checkIns)
	c.beginDuties()
	c.tasks.begin(c.measure)
	c.tasks.begin(c.sweep)
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
		Go:      func(f func()) { c.tasks.begin(f) },
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
	config.MaxAppendEntries = maxAppend
	config.BatchApplyCh = true
	config.ShutdownOnRemove = false
	config.SnapshotThreshold = 1 << 62 // storage counts bytes and we ask (decision 27)
	config.SnapshotInterval = time.Hour
	config.Logger = c.logger.Named("raft")
	config.NoLegacyTelemetry = true
	return config
}

// Close hands leadership over, if there is somebody to take it within ctx, and ends everything that
// Open began.
func (c *Cluster) Close(ctx context.Context) {
	if ctx.Err() == nil && c.raft.State() == raft.Leader && len(c.voters()) > 1 {
		// Where that fails an election finds the next.
		_ = c.answer(ctx, func() raft.Future { return c.raft.LeadershipTransfer() })
	}
	if ctx.Err() == nil && c.raft.State() != raft.Leader {
		c.takeLeave()
	}
	c.questions.End()
	c.cancel()
	c.gossip.Close()
	_ = c.raft.Shutdown().Error()
	c.transport.Close()
	c.server.Close()
	c.port.Close()
	c.client.Close()
	c.tasks.end()
	if ctx.Err() == nil {
		c.mark(ctx)
	}
}

// Failed is closed when this member met something it must not go on from; Err says what.
func (c *Cluster) Failed() <-chan struct{} { return c.failure.failed }

// Err is the reason after Failed.
func (c *Cluster) Err() error { <-c.failure.failed; return c.failure.err }

// A failure happens once.
type failure struct {
	once   sync.Once
	failed chan struct{}
	err    error // constant when failed is closed
}

func (c *Cluster) fail(err error) {
	c.failure.once.Do(func() {
		c.failure.err = err
		c.logger.Error("this node must stop", "error", err)
		close(c.failure.failed)
	})
}

// View returns this node's newest state, current or not: for decisions that end in a transaction,
// which the FSM checks.
func (c *Cluster) View() fsm.View { return c.fsm.View() }

// Wait returns when this node has applied index, or with the context's error.
func (c *Cluster) Wait(ctx context.Context, index uint64) error { return c.fsm.Wait(ctx, index) }

// applied is called after each batch of the FSM. It must be quick: it stands in Raft's way.
func (c *Cluster) applied(v fsm.View) {
	if (c.leases.tenure.Load().Lease != lease.Lease{}) {
		c.checkInNow.give() // writers wait until the leader hears of it
	}
	c.noteLevel(v)
	c.noteRemoved(v)
	c.noteMembers(v)
	c.kept.now.give()
	c.trustChanged.give()
}
