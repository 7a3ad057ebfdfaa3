package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"keyquorum/audit"
	"keyquorum/cluster"
	"keyquorum/storage"
	"keyquorum/vault"
)

// A Peer is a member of the committed configuration, and what is known of it (cluster.Member).
type Peer = cluster.Member

// Peers lists the committed configuration and its index. It answers from memory.
func (n *Node) Peers() (peers []Peer, index uint64, err error) {
	m := n.member.Load()
	if m == nil {
		return nil, 0, n.absent()
	}
	peers, index = m.cluster.Members()
	return peers, index, nil
}

// A PeerError says what is wrong with what was asked about a peer.
type PeerError struct{ text string }

func (e *PeerError) Error() string { return e.text }

// RemovePeer marks a node dead for ever and removes it; who names it by its id, or by its label
// where only one has that. It refuses, with a *PeerError, to remove the last voter, or one
// without which the voters that answer are no majority; force lifts the second.
func (n *Node) RemovePeer(ctx context.Context, who string, force bool) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	p, err := m.peer(ctx, who)
	if err != nil {
		return err
	}
	if p.ID == m.identity.NodeID {
		return &PeerError{"a node does not remove itself: ask another node"}
	}
	judged := m.cluster.View().Members()
	if err := m.dispensable(ctx, p, force); err != nil {
		return err
	}
	return m.cluster.Remove(ctx, p.ID, judged)
}

// peer finds the peer that is called so. What the others are called gossip may not have brought:
// then they are asked.
func (m *member) peer(ctx context.Context, who string) (Peer, error) {
	peers, _ := m.cluster.Members()
	at, err := peerCalled(peers, who)
	if err != nil {
		peers = m.cluster.Survey(ctx).Members
		at, err = peerCalled(peers, who)
	}
	if err != nil {
		return Peer{}, err
	}
	return peers[at], nil
}

// peerCalled finds the peer that has this id, or alone has this label.
func peerCalled(peers []Peer, who string) (at int, err error) {
	at = -1
	names, several := make([]string, len(peers)), false
	for i, p := range peers {
		label := p.Status.About.Label
		names[i] = cluster.Named(label, p.ID)
		if p.ID == who {
			return i, nil
		}
		if label == who && who != "" {
			several = at >= 0
			at = i
		}
	}
	all := strings.Join(names, ", ")
	if several {
		return -1, &PeerError{fmt.Sprintf("several servers are called %q: name one by its id; "+
			"the servers are %s", who, all)}
	}
	if at < 0 {
		return -1, &PeerError{fmt.Sprintf("server %q is not in the configuration; its servers are %s",
			who, all)}
	}
	return at, nil
}

// dispensable refuses to go on without a peer's vote where nobody else has one, or where the voters
// that are left and answer are no majority; force lifts the second.
func (m *member) dispensable(ctx context.Context, p Peer, force bool) error {
	if !p.Voter {
		return nil
	}
	voters, answer := m.cluster.VotersWithout(ctx, p.ID)
	if voters == 0 {
		return &PeerError{"the last voter can't be removed, nor lose its vote"}
	}
	if !force && answer < voters/2+1 {
		return &PeerError{fmt.Sprintf("without it only %d of %d voters answer, which is no majority; "+
			"use force if you are sure", answer, voters)}
	}
	return nil
}

// Leader describes who leads, as far as this node knows.
type Leader struct {
	Known              bool
	IsSelf             bool
	ID                 string
	APIAddr            string // "" when it could not be learnt
	ClusterAddr        string
	Since              time.Time // when this node began to lead; zero on others
	Committed, Applied uint64
}

// Leader asks the leader for its API address when gossip has not brought it, for a second at most.
func (n *Node) Leader(ctx context.Context) Leader {
	m := n.member.Load()
	if m == nil {
		return Leader{}
	}
	s := m.cluster.Standing()
	l := Leader{
		Known: s.Leader != "", IsSelf: s.Leads, ID: s.Leader, Since: s.Since,
		Committed: s.Committed, Applied: s.Applied,
	}
	peers, _, _ := n.Peers()
	for _, p := range peers {
		if p.ID == s.Leader {
			l.APIAddr, l.ClusterAddr = p.Status.About.API, p.Address
		}
	}
	if l.Known && l.APIAddr == "" {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if about, err := m.cluster.LeaderAbout(ctx); err == nil {
			l.APIAddr = about.API
		}
	}
	return l
}

// Health is answered from memory, without asking anyone.
type Health struct {
	Initialized, Sealed, Leader, Removed bool
	Unfit                                bool  // it serves nobody: SealStatus says why
	Trouble                              bool  // its disk or its usage log would fail requests
	NoRoom                               error // it decides no writes: ErrNoRoomHere, ErrNoRoom or nil
	OutOfTouch                           bool  // no leader answers it
	ClusterID                            string
	Now                                  time.Time
}

// Health never waits.
func (n *Node) Health() Health {
	h := Health{Sealed: n.keys.Load() == nil, Now: n.config.Now()}
	if m := n.member.Load(); m != nil {
		h.Initialized, h.ClusterID = true, m.identity.ClusterID
		h.Leader, h.Removed = m.cluster.Standing().Leads, m.cluster.Removed()
		h.Unfit, h.Trouble = m.cluster.Unfit() != nil, m.cluster.InTrouble() != nil
		h.OutOfTouch = m.cluster.OutOfTouch()
		h.NoRoom = m.cluster.NoRoom()
	}
	return h
}

// Region is where this node stands, "" where nobody said.
func (n *Node) Region() string { return n.config.Region }

// Survey looks at all members, for a few seconds at most.
func (n *Node) Survey(ctx context.Context) (Survey, error) {
	m := n.member.Load()
	if m == nil {
		return Survey{}, n.absent()
	}
	return m.cluster.Survey(ctx), nil
}

// A State names what a member holds: nodes with the same digest at the same index hold the same,
// byte for byte (I9).
type State struct {
	NodeID            string
	Index, Generation uint64
	Digest            [32]byte
}

// ErrForgotten: the node no longer has the digest at that index; it keeps some 4,000 of the newest.
var ErrForgotten = errors.New(
	"node: the digest at that index is no longer kept: ask for a newer one")

// State tells what this node holds after the entry at index, as soon as it has applied it, or now
// where index is 0.
func (n *Node) State(ctx context.Context, index uint64) (State, error) {
	m := n.member.Load()
	if m == nil {
		return State{}, n.absent()
	}
	view := m.cluster.View()
	s := State{NodeID: m.identity.NodeID}
	s.Index, s.Generation, s.Digest = view.Index(), view.Generation(), view.Digest()
	if index == 0 {
		return s, nil
	}
	digest, known, err := m.cluster.DigestAt(ctx, index)
	if err == nil && !known {
		err = ErrForgotten
	}
	s.Index, s.Generation, s.Digest = index, m.cluster.View().Generation(), digest
	return s, err
}

// StepDown asks the leader to hand leadership over.
func (n *Node) StepDown(ctx context.Context) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	return m.cluster.StepDown(ctx)
}

// Disk counts what the member's store has done since the node was opened; it is zero without data.
func (n *Node) Disk() storage.Stats {
	m := n.member.Load()
	if m == nil {
		return storage.Stats{}
	}
	return m.store.Stats()
}

// Figures are what a node has counted since it was opened, and where it stands.
type Figures struct {
	Initialized, Sealed bool
	Crypto              []vault.CryptoCount
	Unrecorded          uint64 // refusals without a usage record: more came than may be recorded
	Usage               audit.Stats
	UsageTrouble        bool // the usage log can't be written now
	Disks               Disks
	NoRoom              bool           // it decides no writes
	Resealed            uint64         // records, under a newer term of the keyring, by this node
	ResealLeft          int64          // as it saw as the leader last
	Cluster             *cluster.Stats // nil without data
	Disk                storage.Stats
	Scheduled           []Scheduled // of the leader
}

// Figures never waits, and asks nobody.
func (n *Node) Figures() Figures {
	f := Figures{
		Sealed: n.keys.Load() == nil, Crypto: n.counts.Crypto(), Unrecorded: n.counts.Unrecorded(),
		Usage: n.audit.Stats(), UsageTrouble: n.audit.Trouble() != nil, Disk: n.Disk(),
		Disks: n.disks.Load().Disks, NoRoom: n.short() != nil, Scheduled: n.Scheduled(),
		Resealed: n.rewraps.records.Load(), ResealLeft: max(n.rewraps.left.Load(), 0),
	}
	if m := n.member.Load(); m != nil {
		stats := m.cluster.Stats()
		f.Initialized, f.Cluster, f.NoRoom = true, &stats, m.cluster.NoRoom() != nil
	}
	return f
}
