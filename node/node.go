// Package node is one node assembled, and what it does as a whole: init, unseal, seal, join, step down, status.
package node

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/audit"
	"keyquorum/seal"
	"keyquorum/vault"
)

// Config has the seams of a node. The API listener is the caller's: a node knows no HTTP.
type Config struct {
	Dir             string       // data folder
	Label           string       // node_id of the configuration, shown to people
	APIAddr         string       // advertised, "https://host:port"
	ClusterAddr     string       // advertised host:port of the cluster port
	ClusterListener net.Listener // plain TCP; the node puts TLS on it. The node closes it.
	Dial            func(ctx context.Context, addr string) (net.Conn, error)
	Gossip          GossipConfig
	Audit           audit.Sink       // nil: Dir/audit.log
	Now             func() time.Time // wall clock; nil: time.Now
	Logger          hclog.Logger
	Timing          Timing // zero: LAN defaults
	Version         string
}

// GossipConfig: an empty Bind switches gossip off.
type GossipConfig struct{ Bind, Advertise string }

// Timing of Raft; zero fields take the LAN defaults.
type Timing struct{ Heartbeat, Election, LeaderLease, Commit time.Duration }

// A Node is one member, or one that may become one.
type Node struct{}

// Open starts a node on its folder: uninitialised, or sealed and taking part in Raft.
func Open(Config) (*Node, error) { panic("not built yet") }

// Close hands leadership over if it can within ctx, and stops everything.
func (n *Node) Close(ctx context.Context) error { panic("not built yet") }

// Failed is closed when the node must end its process; Err says why.
func (n *Node) Failed() <-chan struct{} { panic("not built yet") }
func (n *Node) Err() error              { panic("not built yet") }

// Vaults returns the domain, or the error that says why this node can't serve (uninitialised, sealed, diverged).
func (n *Node) Vaults() (*vault.Vaults, error) { panic("not built yet") }

// InitResult is shown once.
type InitResult struct {
	Shares    []seal.Plaintext // 33 bytes each
	RootToken seal.Plaintext
}

// Init makes a cluster of this node. Concurrent calls: one wins, the others get ErrInitialized.
func (n *Node) Init(ctx context.Context, shares, threshold int) (InitResult, error) {
	panic("not built yet")
}

// SealStatus is the state of the seal on this node.
type SealStatus struct {
	Initialized, Sealed bool
	Joining             bool // shares given now answer a join challenge
	Threshold, Shares   int
	Progress            int
	Nonce               string
	ClusterID           string
	Version             string
}

func (n *Node) SealStatus() SealStatus { panic("not built yet") }

// Unseal takes one share. Wrong ones are refused by name (seal.Err…) and progress stays.
func (n *Node) Unseal(ctx context.Context, share seal.Plaintext) (SealStatus, error) {
	panic("not built yet")
}
func (n *Node) ResetUnseal() (SealStatus, error) { panic("not built yet") }

// Seal drops every key of this node.
func (n *Node) Seal(ctx context.Context) error { panic("not built yet") }

// StepDown asks the leader to hand leadership over.
func (n *Node) StepDown(ctx context.Context) error { panic("not built yet") }

// A JoinRequest names any unsealed node of the cluster to join.
type JoinRequest struct {
	LeaderAPI  string // https://host:port
	CACert     []byte // PEM, to trust instead of the system's roots
	ServerName string
	NonVoter   bool
	Retry      bool
}

// Challenger speaks the two join calls to a node of the cluster; httpapi implements it over HTTPS.
type Challenger interface {
	Challenge(ctx context.Context, serverID string) (Challenge, error)
	Answer(ctx context.Context, a Answer) (Admission, error)
}

// Challenge, Answer, Admission: decision 17.
type Challenge struct {
	SealRecord []byte
	Nonce      []byte
}
type Answer struct {
	ServerID    string
	Nonce       []byte
	MAC         []byte
	CSR         []byte // DER
	ClusterAddr string
	APIAddr     string
	Label       string
	NonVoter    bool
}
type Admission struct {
	Certificate []byte // DER
	CA          []byte // DER
	GossipKey   []byte
	Peers       []Peer
}

// A Peer is a member of the committed Raft configuration, with what gossip says of it where it says anything.
type Peer struct {
	ID, Address string
	Voter       bool
	Leader      bool
	Label       string // columns from gossip: may be empty
	APIAddr     string
	Version     string
	Sealed      *bool
	Applied     uint64
}

// Join makes the (uninitialised) node collect shares to answer the challenge of the cluster behind ch.
// On a member it does nothing and returns nil.
func (n *Node) Join(ctx context.Context, ch Challenger, nonVoter bool) error { panic("not built yet") }

// MakeChallenge and AdmitAnswer serve the two calls on an unsealed member.
func (n *Node) MakeChallenge(serverID string) (Challenge, error)             { panic("not built yet") }
func (n *Node) AdmitAnswer(ctx context.Context, a Answer) (Admission, error) { panic("not built yet") }

// Peers lists the committed configuration; RemovePeer marks an id dead for ever and removes it.
func (n *Node) Peers() (peers []Peer, index uint64, err error)              { panic("not built yet") }
func (n *Node) RemovePeer(ctx context.Context, id string, force bool) error { panic("not built yet") }

// Leader describes who leads, as far as this node knows.
type Leader struct {
	Known              bool
	IsSelf             bool
	ID                 string
	APIAddr            string // from gossip or the leader itself; may be empty
	ClusterAddr        string
	Since              time.Time // when this node began to lead; zero on others
	Committed, Applied uint64
}

func (n *Node) Leader() Leader { panic("not built yet") }

// Health is answered from memory, without asking anyone.
type Health struct {
	Initialized, Sealed, Leader, Removed bool
	ClusterID                            string
	Now                                  time.Time
}

func (n *Node) Health() Health { panic("not built yet") }
