package cluster

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// terms keeps Raft's state with its main loop. The library handles heartbeats on the goroutine of the connection that they come over, where
// they change what the main loop works with: a candidate that hears of its term's successor there follows, and becomes the leader of that term,
// which has one, when a vote for the old one comes in after all; a leader's next entry may get a term in which it does not lead.
//
// So only a heartbeat that changes nothing is handled beside the main loop, and keeps it in office while its disk or a snapshot takes long: of the
// leader that this node follows already. The main loop enters no other term meanwhile. All others wait for it.
type terms struct {
	raft atomic.Pointer[raft.Raft] // nil before it has started

	mu     sync.Mutex // held while a heartbeat is handled, and while a term is entered
	newest atomic.Uint64
}

// enter comes before Raft stores a term, which it does before it is in it. A heartbeat that meets a follower in the moment in which it begins to
// stand has it follow again, and store the term in which it is.
func (t *terms) enter(term uint64) {
	if t.newest.Load() == term {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest.Store(term)
}

// beside handles a heartbeat of the leader that this node follows. false: it is for the main loop.
func (t *terms) beside(heartbeat raft.RPC, handle func(raft.RPC)) bool {
	request, ok := heartbeat.Command.(*raft.AppendEntriesRequest)
	r := t.raft.Load()
	if !ok || r == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.follows(r, request.Term) {
		return false
	}
	handle(heartbeat)
	return true
}

// follows says whether this node is neither candidate nor leader, nor in another term than this, nor about to be.
func (t *terms) follows(r *raft.Raft, term uint64) bool {
	return t.newest.Load() == term && r.CurrentTerm() == term && r.State() == raft.Follower
}

// standsAlready says whether this node need not be told to stand any more: it does, or has won, and the word came twice; or, an error, it stands in vain,
// and can't for a leader that it hears.
func (t *terms) standsAlready() (bool, error) {
	r := t.raft.Load()
	if r == nil || r.State() == raft.Follower {
		return false, nil
	}
	if _, leader := r.LeaderWithID(); leader != "" && r.State() == raft.Candidate {
		return true, errStandsInVain
	}
	return true, nil
}

var errStandsInVain = errors.New("cluster: this node stands for election already, in vain")

// SetHeartbeatHandler is how Raft says what handles heartbeats.
func (t raftTransport) SetHeartbeatHandler(handle func(raft.RPC)) { t.inbound.handle.Store(&handle) }

// heartbeat takes one that came in from a peer.
func (t raftTransport) heartbeat(from string, rpc raft.RPC) {
	if !t.inbound.named(from, rpc) {
		return
	}
	if t.inbound.c.besides(from, termOf(rpc.Command)) {
		rpc.Respond(nil, errBesides)
		return
	}
	if handle := t.inbound.handle.Load(); handle == nil || !t.terms.beside(rpc, *handle) {
		t.forward(rpc)
	}
}
