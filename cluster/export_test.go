package cluster

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http/httptest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/gossip"
	"keyquorum/cluster/lease"
	"keyquorum/cluster/lives"
	"keyquorum/cluster/port"
	"keyquorum/cluster/succession"
	"keyquorum/cluster/wire"
	"keyquorum/fsm"
)

// WrapLogs puts a test's log store around the member's own: to stall or fail its writes.
func (c *Config) WrapLogs(wrap func(raft.LogStore) raft.LogStore) { c.wrapLogs = wrap }

// WrapFSM puts a test's state machine around the member's own: to hold it back.
func (c *Config) WrapFSM(wrap func(*fsm.FSM) raft.FSM) { c.wrapFSM = wrap }

// WrapStable puts a test's store around the one in which the member keeps its term and vote.
func (c *Config) WrapStable(wrap func(raft.StableStore) raft.StableStore) { c.wrapStable = wrap }

// HearRemoved makes the member hear from a node that it was removed.
func (c *Cluster) HearRemoved(from string) { c.hearRemoved(from) }

// LearnRemoved makes the member hear that it was removed.
func (c *Cluster) LearnRemoved() { c.learnRemoved() }

// Raft is the member's Raft, for what a test must see of it.
func (c *Cluster) Raft() *raft.Raft { return c.raft }

// NoteLack has this member believe that a leader's log has another entry at index.
func (c *Cluster) NoteLack(leader string, term, index uint64) { c.lacks(leader, term, index) }

// AskVote asks a node for a vote in a term that is long over, as a candidate would.
func (c *Cluster) AskVote(nodeID string) error {
	request := raft.RequestVoteRequest{RPCHeader: c.header(), Candidate: []byte(c.id),
		LeadershipTransfer: true}
	return c.transport.RequestVote(raft.ServerID(nodeID), raft.ServerAddress(nodeID), &request,
		&raft.RequestVoteResponse{})
}

func (c *Cluster) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(c.id),
		Addr: []byte(c.id)}
}

// HearCheckIn has this leader hear a check-in of its term, as if it came from a node.
func (c *Cluster) HearCheckIn(ctx context.Context, from string, in lease.CheckIn) (lease.Answer,
	error) {
	in.Term = c.raft.CurrentTerm()
	return c.serveCheckIn(ctx, from, in)
}

// Heartbeat has a node hear of the member as the leader of a term.
func (c *Cluster) Heartbeat(nodeID string, term uint64) error {
	request := raft.AppendEntriesRequest{RPCHeader: c.header(), Term: term, Leader: []byte(c.id)}
	return c.transport.AppendEntries(raft.ServerID(nodeID), raft.ServerAddress(nodeID), &request,
		&raft.AppendEntriesResponse{})
}

// SendEntries has a node hear of the member as the leader of a term, with entries behind another.
func (c *Cluster) SendEntries(nodeID string, term, before, beforeTerm uint64,
	entries ...*raft.Log) error {
	request := raft.AppendEntriesRequest{
		RPCHeader: c.header(), Term: term, Leader: []byte(c.id),
		PrevLogEntry: before, PrevLogTerm: beforeTerm, Entries: entries,
	}
	return c.transport.AppendEntries(raft.ServerID(nodeID), raft.ServerAddress(nodeID), &request,
		&raft.AppendEntriesResponse{})
}

// BeTold has the member hear that the states of two are suspected to differ at an index.
func (c *Cluster) BeTold(index uint64) {
	_,
		_ = c.serveSuspect(c.ctx, c.id, digestCall{Index: index})
}

// SayStand tells a node to stand for election, as its leader would.
func (c *Cluster) SayStand(nodeID string) error {
	return c.transport.TimeoutNow(raft.ServerID(nodeID), raft.ServerAddress(nodeID),
		&raft.TimeoutNowRequest{RPCHeader: c.header()}, &raft.TimeoutNowResponse{})
}

// ConnectUnstarted is what Raft's goroutines may do before Open knows of Raft.
func ConnectUnstarted(ctx context.Context) error {
	c := &Cluster{started: make(chan struct{})}
	_, err := c.connectRaft(ctx, "somebody")
	return err
}

// A Tasks is a member's.
type Tasks struct{ tasks }

// Begin is what a member begins a goroutine with.
func (t *Tasks) Begin(f func()) bool { return t.begin(f) }

// End is what the member's end calls.
func (t *Tasks) End() { t.end() }

// ConnectRaft opens a connection of Raft's with a node, and closes it.
func (c *Cluster) ConnectRaft(nodeID string) error {
	conn, err := c.connectRaft(c.ctx, nodeID)
	if err == nil {
		conn.Close()
	}
	return err
}

// Greet has the member say hello to a node.
func (c *Cluster) Greet(ctx context.Context, nodeID string) error { return c.greet(ctx, nodeID) }

// Met says whether a node has accepted the member's latest hello.
func (c *Cluster) Met(nodeID string) bool { return c.met(nodeID) }

// AppendOld sends a node an entryless request of a term, as its leader would that repeats itself.
func (c *Cluster) AppendOld(nodeID string, term uint64) error {
	request := raft.AppendEntriesRequest{
		RPCHeader: c.header(), Term: term, Leader: []byte(c.id), PrevLogEntry: 1, PrevLogTerm: 1,
	}
	return c.transport.AppendEntries(raft.ServerID(nodeID), raft.ServerAddress(nodeID), &request,
		&raft.AppendEntriesResponse{})
}

// AppendAnother sends a node, as the leader of the next term, an entry of that term for an index.
func (c *Cluster) AppendAnother(nodeID string, index uint64) error {
	term := c.raft.CurrentTerm() + 1
	request := raft.AppendEntriesRequest{
		RPCHeader: c.header(), Term: term, Leader: []byte(c.id),
		PrevLogEntry: index - 1, PrevLogTerm: c.raft.CurrentTerm(),
		Entries: []*raft.Log{{Index: index, Term: term, Type: raft.LogNoop}},
	}
	return c.transport.AppendEntries(raft.ServerID(nodeID), raft.ServerAddress(nodeID), &request,
		&raft.AppendEntriesResponse{})
}

// Accuse has the member see a deed of a node, and says whether it says so in its log.
func (c *Cluster) Accuse(node, word string, now time.Time) (told bool) {
	return c.accused.note(node, deed{word, "did " + word}, now)
}

// DialCalls opens a connection for calls with a node.
func (c *Cluster) DialCalls(nodeID string) (net.Conn, error) {
	return c.port.Dial(c.ctx, nodeID, port.Calls)
}

// SurveyBy is the answer to a member's call for a survey.
func (c *Cluster) SurveyBy(ctx context.Context, from string) (Survey, error) {
	return c.serveSurvey(ctx, from, surveyCall{})
}

// SendSnapshot says to a node that size bytes of a snapshot come from the leader of the next term,
// and sends body.
func (c *Cluster) SendSnapshot(nodeID string, size int64, body io.Reader) error {
	return c.SendSnapshotOf(nodeID, c.raft.LastIndex()+1000, size, body)
}

// SendSnapshotOf is SendSnapshot for a snapshot that ends at an index.
func (c *Cluster) SendSnapshotOf(nodeID string, index uint64, size int64, body io.Reader) error {
	term := c.raft.CurrentTerm() + 1
	request := raft.InstallSnapshotRequest{
		RPCHeader: c.header(), SnapshotVersion: raft.SnapshotVersionMax, Term: term, Leader: []byte(c.id),
		LastLogIndex: index, LastLogTerm: term, Size: size, ConfigurationIndex: 1,
		Configuration: raft.EncodeConfiguration(c.raft.GetConfiguration().Configuration()),
	}
	return c.transport.InstallSnapshot(raft.ServerID(nodeID), raft.ServerAddress(nodeID), &request,
		&raft.InstallSnapshotResponse{}, body)
}

// Stand has the member stand for election now.
func (c *Cluster) Stand() { c.transport.Stand() }

// HideVote has the member say that it has voted for nobody.
func (c *Cluster) HideVote() { c.votes.cast.Store(nil) }

// Silent is for how long the member says that it has missed its leader.
func (c *Cluster) Silent() time.Duration {
	s, _ := c.serveSilence(c.ctx, c.id, silenceCall{})
	return s.Missed
}

// AcceptLate has the member take a lease that was over before it came, and says whether whoever
// waits for a lease is told.
func (c *Cluster) AcceptLate() (told bool) {
	waiting, stop := c.leases.arrival.bind(c.ctx)
	defer stop()
	base, asked := lease.Standard.Base, c.reading(c.clock())
	asked.Now -= 2 * base
	var call lease.CheckIn
	c.leases.ask(func(n *lease.Node) { n.Lease = lease.Lease{}; call = n.Ask(asked, true, 0) })
	c.take(asked, call, lease.Answer{Life: base, Grant: base})
	return waiting.Err() != nil
}

// Hear is what gossip does with the metadata of a node.
func (c *Cluster) Hear(nodeID string, meta []byte) { c.gossip.Hear(nodeID, meta) }

// MetaFor is this member's metadata with another cluster address.
func (c *Cluster) MetaFor(address string) []byte {
	meta, err := wire.Encode(gossip.News{Cluster: address, Label: "liar"})
	if err != nil {
		panic(err)
	}
	return meta
}

// Addresses are those at which this member would look for a node.
func (c *Cluster) Addresses(nodeID string) []string { return c.addresses(nodeID) }

// Call sends a body to one of this member's calls, past network and TLS.
func (c *Cluster) Call(ctx context.Context, path string, body []byte) (status int, answer string) {
	from := port.Peer{Speaker: c.port.Identity().Self()}
	ctx = calls.WithAsker(ctx, from)
	r := httptest.NewRequestWithContext(ctx, "POST", path, bytes.NewReader(body))
	r.Header.Set("Keyquorum-Release", c.releases.own.Encode())
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// ForgetBeats is what a machine that is set back to the start of a process does to its member.
func (c *Cluster) ForgetBeats() {
	c.greets.mu.Lock()
	defer c.greets.mu.Unlock()
	c.greets.self.Beat = 0
}

// Outcast is the deed for which the member takes no part.
func (c *Cluster) Outcast() string { return c.Stats().Outcast }

// HearLie has the member get an answer to its hello that shows what it never said: a later life,
// and another process that it leaves to.
func (c *Cluster) HearLie(by string) {
	now := c.greets.self.Diary.Lives.Now()
	lie := lives.Said{Life: now, Beat: 1 << 40, Applied: 1 << 40}
	c.judgeSelf(by, lives.Answer{Word: lives.RolledBack, Heard: lie})
	lie.Life.Count++
	c.judgeSelf(by, lives.Answer{Word: lives.PutBack, Heard: lie, Rival: lie})
	lie.Life.Count--
	lie.Life.Name[0]++
	c.judgeSelf(by, lives.Answer{Word: lives.Copied, Heard: lie})
}

// Words are those that a refusal may consist of, each between bars.
var Words = func() string {
	all := "|"
	for _, w := range []calls.Word{
		errNotLeader, errMaybe, errNotMember, errStranger, errTooMany, errBadCall, errCallFailed,
		errNotConfirmed, ErrAddressTaken, errNotTransferred, errCantTell, errOtherLife, errOutcast,
		errOtherRelease,
	} {
		all += string(w) + "|"
	}
	return all
}()

// CallBodies are good bodies of each call, with txn as the transaction.
func CallBodies(txn []byte) (bodies [][]byte) {
	for _, call := range []any{
		voteCall{Term: 2}, voteAnswer{For: "x"}, commitCall{Txn: txn}, fenceCall{},
		lease.CheckIn{Term: 2, Process: 7, Applied: 3, Echo: 9, Promised: 1}, termCall{},
		digestCall{Index: 3}, statusCall{}, surveyCall{}, silenceCall{},
		addressCall{Address: "host:1"}, order{Verb: orderLeave, Leader: "x", Term: 2, Node: "y",
			KeyTerm: 1, Signature: make([]byte, 64)},
		commitAnswer{Kind: 2, Index: 7, Path: "a", At: 6}, fenceAnswer{Index: 3,
			Digest: make([]byte, 32)}, lease.Answer{E: 3, Life: 5, Token: 9, Grant: 4}, termAnswer{Term: 2},
		digestAnswer{Known: true, Digest: make([]byte, 32)},
		certifyCall{Request: []byte{1}}, certifyAnswer{Certificate: []byte{1}}, renewedCall{},
		RootKeyRequest{Generation: 2, Public: []byte{1}, KeyTerm: 1, Signature: make([]byte, 64)},
		rootKeyAnswer{Sealed: []byte{1}},
		gossipKeysCall{Hash: [32]byte{1}}, gossipKeysAnswer{Keys: gossip.Keys{make([]byte, 32)}},
		Status{
			About: About{Label: "l", API: "a", Version: "v"}, Sealed: true, Applied: 4, Gossip: "g",
			RoundTrips: []RoundTrip{{To: "x", Took: 7}},
		},
		Survey{By: "x", Leads: true, Life: 5, Members: []Member{{
			ID: "x", Account: Account{Heard: 3},
			Status: Status{About: About{Region: "r"}, RoundTrips: []RoundTrip{{To: "y", Took: 1}}},
		}}},
		succession.Voter{Term: 3, Missed: 5, Last: 9, Serves: true},
		lives.Hello{
			Said:    lives.Said{Life: lives.ID{Count: 2}, Beat: 1, Term: 3, Applied: 4},
			Lives:   lives.Lives{Count: 2, List: []lives.Life{{Last: 3, Term: 1}, {Last: 4, Term: 2}}},
			Address: "host:1",
		},
		lives.Answer{
			Word: lives.Wait, Heard: lives.Said{Life: lives.ID{Count: 1}, Out: lives.Copied},
		},
	} {
		body, err := wire.Encode(call)
		if err != nil {
			panic(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// Recode has each body type decode and encode again.
var Recode = []func([]byte) ([]byte, bool){
	recode[voteCall], recode[voteAnswer], recode[commitCall], recode[fenceCall], recode[lease.CheckIn],
	recode[termCall], recode[digestCall], recode[statusCall], recode[surveyCall], recode[silenceCall],
	recode[addressCall], recode[order],
	recode[commitAnswer], recode[fenceAnswer], recode[lease.Answer], recode[termAnswer],
	recode[digestAnswer], recode[Status], recode[Survey], recode[succession.Voter],
	recode[gossip.News],
	recode[lives.Hello], recode[lives.Answer], recode[lives.Diary], recode[known],
	recode[certifyCall], recode[certifyAnswer], recode[renewedCall],
	recode[RootKeyRequest], recode[rootKeyAnswer],
	recode[gossipKeysCall], recode[gossipKeysAnswer],
}

func recode[T any](body []byte) ([]byte, bool) {
	var value T
	if wire.Decode(body, &value) != nil {
		return nil, false
	}
	encoded, err := wire.Encode(value)
	return encoded, err == nil
}

// WordFor is the word with which a call is refused for a reason.
func WordFor(err error) string { return string(wordFor(err)) }

// NextStep is the first difference that a leader sees to.
var NextStep = nextStep
