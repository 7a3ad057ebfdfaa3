package raftfix

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A commit triggers no message in the Raft library: a follower hears of it with the next one, up to
// two CommitTimeouts later, and until then the node that proposed an entry can't answer. Polling
// often enough costs an idle leader a fifth of a core. So the leader announces a commit itself,
// with the message that Raft would send: AppendEntries of its term, without entries, that names the
// committed entry and the commit index. It is checked and obeyed as any other, so nothing rests on
// it, and losing it costs time alone.

// announcements brings the newest commit to each follower. Under load the next entries carry it,
// and nothing is sent.
type announcements struct {
	mu     sync.Mutex
	wakes  map[string]chan struct{} // by node id; a sender runs for each
	newest atomic.Pointer[commit]
}

// A commit is the last entry that this node, leader in term, knows to be committed.
type commit struct{ index, term uint64 }

// Announce tells the followers of an entry that this leader appended and committed in term.
func (t *Transport) Announce(index, term uint64) {
	r := t.Raft()
	if r.LastIndex() > index || r.CurrentTerm() != term {
		return // newer entries are on their way and tell as much, or somebody else leads
	}
	t.announcements.newest.Store(&commit{index, term})
	for _, s := range t.servers() {
		if id := string(s.ID); id != t.config.ID {
			select {
			case t.wake(id) <- struct{}{}:
			default: // it is awake and will look at the newest
			}
		}
	}
}

func (t *Transport) wake(nodeID string) chan<- struct{} {
	a := &t.announcements
	a.mu.Lock()
	defer a.mu.Unlock()
	wake, ok := a.wakes[nodeID]
	if !ok {
		wake = make(chan struct{}, 1)
		a.wakes[nodeID] = wake
		t.config.Go(func() { t.announceTo(raft.ServerID(nodeID), wake) })
	}
	return wake
}

// announceTo sends one announcement at a time to a follower, and leaves one that can't be reached
// alone for a second.
func (t *Transport) announceTo(id raft.ServerID, wake <-chan struct{}) {
	for {
		select {
		case <-wake:
		case <-t.ctx.Done():
			return
		}
		newest := t.announcements.newest.Load()
		if t.Raft().CurrentTerm() != newest.term || t.Stuck() != nil {
			continue
		}
		if t.NetworkTransport.AppendEntries(id, raft.ServerAddress(id), t.announcement(newest),
			&raft.AppendEntriesResponse{}) == nil {
			continue
		}
		select {
		case <-time.After(time.Second):
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *Transport) announcement(c *commit) *raft.AppendEntriesRequest {
	own := raft.ServerID(t.config.ID)
	return &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax,
			ID:              []byte(own),
			Addr:            t.EncodePeer(own, ""),
		},
		Term: c.term, PrevLogEntry: c.index, PrevLogTerm: c.term, LeaderCommitIndex: c.index,
	}
}
