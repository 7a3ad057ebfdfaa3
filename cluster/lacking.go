package cluster

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// What this member has applied is committed, so every leader has it, while disks keep what they
// stored. When one has another entry in that place, a majority has forgotten an acknowledged write,
// or the leader lies. This member takes nothing of it (vetting.go), and serves nobody in that
// leader's term: whom it answered would see a history that the others don't have. It is not for
// ever, or a thief who leads for a moment could stop everybody.

// A lack is the least index at which a leader was found to have something else.
type lack struct {
	index, term   uint64 // of this member's entry, and of the leader
	leader, label string
	shown         bool // somebody may have been told that it is written
}

// lacks notes that who leads in a term has another entry than this member knows to be committed.
func (c *Cluster) lacks(leader string, term, index uint64) {
	old := c.lacking.Load()
	if old != nil && old.term == term && old.index <= index {
		return
	}
	l := &lack{index: index, term: term, leader: leader, label: c.labelOf(leader)}
	l.shown = index <= max(c.kept.shown, c.leases.everywhere.index.Load())
	if c.lacking.CompareAndSwap(old, l) {
		c.logger.Error("this node serves nobody under this leader", "error", l)
	}
}

// hasItNow forgets a lack when that leader shows, in that term, that it has the entry after all: it
// goes on where this member's log has the same, so it has all before. A leader's log only grows, so
// it was another process that spoke in its name, with its key. A thief who asked for votes and was
// heard once would else stop this member for as long as the node that he robbed leads in that term,
// by these votes.
func (c *Cluster) hasItNow(leader string, r *raft.AppendEntriesRequest) {
	l := c.lacking.Load()
	if l == nil || l.leader != leader || l.term != r.Term || r.PrevLogEntry < l.index {
		return
	}
	if c.termAt(r.PrevLogEntry) == r.PrevLogTerm && c.lacking.CompareAndSwap(l, nil) {
		c.logger.Warn("this leader has the entry that it seemed to lack: "+
			"another process has spoken in its name", "node", leader, "index", l.index)
	}
}

// lackNow is why this member serves nobody now; nil when it may. In that term, or an older one, it
// may follow another: a term has one leader, so whoever else spoke as one was none.
func (c *Cluster) lackNow() *lack {
	l := c.lacking.Load()
	if l == nil || l.term < c.raft.CurrentTerm() {
		return nil
	}
	if leader := c.leader(); leader != "" && (leader != l.leader || l.term > c.raft.CurrentTerm()) {
		return nil
	}
	return l
}

func (l *lack) Error() string {
	was := "applied"
	if l.shown {
		was = "applied, and that was acknowledged"
	}
	return fmt.Sprintf("cluster: the log of leader %s (%s) lacks entry %d, "+
		"which this node had %s: a disk was put back, or the leader lies. "+
		"Find the node that is named for it. To keep what the leader has, "+
		"remove this node and join it anew with an empty folder",
		l.label, l.leader, l.index, was)
}

// Is has callers treat it as any other state that nobody may be shown.
func (l *lack) Is(target error) bool { return target == ErrDiverged }

// contradicts says whether a snapshot of a leader ends with another entry than this member has
// there.
func (c *Cluster) contradicts(r *raft.InstallSnapshotRequest) bool {
	return r.LastLogIndex <= c.committed() && c.hasAnother(r.LastLogIndex, r.LastLogTerm)
}

// hasAnother says whether this member has another entry at an index than one of this term. Where a
// snapshot has taken the place of the entry, terms tell: they never fall along a log, so nothing
// before a snapshot's end is of a later term.
func (c *Cluster) hasAnother(index, term uint64) bool {
	if own := c.termAt(index); own != 0 {
		return own != term
	}
	at, last := c.Store.NewestSnapshot()
	return index < at && term > last
}
