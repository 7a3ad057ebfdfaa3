package raftfix

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// terms keeps Raft's state with its main loop. The library handles heartbeats on the goroutine of
// the connection that they come over, so that a busy loop is not taken for a dead node; there they
// change what the main loop works with. A candidate that hears of its term's successor there
// follows, and becomes the leader of that term, which has one, when a vote for the old one comes in
// after all; a leader's next entry may get a term in which it does not lead.
//
// So only a heartbeat that changes nothing is handled beside the main loop, and keeps it in office
// while its disk or a snapshot takes long: of the leader that this node follows already. The main
// loop enters no other term meanwhile. All others wait for it.
type terms struct {
	raft   atomic.Pointer[raft.Raft]      // nil before it has started
	handle atomic.Pointer[func(raft.RPC)] // Raft's handler of heartbeats

	mu     sync.Mutex // held while a heartbeat is handled, and while a term is entered
	newest atomic.Uint64
}

// enter comes before Raft stores a term, which it does before it is in it. A heartbeat that meets a
// follower in the moment in which it begins to stand has it follow again, and store the term in
// which it is.
func (t *terms) enter(term uint64) {
	if t.newest.Load() == term {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest.Store(term)
}

// beside handles a heartbeat of the leader that this node follows. false: it is for the main loop.
func (t *terms) beside(heartbeat raft.RPC) bool {
	request, ok := heartbeat.Command.(*raft.AppendEntriesRequest)
	handle := t.handle.Load()
	if !ok || handle == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.follows(request.Term) {
		return false
	}
	(*handle)(heartbeat)
	return true
}

// follows says whether this node is neither candidate nor leader, nor in another term than this,
// nor about to be.
func (t *terms) follows(term uint64) bool {
	r := t.raft.Load()
	return r != nil && t.newest.Load() == term && r.CurrentTerm() == term && r.State() == raft.Follower
}

// Follows says whether this node is neither candidate nor leader, nor in another term than this,
// nor about to be.
func (t *Transport) Follows(term uint64) bool { return t.terms.follows(term) }

// StandsAlready says whether this node need not be told to stand any more: it does, or has won, and
// the word came twice; or, an error, it stands in vain, and can't for a leader that it hears.
func (t *Transport) StandsAlready() (bool, error) {
	r := t.Raft()
	if r == nil || r.State() == raft.Follower {
		return false, nil
	}
	if _, leader := r.LeaderWithID(); leader != "" && r.State() == raft.Candidate {
		return true, errStandsInVain
	}
	return true, nil
}

var errStandsInVain = errors.New("raftfix: this node stands for election already, in vain")

// SetHeartbeatHandler is how Raft says what handles heartbeats.
func (t *Transport) SetHeartbeatHandler(handle func(raft.RPC)) { t.terms.handle.Store(&handle) }

// Heartbeat brings a heartbeat to Raft, on the caller's goroutine where that changes nothing.
func (t *Transport) Heartbeat(rpc raft.RPC) {
	if !t.terms.beside(rpc) {
		t.Forward(rpc)
	}
}
