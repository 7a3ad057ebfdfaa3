package node

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"keyquorum/cluster"
	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/storage"
)

// Challenger speaks the two join calls to a node of the cluster; httpapi implements it over HTTPS.
type Challenger interface {
	Challenge(ctx context.Context, serverID string) (Challenge, error)
	Answer(ctx context.Context, a Answer) (Admission, error)
}

// A Challenge is the seal's lock and a nonce. Strangers get it: the lock is good for checking
// shares, and for nothing else (decision 17).
type Challenge struct {
	Lock    []byte
	Nonce   []byte
	Version string // of the member's program; "" from one that doesn't tell, and takes no label
}

// An Answer proves, by MAC, that shares were given at the joiner.
type Answer struct {
	ServerID    string // 32 hex digits
	Nonce       []byte
	MAC         []byte
	CSR         []byte // PKCS#10, DER
	ClusterAddr string
	Label       string // for people; "" is told to nobody
}

// An Admission is what makes a node a member. Whom to talk to it learns from Raft's log.
type Admission struct {
	Certificate []byte // DER
	CA          []byte // the authorities' certificates, newest first, DER, one after the other
	GossipKey   []byte // those of now, one after the other, masked
	SealRecord  []byte
	Trust       []byte // what the joiner's folder trusts for a start: the cluster's to say
	Proof       []byte // of all above, by a node that was given this cluster's shares
}

// ErrInvalidAnswer: the joiner did not prove that it was given the unseal key.
var ErrInvalidAnswer = errors.New("node: invalid answer given")

// ErrJoinAgain: whoever answers now is of another cluster, or the shares that were given to the
// joiner are older than the cluster's of now.
var ErrJoinAgain = &PeerError{"the one that answers now has another seal than the one that was " +
	"asked to join: its shares were changed meanwhile, or it is of another cluster. Join again " +
	"(keyquorum operator raft join; with retry_join the node does so by itself within ten seconds), " +
	"and give the shares that are good there"}

// ErrNotAdmitted: the member that was asked has refused the joiner, and nothing came of it. A
// Challenger gives it where that is sure.
var ErrNotAdmitted = errors.New("node: not admitted")

// ErrIDRemoved: a node of that id was removed. A Challenger gives it where a member has said so.
var ErrIDRemoved = cluster.ErrIDRemoved

// joining is a node that collects shares to answer a challenge.
type joining struct {
	challenger Challenger
	configured bool // the challenger is the configuration's
	lock       seal.Lock
	nodeID     string
	nonVoter   bool
}

// ErrConfigured: a join was asked for to another cluster than the one that the configuration has
// found.
var ErrConfigured = &PeerError{"this node has found its cluster at the places that its " +
	"configuration names in retry_join, and joins no other: change the configuration, and start the " +
	"node again"}

// ErrConfiguredShares: a join was asked for to the cluster that the configuration has found, with
// other shares than were found there.
var ErrConfiguredShares = &PeerError{"this node has found this cluster at the places that its " +
	"configuration names in retry_join, but with other unseal shares than the member that was named " +
	"now tells of. It looks there again within ten seconds, and takes the newer ones by itself: " +
	"give it those then"}

// ErrConfiguredVote: a join without a vote was asked for, and the configuration has found the same
// cluster and wants a vote.
var ErrConfiguredVote = &PeerError{"this node has found its cluster at the places that its " +
	"configuration names in retry_join, and the configuration says whether it votes: set " +
	"retry_join_as_non_voter there and start the node again, or take its vote away when it is a " +
	"member (keyquorum operator raft demote)"}

// Join makes this node, which has no data, collect shares to answer the challenge of the cluster
// behind ch. On a member it does nothing and returns nil. Called again before the shares are
// complete, it goes on with those that were given, if they open that cluster too, and begins anew
// otherwise. Anybody can ask for it, so it changes nothing of a join that the
// configuration has begun. ErrConfigured, ErrConfiguredShares, ErrConfiguredVote.
func (n *Node) Join(ctx context.Context, ch Challenger, nonVoter bool) error {
	return n.join(ctx, &joining{challenger: ch, nonVoter: nonVoter})
}

// JoinConfigured is Join for the configuration. It goes before what was asked for: a join to
// another cluster ends, whoever was first. One to the same goes on, without a vote if that was
// asked for. Repeated, it follows its cluster to newer shares. To anything else it leads a node
// only while that was given none.
func (n *Node) JoinConfigured(ctx context.Context, ch Challenger, nonVoter bool) error {
	return n.join(ctx, &joining{challenger: ch, configured: true, nonVoter: nonVoter})
}

// join asks for the challenge, and collects shares for it if the join under way lets it.
func (n *Node) join(ctx context.Context, j *joining) error {
	if n.keys.Load() != nil {
		return ErrUnsealed
	}
	if n.member.Load() != nil {
		return nil
	}
	if err := errors.Join(n.reachable(), n.short()); err != nil {
		return err
	}
	// It is for its lock. The nonce is good for nothing.
	challenge, err := j.challenger.Challenge(ctx, newNodeID())
	if err != nil {
		return fmt.Errorf("node: join: %w", err)
	}
	if j.lock, err = seal.DecodeLock(challenge.Lock); err != nil {
		return fmt.Errorf("node: join: the challenge: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return errClosed
	}
	if n.member.Load() != nil { // an init, or a join, was faster
		return nil
	}
	if goesOn, err := n.goesOnLocked(j); goesOn || err != nil {
		return err
	}
	kept, err := n.pending() // now: an answer that was lost may have left one a moment ago
	if err != nil {
		return err
	}
	j.nodeID = kept.idFor(j.lock.ClusterID)
	n.joining, n.ceremony = j, seal.NewLockCeremony(j.lock)
	n.noteLocked()
	return nil
}

// goesOnLocked says whether the join under way goes on where another one, next, is about to begin.
func (n *Node) goesOnLocked(next *joining) (bool, error) {
	now := n.joining
	switch {
	case now == nil:
		return false, nil
	case now.lock == next.lock: // the shares that were given are good for both
		return true, now.meet(next)
	case !now.configured && !next.configured:
		return false, nil
	case !next.configured && now.lock.ClusterID == next.lock.ClusterID:
		return false, ErrConfiguredShares
	case !next.configured:
		return false, ErrConfigured
	case !now.configured || n.ceremony.Progress() == 0:
		return false, nil
	case !renews(next.lock, now.lock):
		return true, nil
	}
	n.logger().Warn("the unseal shares of the cluster that this node joins were changed, and those " +
		"that it was given are forgotten: give it the new ones")
	return false, nil
}

// renews says whether a lock makes the shares of another useless. One of an older generation does
// not: a member that is late still has it. Nor does that of another cluster.
func renews(lock, other seal.Lock) bool {
	return lock.ClusterID == other.ClusterID && lock.Generation >= other.Generation
}

// meet has a join go on where another one to the same shares is about to begin.
func (j *joining) meet(next *joining) error {
	switch {
	case next.configured:
		j.challenger, j.configured = next.challenger, true
		j.nonVoter = j.nonVoter || next.nonVoter
	case !j.configured: // the last word holds
		j.challenger, j.nonVoter = next.challenger, next.nonVoter
	case next.nonVoter && !j.nonVoter:
		return ErrConfiguredVote
	}
	return nil
}

// ErrOtherCluster: the node holds the data of another cluster than the one that it is to join.
var ErrOtherCluster = errors.New("node: this node is a member of another cluster already: " +
	"to have it join, stop it, move its data folder away, start it, and make it join")

// JoinedAlready says, with nil, that this member belongs to the cluster behind ch. It changes
// nothing.
func (n *Node) JoinedAlready(ctx context.Context, ch Challenger) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	if why := m.cluster.Unfit(); why != nil {
		return &PeerError{why.Error()}
	}
	challenge, err := ch.Challenge(ctx, m.identity.NodeID)
	if errors.Is(err, ErrIDRemoved) { // which this one may not have heard
		return &PeerError{cluster.ErrRemoved.Error()}
	}
	if err != nil {
		return fmt.Errorf("node: join: %w", err)
	}
	lock, err := seal.DecodeLock(challenge.Lock)
	if err != nil {
		return fmt.Errorf("node: join: the challenge: %w", err)
	}
	if hex.EncodeToString(lock.ClusterID[:]) != m.identity.ClusterID {
		return ErrOtherCluster
	}
	return nil
}

// answerLocked proves that shares were given here, makes this node a member with what it is given
// in return, and opens the seal record that is part of it.
func (n *Node) answerLocked(ctx context.Context, opener *seal.Opener) (*seal.Root, error) {
	j := n.joining
	key, csr, err := identity.NewRequest()
	if err != nil {
		return nil, err
	}
	proof, admission, err := n.askAsLocked(ctx, opener, csr)
	if errors.Is(err, ErrIDRemoved) { // its admission has lapsed, or somebody removed it
		j.nodeID = newNodeID()
		proof, admission, err = n.askAsLocked(ctx, opener, csr)
	}
	if errors.Is(err, ErrNotAdmitted) { // under another id it may be
		j.nodeID = newNodeID()
		return nil, errors.Join(err, n.dropPending())
	}
	if err != nil {
		return nil, err
	}
	plain, err := proof.accept(admission)
	if err != nil {
		return nil, err
	}
	gossipKeys, err := splitGossip(plain)
	if err != nil {
		return nil, err
	}
	record, root, err := openAdmitted(opener, admission)
	if err != nil {
		return nil, fmt.Errorf("node: join: the seal record of the admission: %w", err)
	}
	err = n.becomeLocked(newMember{
		manifest: storage.Manifest{ClusterID: proof.clusterID, NodeID: j.nodeID, Voter: !j.nonVoter},
		ca:       admission.CA, certificate: admission.Certificate, key: key,
		gossipKeys: gossipKeys, seal: record, trust: admission.Trust,
	})
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// askAsLocked asks under an id that the folder keeps from before.
func (n *Node) askAsLocked(ctx context.Context, opener *seal.Opener, csr []byte) (joinProof,
	Admission, error) {
	p := pending{hex.EncodeToString(n.joining.lock.ClusterID[:]), n.joining.nodeID}
	if err := n.keepPending(p); err != nil {
		return joinProof{}, Admission{}, err
	}
	return n.askLocked(ctx, opener, csr)
}

// askLocked makes the second join call, over a fresh nonce: people may have taken their time.
func (n *Node) askLocked(ctx context.Context, opener *seal.Opener, csr []byte) (joinProof,
	Admission, error) {
	j := n.joining
	challenge, err := j.challenger.Challenge(ctx, j.nodeID)
	if err != nil {
		return joinProof{}, Admission{}, fmt.Errorf("node: join: %w", err)
	}
	if lock, err := seal.DecodeLock(challenge.Lock); err != nil || lock != j.lock {
		return joinProof{}, Admission{}, ErrJoinAgain
	}
	proof := joinProof{opener, hex.EncodeToString(j.lock.ClusterID[:]), j.nodeID, challenge.Nonce}
	mac, err := proof.answer(csr, n.config.ClusterAddr)
	if err != nil {
		return joinProof{}, Admission{}, err
	}
	a := Answer{ServerID: j.nodeID, Nonce: challenge.Nonce, MAC: mac, CSR: csr,
		ClusterAddr: n.config.ClusterAddr}
	if challenge.Version != "" {
		a.Label = n.config.Label
	}
	admission, err := j.challenger.Answer(ctx, a)
	if err != nil {
		return joinProof{}, Admission{}, fmt.Errorf("node: join: %w", err)
	}
	return proof, admission, nil
}

// openAdmitted opens the seal record that came, which must be the one of the challenge's lock.
func openAdmitted(opener *seal.Opener, a Admission) (seal.Record, *seal.Root, error) {
	record, err := seal.DecodeRecord(a.SealRecord)
	if err != nil {
		return seal.Record{}, nil, err
	}
	root, err := opener.Root(record)
	return record, root, err
}

// becomeLocked writes the member's folder and takes part.
func (n *Node) becomeLocked(m newMember) error {
	id := m.manifest
	_, err := identity.New(id.ClusterID, id.NodeID, m.key, m.certificate, m.ca)
	if err != nil {
		return fmt.Errorf("node: join: %w", err)
	}
	if err := m.create(n.memberDir(), func(*storage.Store) error { return nil }); err != nil {
		return fmt.Errorf("node: join: %w", err)
	}
	n.joining, n.ceremony = nil, nil
	if err := n.openMember(); err != nil {
		n.fail(fmt.Errorf("node: joined, but the member does not start: %w",
			err)) // its folder is there for the next start
		return err
	}
	return nil
}

// MakeChallenge serves the first join call on an unsealed member. It keeps nothing.
func (n *Node) MakeChallenge(serverID string) (Challenge, error) {
	m := n.member.Load()
	if _, err := n.Vaults(); err != nil {
		return Challenge{}, err
	}
	if !isNodeID(serverID) {
		return Challenge{}, errors.New("node: a server id is 32 hex digits")
	}
	if _, removed := m.cluster.View().Get(fsm.RemovedDir + serverID); removed {
		return Challenge{}, ErrIDRemoved
	}
	return Challenge{Lock: m.sealRecord().Lock.Encode(), Nonce: n.nonces.make(serverID, time.Now()),
		Version: n.config.Version}, nil
}

func isNodeID(s string) bool {
	id, err := hex.DecodeString(s)
	return err == nil && len(id) == 16 && hex.EncodeToString(id) == s
}

// nonces makes challenges that need no memory: each is bound to the server id and dated, under a
// key of this process.
type nonces struct{ key [32]byte }

const (
	nonceLife = 2 * time.Minute
	nonceSize = 8 + 16 + sha256.Size // Unix nanoseconds, random, HMAC-SHA-256
)

func newNonces() (n nonces) {
	rand.Read(n.key[:])
	return n
}

func (n *nonces) make(serverID string, now time.Time) []byte {
	nonce := binary.BigEndian.AppendUint64(make([]byte, 0, nonceSize), uint64(now.UnixNano()))
	nonce = nonce[:24]
	rand.Read(nonce[8:])
	return append(nonce, n.mac(serverID, nonce)...)
}

func (n *nonces) valid(serverID string, nonce []byte, now time.Time) bool {
	if len(nonce) != nonceSize || !hmac.Equal(n.mac(serverID, nonce[:24]), nonce[24:]) {
		return false
	}
	age := now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(nonce))))
	return age >= -nonceLife && age < nonceLife
}

func (n *nonces) mac(serverID string, dated []byte) []byte {
	h := hmac.New(sha256.New, n.key[:])
	h.Write(dated)
	h.Write([]byte(serverID))
	return h.Sum(nil)
}
