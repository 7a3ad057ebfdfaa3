package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A commit triggers no message in the Raft library: a follower hears of it with the next one, up to two CommitTimeouts
// later, and until then the node that proposed an entry can't answer. Polling often enough costs an idle leader a fifth of
// a core. So the leader announces a commit itself, with the message that Raft would send: AppendEntries of its term,
// without entries, that names the committed entry and the commit index. It is checked and obeyed as any other, so nothing
// rests on it, and losing it costs time alone.

// announcements brings the newest commit to each follower. Under load the next entries carry it, and nothing is sent.
type announcements struct {
	mu     sync.Mutex
	wakes  map[string]chan struct{} // by node id; a sender runs for each
	newest atomic.Pointer[commit]
}

// A commit is the last entry that this node, leader in Term, knows to be committed.
type commit struct{ Index, Term uint64 }

// announce tells the followers of an entry that this leader appended and committed in term.
func (c *Cluster) announce(index, term uint64) {
	if c.raft.LastIndex() > index || c.raft.CurrentTerm() != term {
		return // newer entries are on their way and tell as much, or somebody else leads
	}
	c.announcements.newest.Store(&commit{index, term})
	for _, s := range c.servers() {
		if id := string(s.ID); id != c.id {
			select {
			case c.wake(id) <- struct{}{}:
			default: // it is awake and will look at the newest
			}
		}
	}
}

func (c *Cluster) wake(nodeID string) chan<- struct{} {
	a := &c.announcements
	a.mu.Lock()
	defer a.mu.Unlock()
	wake, ok := a.wakes[nodeID]
	if !ok {
		if a.wakes == nil {
			a.wakes = map[string]chan struct{}{}
		}
		wake = make(chan struct{}, 1)
		a.wakes[nodeID] = wake
		c.wg.Go(func() { c.announceTo(raft.ServerID(nodeID), wake) })
	}
	return wake
}

// announceTo sends one announcement at a time to a follower, and leaves one that can't be reached alone for a second.
func (c *Cluster) announceTo(id raft.ServerID, wake <-chan struct{}) {
	self := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(c.id), Addr: c.transport.EncodePeer(raft.ServerID(c.id), "")}
	for {
		select {
		case <-wake:
		case <-c.ctx.Done():
			return
		}
		newest := c.announcements.newest.Load()
		if c.raft.CurrentTerm() != newest.Term || c.transport.Stuck() != nil {
			continue
		}
		err := c.transport.AppendEntries(id, raft.ServerAddress(id), &raft.AppendEntriesRequest{
			RPCHeader: self, Term: newest.Term,
			PrevLogEntry: newest.Index, PrevLogTerm: newest.Term, LeaderCommitIndex: newest.Index,
		}, &raft.AppendEntriesResponse{})
		if err != nil {
			select {
			case <-time.After(time.Second):
			case <-c.ctx.Done():
				return
			}
		}
	}
}
