// Package node is one node assembled, and what it does as a whole: init, unseal, seal, join, step
// down, status.
//
// A node is in one of three states, and each has its own type: without data it has no member; with
// data it is a member that takes part in Raft; a member that was given its shares has keys, and
// with them the domain. It knows no HTTP: the program, the tests and testcluster put httpapi in
// front of the same Open.
package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/audit"
	"keyquorum/cluster"
	"keyquorum/internal/latch"
	"keyquorum/internal/release"
	"keyquorum/internal/space"
	"keyquorum/node/schedule"
	"keyquorum/seal"
	"keyquorum/vault"
)

var (
	// ErrInitialized: the node holds a cluster's data already.
	ErrInitialized = errors.New("node: already initialized")
	// ErrUninitialized: the node holds no data; it needs init or join.
	ErrUninitialized = errors.New("node: not initialized: run init on the first node, join on the others")
	// ErrJoining is an ErrUninitialized of a node that waits for shares, to be a member with them.
	ErrJoining = fmt.Errorf("%w: it is joining a cluster, and waits for its unseal shares",
		ErrUninitialized)
	// ErrSealed: the node has no keys.
	ErrSealed = errors.New("node: sealed: it needs its unseal shares")
	// ErrUnsealed: the node has its keys already.
	ErrUnsealed = errors.New("node: unsealed already")

	errClosed = errors.New("node: closed")
)

// Config has the seams of a node. The API listener is the caller's: a node knows no HTTP.
type Config struct {
	Dir             string       // data folder
	Label           string       // node_id of the configuration, shown to people
	Region          string       // where it stands, "" for none: for status, plans and the leader's place
	PlaceLeader     bool         // when it leads, it hands over to a voter from which writes cost clearly less
	APIAddr         string       // advertised, "https://host:port"
	ClusterAddr     string       // advertised host:port of the cluster port
	ClusterListener net.Listener // plain TCP; the node puts TLS on it and closes it
	Dial            func(ctx context.Context, addr string) (net.Conn, error)
	Gossip          GossipConfig
	UsageLog        string                            // file; "": Dir/audit.log
	Audit           audit.Sink                        // in its place; nil: the file
	Reserve         uint64                            // bytes: with less free on its disks it decides no writes; 0: not looked at
	Free            func(path string) (uint64, error) // nil: space.Free
	Disk            func(op,
		path string) error // asked before each step of the store (storage.Store.Gate); nil: nobody is asked
	Now     func() time.Time // wall clock; nil: time.Now
	Leases  Leases
	Logger  hclog.Logger
	Timing  Timing
	Compact Compact
	Version string
	// Snapshots that the node takes by itself when it leads; zero: none.
	Snapshots schedule.Plan
	// Release is what this program says of itself to others; zero: Version, and the levels that this
	// code knows.
	Release release.Release
	// AuthorityKeys fetches the keys of an attestation authority (vault.Config); nil: no key is ever
	// released.
	AuthorityKeys func(ctx context.Context, authority, kid string) ([]byte, error)
	Wrappers      map[string]ForeignKey // those that this node can use, by the names of the wrappers
}

// GossipConfig: an empty Bind switches gossip off.
type GossipConfig struct{ Bind, Advertise string }

// Timing of Raft, where zero fields take the LAN defaults, and of background work: Rest is the
// least time between two of its passes, zero a minute.
type Timing struct{ Heartbeat, Election, LeaderLease, Commit, Rest time.Duration }

// Leases is cluster.Leases.
type Leases = cluster.Leases

// A Survey is the cluster as its leader sees it, or, where none is found, this node
// (cluster.Survey).
type Survey = cluster.Survey

// Compact says when the log is cut (cluster.Compact); zero fields take the defaults.
type Compact = cluster.Compact

// A Node is one member, or one that may become one.
type Node struct {
	config Config
	audit  *audit.Log
	counts *vault.Counts
	nonces nonces
	relays relays

	rewraps rewraps

	disks atomic.Pointer[disks] // as they were looked at last

	schedule *schedule.Schedule // of snapshots

	mu       latch.Latch // held through init, unseal, seal and join: one at a time
	ceremony *seal.Ceremony
	joining  *joining // nil unless this node waits for shares to answer a challenge

	member atomic.Pointer[member]
	keys   atomic.Pointer[keys]       // changes under keysMu
	status atomic.Pointer[SealStatus] // what the last transition left

	keysMu  sync.Mutex // never held over a call to others
	opening *opening   // guarded by keysMu; nil unless a root key waits for the keyring

	held           atomic.Bool     // an operator keeps it sealed; changes under mu
	unattended     context.Context // ends when this node does not try to unseal itself any more
	stopUnattended context.CancelFunc

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	failOnce sync.Once
	failed   chan struct{}
	failErr  error
}

// Harden switches core dumps off and makes the process non-dumpable; the program calls it before
// anything else.
func Harden() error { return seal.Harden() }

// Protected says whether this build erases key material from memory (GOEXPERIMENT=runtimesecret).
func Protected() bool { return seal.Protected() }

// Open starts a node on its folder: uninitialised, or sealed and taking part in Raft.
func Open(config Config) (*Node, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Release == (release.Release{}) {
		config.Release = release.Own(config.Version)
	}
	if config.Free == nil {
		config.Free = space.Free
	}
	if config.Dial == nil {
		config.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	log, err := openAudit(config)
	if err != nil {
		return nil, err
	}
	n := &Node{mu: latch.New(), config: config, audit: log, counts: vault.NewCounts(),
		nonces: newNonces(), relays: newRelays(), failed: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.schedule = &schedule.Schedule{Now: config.Now, Logger: config.Logger.Named("snapshots")}
	n.schedule.Change(config.Snapshots)
	n.unattended, n.stopUnattended = context.WithCancel(n.ctx)
	n.lookAtDisks()
	if err := n.openExisting(); err != nil {
		n.cancel()
		log.Close()
		return nil, err
	}
	n.wg.Go(n.watchUsageLog)
	n.wg.Go(n.watchDisks)
	return n, nil
}

// openExisting opens the member's folder, if there is one. A folder that can't be looked at is not
// one that is missing.
func (n *Node) openExisting() error {
	_, err := os.Stat(n.memberDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return n.openMember()
}

// Close hands leadership over if it can within ctx, and stops everything.
func (n *Node) Close(ctx context.Context) error {
	n.cancel() // first: whoever holds mu may be waiting for others
	n.mu.Lock()
	n.dropKeys()
	m := n.member.Swap(nil)
	n.mu.Unlock() // what still runs may want it before it ends
	var err error
	if m != nil {
		m.cluster.Close(ctx)
		err = m.store.Close()
	} else if n.config.ClusterListener != nil {
		n.config.ClusterListener.Close()
	}
	n.wg.Wait()
	return errors.Join(err, n.audit.Close())
}

// Failed is closed when the node must end its process; Err says why.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err is the reason after Failed.
func (n *Node) Err() error { <-n.failed; return n.failErr }

func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		n.failErr = err
		close(n.failed)
	})
}

// absent says why there is no member.
func (n *Node) absent() error {
	if n.SealStatus().Joining {
		return ErrJoining
	}
	return ErrUninitialized
}

// Vaults returns the domain, or the error that says why this node can't serve: ErrUninitialized,
// ErrSealed.
func (n *Node) Vaults() (*vault.Vaults, error) {
	if k := n.keys.Load(); k != nil {
		return k.vaults, nil
	}
	if n.member.Load() == nil {
		return nil, n.absent()
	}
	return nil, ErrSealed
}

// Wait returns when this node has applied index (decision 3, X-Vault-Index).
func (n *Node) Wait(ctx context.Context, index uint64) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	return m.cluster.Wait(ctx, index)
}

func (n *Node) memberDir() string { return memberDir(n.config.Dir) }

// memberDir is the folder of the member in a node's data folder.
func memberDir(data string) string { return filepath.Join(data, "cluster") }

// keys are what an unsealed node has. They go together.
type keys struct {
	root    *seal.Root
	keyring *seal.Keyring
	vaults  *vault.Vaults
	working context.Context // of background work; ends with the keys
	stop    context.CancelFunc

	refreshing sync.Mutex // held while the keyring is taken over from the state
	wrapped    uint64     // mod index of the record that it came from
	made       *seal.Root // made here, of shares that may be in force soon; nil: none
	handed     handed
	rootless   atomic.Bool // nobody has told it the root key of newer shares yet

	outdated   context.CancelCauseFunc // ends the opening of these keys: their shares are older ones
	ceremonies ceremonies
}

func (k *keys) close() {
	k.stop() // ends what a ceremony waits for
	k.vaults.Close()
	seal.CloseBoth(k.root, k.keyring)
	k.ceremonies.drop() // last: it waits for a call that may hang in a disk
}

func (n *Node) logger() hclog.Logger { return n.config.Logger }

// timing in the cluster's words.
func (t Timing) cluster() cluster.Timing {
	return cluster.Timing{Heartbeat: t.Heartbeat, Election: t.Election, LeaderLease: t.LeaderLease,
		Commit: t.Commit}
}
