package cluster

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"keyquorum/cluster/gossip"
	"keyquorum/cluster/identity"
	"keyquorum/cluster/lease"
	"keyquorum/fsm"
	"keyquorum/internal/release"
	"keyquorum/storage"
)

// Config is what a member needs. Store, Identity, Listener, Dial, Address and Logger are required.
type Config struct {
	Store    *storage.Store
	Identity identity.Identity
	Listener net.Listener // of the cluster port, plain TCP; closed by Close
	Dial     func(ctx context.Context, addr string) (net.Conn, error)
	Address  string        // of the cluster port, host:port, as others reach it
	Gossip   gossip.Config // an empty Advertise is Bind
	About    About
	Release  release.Release // of this node's program; zero: the one that this code is
	Timing   Timing
	Leases   Leases
	Compact  Compact
	Logger   hclog.Logger
	Now      func() time.Time // wall clock, for the skew that a survey shows; nil: time.Now
	// Trouble says why this node, though a member in good order, had better not lead; nil: it never
	// has any. It must not wait.
	Trouble func() error
	// Short says why this node has too little disk space left to decide writes, though it answers
	// reads; nil: it never has. It must not wait.
	Short func() error
	// PlaceLeader has this node, when it leads, hand over to a voter from which writes cost clearly
	// less.
	PlaceLeader bool
	// Trust is what this member remembers; Remember has its folder remember more. Without one nothing
	// is kept.
	Trust    Trust
	Remember func(Trust) error
	// CertifyFor makes a certificate of the generation that a view wants, for a node's key
	// (PKCS#10). It is asked while this member is unsealed; nil: it certifies nobody.
	CertifyFor func(view fsm.View, nodeID string, request []byte) ([]byte, error)
	// HandRootKey seals the root key for an unsealed member that asks, which is late if its
	// transaction key has a successor. Its error says that this member has none for it, and nothing
	// else to the asker; nil: it has none for anybody.
	HandRootKey func(nodeID string, r RootKeyRequest) (sealed []byte, late bool, err error)
	// SealedUnder says under which term of the keyring a write is sealed, if it is; nil: none is.
	SealedUnder func(w fsm.Write) (term uint32, sealed bool)
	Relays      Relays // of unseal shares; zero: it takes and gives none
	// Diverged is called when this node was found to hold another state than the majority, and when
	// it found that it is not what it was (outcast.go): once for each. It answers nothing from then
	// on. Who takes no part since an earlier start is not told again.
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

// Timing of Raft. A zero field takes its LAN default. Heartbeat is what followers agree by; an
// Election of less than half as long again is that.
type Timing struct{ Heartbeat, Election, LeaderLease, Commit time.Duration }

// Leases: with Off this member asks for none, so each of its reads asks the leader. Clock is the
// lease clock, of which only the rate counts; nil is the time since the machine started
// (CLOCK_BOOTTIME).
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
	Weight int64 // bytes of log, and of state, below which no snapshot is worth its writing; 16 MiB
	// Entries stay behind a snapshot at least, for followers that are a little late; 256.
	Entries uint64
	// Scrub is after how long the folder is rid of what was deleted; some members take up to a
	// minute longer; 4 minutes.
	Scrub time.Duration
}

// Defaults for a LAN (decision 12): heartbeat and election follow the round trips from there.
var lan = Timing{
	Heartbeat: 500 * time.Millisecond, Election: 500 * time.Millisecond,
	LeaderLease: 500 * time.Millisecond, Commit: 50 * time.Millisecond,
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
