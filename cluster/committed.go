package cluster

import (
	"errors"

	"github.com/hashicorp/raft"
)

// A committedLog is the log as Raft sees it: what is committed goes from it only below a snapshot.
//
// A leader's request is vetted before it waits for Raft's main loop (vetting.go). Meanwhile an
// entry that it replaces may be committed: by a request of another leader that waits before it, or
// is being stored, or by this member, if it leads. Raft commits and deletes in that one loop, so
// that here nothing comes between.
type committedLog struct {
	raft.LogStore
	c *Cluster
}

var errCommitted = errors.New("cluster: these entries are committed, and stay")

// DeleteRange implements raft.LogStore. Raft makes room below a snapshot by it, and for another
// leader's entries above.
func (l committedLog) DeleteRange(first, last uint64) error {
	snapshot, _ := l.c.Store.NewestSnapshot()
	if last <= snapshot {
		return l.LogStore.DeleteRange(first, last)
	}
	kept := max(first, snapshot+1)
	if kept > l.c.committed() {
		return l.LogStore.DeleteRange(first, last)
	}
	if r := l.c.transport.Raft(); r != nil {
		_, leader := r.LeaderWithID() // whose request this is: Raft has followed it a moment ago
		l.c.accuse(string(leader), deedRewrite, "index", kept)
		l.c.lacks(string(leader), r.CurrentTerm(), kept)
	}
	return errCommitted
}
