package cluster

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/port"
	"keyquorum/cluster/raftfix"
	"keyquorum/fsm"
)

// inbound looks at Raft's messages before Raft does. It knows of each whose certificate it came
// under.
type inbound struct {
	t *raftfix.Transport
	c *Cluster

	handing chan struct{}          // full while Raft has a peer's snapshot
	sender  atomic.Pointer[string] // whose that is

	mu  sync.Mutex
	led map[string]bool // the nodes whose entries this member has taken
}

func newInbound(c *Cluster) *inbound {
	return &inbound{
		t: c.transport, c: c, handing: make(chan struct{}, 1), led: map[string]bool{},
	}
}

func (in *inbound) noteLed(peer string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.led[peer] = true
}

func (in *inbound) hasLed(peer string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.led[peer]
}

// serve ends with the member.
func (in *inbound) serve() {
	in.c.port.ServeRaft(in.c.ctx, port.Handler{
		Admit: in.admit, Take: in.take, Heartbeat: in.heartbeat, Timeout: raftTimeout,
		MaxUnanswered: maxAppend * maxEntry,
	})
}

func (in *inbound) admit(peer port.Peer) bool {
	return in.c.listensTo(peer.Node) && in.c.meets(peer) // after the port can cut it
}

// maxAppend is how many entries a leader sends at a time, and maxEntry a bound for the bytes of one
// with its frame.
const (
	maxAppend = 512
	maxEntry  = fsm.MaxTxnBytes + 4096
)

// heard refuses what a removed node sends, also over a connection from when it was still needed.
func (in *inbound) heard(rpc raft.RPC, peer string) bool {
	if in.c.listensTo(peer) {
		return true
	}
	rpc.Respond(nil, errNotMember)
	return false
}

var errName = errors.New("cluster: a request in the name of another node")

// named refuses what comes in another's name: who is believed to lead is who can be named for what
// is wrong with it.
func (in *inbound) named(peer string, rpc raft.RPC) bool {
	if request, ok := rpc.Command.(raft.WithRPCHeader); ok {
		h := request.GetRPCHeader()
		if string(h.ID) == peer && string(h.Addr) == peer {
			return in.timely(peer, rpc)
		}
	}
	in.c.accuse(peer, deedName)
	rpc.Respond(nil, errName)
	return false
}

// timely refuses what comes from no term that there is.
func (in *inbound) timely(peer string, rpc raft.RPC) bool {
	if in.c.plausible(termOf(rpc.Command)) {
		return true
	}
	in.c.accuse(peer, deedTerm, "term", termOf(rpc.Command))
	rpc.Respond(nil, errTerm)
	return false
}

// heartbeat takes one that came in from a peer.
func (in *inbound) heartbeat(peer string, rpc raft.RPC) {
	if !in.heard(rpc, peer) || !in.named(peer, rpc) {
		return
	}
	term := termOf(rpc.Command)
	if in.c.besides(peer, term) || !in.c.claims(peer, term, false) {
		rpc.Respond(nil, errBesides)
		return
	}
	in.t.Heartbeat(rpc)
}

// take brings a peer's requests to Raft, one at a time.
func (in *inbound) take(peer string, rpc raft.RPC) {
	if !in.heard(rpc, peer) || !in.named(peer, rpc) {
		return
	}
	switch request := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		in.append(peer, rpc, request)
	case *raft.InstallSnapshotRequest:
		in.install(peer, rpc)
	case *raft.TimeoutNowRequest:
		in.stand(peer, rpc)
	default:
		in.t.Forward(rpc)
	}
}

var errNotFollowed = errors.New("cluster: this node follows another leader")

// stand is the word of a leader to its successor. Nobody else's counts.
func (in *inbound) stand(peer string, rpc raft.RPC) {
	if done, err := in.t.StandsAlready(); done {
		rpc.Respond(&raft.TimeoutNowResponse{}, err)
		return
	}
	if leader := in.c.leader(); leader != peer {
		if leader != "" && !in.hasLed(peer) { // else its word may be late: it names no term
			in.c.accuse(peer, deedStand)
		}
		rpc.Respond(&raft.TimeoutNowResponse{}, errNotFollowed)
		return
	}
	in.t.Forward(rpc)
}

// install takes a snapshot in. Raft's main loop reads it to its end, whatever its sender does: so
// it is brought here and looked at first, and Raft is handed what is here and will do. It is looked
// at once more before it is in place, for Raft may have gone on. One is handed over at a time, so
// that whoever sends what is refused then can be named.
func (in *inbound) install(peer string, rpc raft.RPC) {
	r := rpc.Command.(*raft.InstallSnapshotRequest)
	if term := in.c.raft.CurrentTerm(); r.Term < term {
		// A leader of an older term that has not noticed yet may send a snapshot of the newer one. It
		// is refused unseen.
		_, err := io.Copy(io.Discard, rpc.Reader)
		rpc.Respond(&raft.InstallSnapshotResponse{Term: term}, err)
		return
	}
	_, err := fsm.DecodeConfiguration(r.Configuration) // Raft panics
	if err != nil || r.SnapshotVersion != raft.SnapshotVersionMax || r.LastLogTerm > r.Term {
		in.c.accuse(peer, deedSnapshot, "index", r.LastLogIndex)
		rpc.Respond(nil, errSnapshot)
		return
	}
	if in.refuses(peer, rpc, r) || in.passesOver(peer, rpc, r) {
		return
	}
	state, err := in.receive(peer, rpc.Reader, r)
	if err != nil {
		in.c.logger.Warn("a snapshot did not come to its end", "from", peer, "error", err)
		rpc.Respond(nil, err)
		return
	}
	defer state.Close()
	rpc.Reader = state
	select {
	case in.handing <- struct{}{}:
		defer func() { <-in.handing }()
	case <-in.c.ctx.Done():
		return
	}
	if in.refuses(peer, rpc, r) || in.passesOver(peer, rpc, r) { // by now
		return
	}
	if !in.c.claims(peer, r.Term, true) {
		rpc.Respond(nil, errBesides)
		return
	}
	in.sender.Store(&peer)
	in.ask(rpc, rpc.Command, func(*raft.RPCResponse) {})
}

// refuses says whether a snapshot is none that this member may have by what it knows.
func (in *inbound) refuses(peer string, rpc raft.RPC, r *raft.InstallSnapshotRequest) bool {
	switch {
	case in.c.besides(peer, r.Term):
		rpc.Respond(nil, errBesides)
	case in.c.contradicts(r):
		in.c.accuse(peer, deedSnapshot, "index", r.LastLogIndex, "term", r.LastLogTerm)
		in.c.lacks(peer, r.Term, r.LastLogIndex)
		rpc.Respond(nil, errSnapshot)
	default:
		return false
	}
	return true
}

// passesOver answers for a snapshot of what this member has: the library sends some twice. It is
// never taken, so that nobody has a state go back.
func (in *inbound) passesOver(peer string, rpc raft.RPC, r *raft.InstallSnapshotRequest) bool {
	if r.LastLogIndex > in.c.committed() {
		return false
	}
	in.c.logger.Warn("a snapshot that this node is past was passed over",
		"from", in.c.nameOf(peer), "index", r.LastLogIndex)
	_, err := io.Copy(io.Discard, rpc.Reader)
	rpc.Respond(&raft.InstallSnapshotResponse{Term: r.Term, Success: err == nil}, err)
	return true
}

// receive puts aside what a peer sends, and looks at it. It ends with the connection, which ends
// with the member.
func (in *inbound) receive(
	peer string, body io.Reader, r *raft.InstallSnapshotRequest,
) (state io.ReadCloser, err error) {
	aside, err := in.c.Store.Aside()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			aside.Close()
		}
	}()
	if _, err = io.CopyN(aside, body, r.Size); err != nil {
		return nil, err
	}
	meta := raft.SnapshotMeta{
		Index: r.LastLogIndex, Term: r.LastLogTerm, ConfigurationIndex: r.ConfigurationIndex,
		Configuration: raft.DecodeConfiguration(r.Configuration),
	}
	err = in.c.judgeSnapshot(peer, meta, io.NewSectionReader(aside, 0, r.Size))
	if err == nil {
		_, err = aside.Seek(0, io.SeekStart)
	}
	return aside, err
}

var errSnapshot = errors.New("cluster: no snapshot that anybody takes")

// ask puts a command to Raft in the place of the peer's, and hands on the answer, as edit alters
// it.
func (in *inbound) ask(rpc raft.RPC, command any, edit func(*raft.RPCResponse)) {
	answer := make(chan raft.RPCResponse, 1)
	in.t.Forward(raft.RPC{Command: command, Reader: rpc.Reader, RespChan: answer})
	select {
	case a := <-answer:
		edit(&a)
		rpc.RespChan <- a
	case <-in.c.ctx.Done():
	}
}
