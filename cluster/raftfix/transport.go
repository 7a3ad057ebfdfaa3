package raftfix

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Config is what a Transport takes of its member. All fields are required.
type Config struct {
	ID      string   // of this node; Raft uses ids as addresses too
	Address net.Addr // where others reach it, for Raft's log
	// Dial opens a connection with the Raft of a node. It ends within some seconds.
	Dial func(ctx context.Context, nodeID string) (net.Conn, error)
	// Timeout bounds a message and its answer.
	Timeout time.Duration
	// Newest is where this node's newest snapshot in place ends; zeros without one.
	Newest func() (index, term uint64)
	// Waiting is for how long a commit to the log has been under way by now; 0 without one.
	Waiting func() time.Duration
	// Believe says why a term that a voter answers with can be nobody's, nil if it may be.
	Believe func(term uint64) error
	// Go runs what ends with the context. The member waits for it.
	Go     func(func())
	Logger hclog.Logger
}

// A Transport brings the messages of a Raft to others, and theirs to it. What comes in the member
// looks at first, and hands over to Forward or Heartbeat.
type Transport struct {
	*raft.NetworkTransport // for what goes out

	config        Config
	ctx           context.Context
	rpcs          chan raft.RPC
	terms         terms
	spares        spares
	announcements announcements // of this node as leader
}

// NewTransport returns one that ends with ctx, and with Close.
func NewTransport(ctx context.Context, config Config) *Transport {
	t := &Transport{
		config: config, ctx: ctx, rpcs: make(chan raft.RPC), spares: newSpares(),
		announcements: announcements{wakes: map[string]chan struct{}{}},
	}
	t.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: byID{},
		Stream:                &stream{t: t, closed: make(chan struct{})},
		MaxPool:               maxPool,
		Timeout:               config.Timeout,
		Logger:                config.Logger,
	})
	return t
}

// Raft is the one that Start started; nil before.
func (t *Transport) Raft() *raft.Raft { return t.terms.raft.Load() }

// Consumer is where Raft takes its requests from.
func (t *Transport) Consumer() <-chan raft.RPC { return t.rpcs }

// Forward brings a request to Raft's main loop, after it was mended. What serves the connection
// that it came over answers for a member that has ended.
func (t *Transport) Forward(rpc raft.RPC) {
	if request, ok := rpc.Command.(*raft.AppendEntriesRequest); ok {
		t.mend(request)
	}
	select {
	case t.rpcs <- rpc:
	case <-t.ctx.Done():
	}
}

// mend takes two things out of a leader's request.
//
// Before a follower appends entries it compares the one before them with the leader's. What its
// newest snapshot holds may be in its log no more, and the library remembers the snapshot's own last
// entry only while nothing follows it. All that a snapshot holds is committed, so a leader that
// stands crashes has the same: entries up to the snapshot's end are left out, and the question about
// the one before them is taken out.
//
// And a follower commits no further than a request reaches. The library commits up to the leader's
// commit index as far as its own log goes, also entries behind those of the request, which nobody
// has compared with the leader's (Raft, figure 2: "min(leaderCommit, index of last new entry)").
func (t *Transport) mend(r *raft.AppendEntriesRequest) {
	reach := r.PrevLogEntry
	if n := len(r.Entries); n > 0 {
		reach = r.Entries[n-1].Index
	}
	r.LeaderCommitIndex = min(r.LeaderCommitIndex, reach)
	if index, term := t.config.Newest(); agrees(r, index, term) {
		for len(r.Entries) > 0 && r.Entries[0].Index <= index {
			r.Entries = r.Entries[1:]
		}
		r.PrevLogEntry, r.PrevLogTerm = 0, 0 // the library does not compare an entry 0
	}
}

// agrees says whether a request begins within a snapshot, and does not contradict its last entry.
// Terms never fall along a log.
func agrees(r *raft.AppendEntriesRequest, index, term uint64) bool {
	if r.PrevLogEntry >= index {
		return index > 0 && r.PrevLogEntry == index && r.PrevLogTerm == term
	}
	before := r.PrevLogTerm
	for _, e := range r.Entries {
		if e.Index == index {
			return e.Term == term
		}
		before = e.Term
	}
	return before <= term
}

// Stand has a follower stand for election now, as if its leader had told it to: voters do not
// refuse it for believing in that leader still.
func (t *Transport) Stand() {
	t.tell(&raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax}})
}

// Leave has a follower or a candidate go from a term to the next, as a follower. It tells the old
// term's leader, which steps down, when that speaks to it.
//
// Raft enters the terms that candidates are in. This one is the node itself with an empty log, so
// that whatever stands in its own refuses the vote; one without an entry votes for itself there,
// which no other counts. Who stands, in vain, can't be had to Stand: Raft
// forgets what it was told when a campaign ends, and begins the next with the pre-votes that voters
// deny while they hear a leader.
func (t *Transport) Leave(term uint64) {
	own := []byte(t.config.ID)
	t.tell(&raft.RequestVoteRequest{
		RPCHeader:          raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: own, Addr: own},
		Term:               term + 1,
		LeadershipTransfer: true, // else one that believes in a leader passes over it
	})
}

// tell hands Raft a request of this node's own. A Raft that is busy is not waited for: by the time
// it looks somebody else may lead.
func (t *Transport) tell(command any) {
	soon, cancel := context.WithTimeout(t.ctx, tellWait)
	defer cancel()
	select {
	case t.rpcs <- raft.RPC{Command: command, RespChan: make(chan raft.RPCResponse, 1)}:
	case <-soon.Done():
	}
}

const tellWait = 10 * time.Millisecond

var _ raft.WithPreVote = (*Transport)(nil) // else Raft does without pre-votes and says nothing

// AppendEntries is heartbeats, too.
func (t *Transport) AppendEntries(id raft.ServerID, target raft.ServerAddress,
	request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse) error {
	if err := t.Stuck(); err != nil {
		return err
	}
	return t.NetworkTransport.AppendEntries(id, target, request, response)
}

// A stream is the raft.StreamLayer of what goes out. Nothing comes in by it.
type stream struct {
	t      *Transport
	once   sync.Once
	closed chan struct{}
}

// Dial is given a node id: where the node lives is looked up at each dial, so it may move without a
// change of configuration.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if conn := s.t.spares.take(string(address)); conn != nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(s.t.ctx, timeout)
	defer cancel()
	conn, err := s.t.config.Dial(ctx, string(address))
	if err != nil {
		return nil, &dialError{err}
	}
	return conn, nil
}

// A dialError says that a message never left this node.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

func (s *stream) Accept() (net.Conn, error) {
	<-s.closed
	return nil, net.ErrClosed
}

func (s *stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *stream) Addr() net.Addr { return s.t.config.Address }

// byID makes Raft use a server's id as its address.
type byID struct{}

func (byID) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}
