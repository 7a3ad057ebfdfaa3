package testcluster

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// A peer speaks Raft's protocol with nodes, by the library's own transport.
type peer struct{ *raft.NetworkTransport }

func newPeer(dial dialler) *peer {
	return &peer{raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  &askingOnly{dial: dial, done: make(chan struct{})},
		MaxPool: 1, Timeout: 3 * time.Second, Logger: hclog.NewNullLogger(),
	})}
}

func (p *peer) close() {
	p.CloseStreams()
	p.Close()
}

// askingOnly is a raft.StreamLayer to which nobody connects.
type askingOnly struct {
	dial dialler
	done chan struct{}
	once sync.Once
}

func (s *askingOnly) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	node, err := nodeOf(string(to))
	if err != nil {
		return nil, err
	}
	return s.dial(ctx, node, protocolRaft)
}

func (s *askingOnly) Accept() (net.Conn, error) { <-s.done; return nil, net.ErrClosed }
func (s *askingOnly) Close() error              { s.once.Do(func() { close(s.done) }); return nil }
func (s *askingOnly) Addr() net.Addr            { return &net.UnixAddr{Name: "thief"} }

// again asks once more where the connection that was kept had lost its other end.
func again(ask func() error) error {
	if err := ask(); err == nil {
		return nil
	}
	return ask()
}

// SaysItIs is how a request of Raft's names its sender.
func SaysItIs(id string) raft.RPCHeader {
	name := []byte(id)
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: name, Addr: name}
}

// to is a node as the transport knows it.
func to(node int) (raft.ServerID, raft.ServerAddress) {
	return raft.ServerID(nodeName(node)), raft.ServerAddress(nodeName(node))
}

// AskVote asks a node for its vote. A request without a header has the thief's own name.
func (t *Thief) AskVote(node int, r raft.RequestVoteRequest) (granted bool, err error) {
	var answer raft.RequestVoteResponse
	if r.ID == nil {
		r.RPCHeader = SaysItIs(t.ID)
	}
	id, address := to(node)
	err = again(func() error { return t.peer.RequestVote(id, address, &r, &answer) })
	return answer.Granted, err
}

// AskPreVote asks a node whether it would give its vote.
func (t *Thief) AskPreVote(node int, r raft.RequestPreVoteRequest) (granted bool, err error) {
	var answer raft.RequestPreVoteResponse
	if r.ID == nil {
		r.RPCHeader = SaysItIs(t.ID)
	}
	id, address := to(node)
	err = again(func() error { return t.peer.RequestPreVote(id, address, &r, &answer) })
	return answer.Granted, err
}

// Append sends a node entries, as a leader does.
func (t *Thief) Append(node int, r raft.AppendEntriesRequest) (obeyed bool, err error) {
	var answer raft.AppendEntriesResponse
	if r.ID == nil {
		r.RPCHeader = SaysItIs(t.ID)
	}
	id, address := to(node)
	err = again(func() error { return t.peer.AppendEntries(id, address, &r, &answer) })
	return answer.Success, err
}

// Install sends a node a snapshot, as a leader does.
func (t *Thief) Install(
	node int, r raft.InstallSnapshotRequest, state []byte,
) (taken bool, err error) {
	if r.ID == nil {
		r.RPCHeader, r.Leader = SaysItIs(t.ID), []byte(t.ID)
	}
	if r.Size == 0 {
		r.Size = int64(len(state))
	}
	r.SnapshotVersion = raft.SnapshotVersionMax
	var answer raft.InstallSnapshotResponse
	id, address := to(node)
	err = t.peer.InstallSnapshot(id, address, &r, &answer, bytes.NewReader(state))
	return answer.Success, err
}

// Stand tells a node to stand for election, as a leader that hands its office over does.
func (t *Thief) Stand(node int) error {
	id, address := to(node)
	r, answer := raft.TimeoutNowRequest{RPCHeader: SaysItIs(t.ID)}, raft.TimeoutNowResponse{}
	return again(func() error { return t.peer.TimeoutNow(id, address, &r, &answer) })
}

// A Claim is a term in which the thief behaves as its leader, and where the others' logs end.
type Claim struct {
	Term, Last, LastTerm uint64
	Votes                int    // of the others
	As                   string // the name that he gives; "": his own
	Modest               bool   // he says of nothing that it is committed
	thief                *Thief
}

// errSilent says that nobody told the thief where logs end.
var errSilent = errors.New("testcluster: no node tells how far its log goes")

// Current is the newest term of the others, and where their logs end.
func (t *Thief) Current() (*Claim, error) {
	claim := &Claim{thief: t}
	for _, node := range t.Others() {
		var s Silence
		if t.Call(node, "/v1/silence", &s) == nil {
			claim.Term = max(claim.Term, s.Term)
			if s.Last >= claim.Last {
				claim.Last, claim.LastTerm = s.Last, s.LastTerm
			}
		}
	}
	if claim.Last == 0 {
		return nil, errSilent
	}
	return claim, nil
}

// Claim has the thief stand in the term after the newest, with a log position that nobody has
// reached. Won or lost, he may go on as if he led.
func (t *Thief) Claim() (*Claim, error) {
	claim, err := t.Current()
	if err != nil {
		return nil, err
	}
	claim.Term++
	for _, node := range t.Others() {
		granted, err := t.AskVote(node, raft.RequestVoteRequest{
			Term: claim.Term, Candidate: []byte(t.ID), LeadershipTransfer: true,
			LastLogIndex: claim.Last + 1<<40, LastLogTerm: claim.Term,
		})
		if err == nil && granted {
			claim.Votes++
		}
	}
	return claim, nil
}

// Of is the same claim, of another thief.
func (c Claim) Of(other *Thief) *Claim {
	c.thief = other
	return &c
}

// Entries numbers entries behind the others' last one.
func (c *Claim) Entries(entries ...raft.Log) []*raft.Log {
	list := make([]*raft.Log, len(entries))
	for i := range entries {
		e := entries[i]
		e.Index = c.Last + uint64(i) + 1
		if e.Term == 0 {
			e.Term = c.Term
		}
		list[i] = &e
	}
	return list
}

// Order has all others append entries behind their last one, and commit them. It returns who did.
func (c *Claim) Order(entries ...raft.Log) (obeyed []int) {
	return c.Send(c.Entries(entries...))
}

// Send sends entries to all others, as those that follow their last one. It returns who said yes.
func (c *Claim) Send(list []*raft.Log) (obeyed []int) {
	r := raft.AppendEntriesRequest{
		Term: c.Term, PrevLogEntry: c.Last, PrevLogTerm: c.LastTerm, Entries: list,
		LeaderCommitIndex: c.Last + uint64(len(list)),
	}
	if c.Modest {
		r.LeaderCommitIndex = 0
	}
	if c.As != "" {
		r.RPCHeader = SaysItIs(c.As)
	}
	for _, node := range c.thief.Others() {
		if yes, err := c.thief.Append(node, r); err == nil && yes {
			obeyed = append(obeyed, node)
		}
	}
	return obeyed
}

// Install has all others take a snapshot, as of the thief's term. It returns who did.
func (c *Claim) Install(meta raft.SnapshotMeta, state []byte) (obeyed []int) {
	r := raft.InstallSnapshotRequest{
		Term: c.Term, LastLogIndex: meta.Index, LastLogTerm: meta.Term,
		Configuration:      raft.EncodeConfiguration(meta.Configuration),
		ConfigurationIndex: meta.ConfigurationIndex,
	}
	for _, node := range c.thief.Others() {
		if taken, err := c.thief.Install(node, r, state); err == nil && taken {
			obeyed = append(obeyed, node)
		}
	}
	return obeyed
}
