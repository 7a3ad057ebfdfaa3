package raftfix

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// What a follower's Raft is shown of a leader's request: no question about what its own snapshot
// holds, and no commit of entries that the request does not reach.
func TestRequestsAreMended(t *testing.T) {
	of := func(term uint64, indexes ...uint64) (logs []*raft.Log) {
		for _, i := range indexes {
			logs = append(logs, &raft.Log{Index: i, Term: term})
		}
		return logs
	}
	newest := func() (index, term uint64) { return 84, 4 }
	transport := &Transport{
		ctx: t.Context(), config: Config{Newest: newest}, rpcs: make(chan raft.RPC, 1),
	}
	for _, row := range []struct {
		says                   string
		prev, prevTerm, commit uint64
		entries                []*raft.Log
		wantPrev, wantPrevTerm uint64
		wantCommit             uint64
		wantFirst              uint64 // of the entries; 0: none
	}{
		{says: "the snapshot's entry", prev: 84, prevTerm: 4, commit: 90, entries: of(4, 85, 86),
			wantCommit: 86, wantFirst: 85},
		{says: "its index in another term", prev: 84, prevTerm: 3, commit: 90, entries: of(4, 85),
			wantPrev: 84, wantPrevTerm: 3, wantCommit: 85, wantFirst: 85},
		{says: "another entry", prev: 85, prevTerm: 4, commit: 86, entries: of(4, 86, 87),
			wantPrev: 85, wantPrevTerm: 4, wantCommit: 86, wantFirst: 86},
		{says: "nothing to append", prev: 90, prevTerm: 4, commit: 90,
			wantPrev: 90, wantPrevTerm: 4, wantCommit: 90},
		{says: "nothing to append, and a commit beyond", prev: 85, prevTerm: 4, commit: 90,
			wantPrev: 85, wantPrevTerm: 4, wantCommit: 85},
		{says: "from before the snapshot's end", prev: 81, prevTerm: 2, commit: 90,
			entries: append(of(3, 82, 83), of(4, 84, 85, 86)...), wantCommit: 86, wantFirst: 85},
		{says: "all of it before", prev: 80, prevTerm: 2, commit: 90, entries: of(4, 81, 82),
			wantCommit: 82},
		{says: "nothing, before the snapshot's end", prev: 80, prevTerm: 4, commit: 90, wantCommit: 80},
		{says: "from the first entry on", commit: 90, entries: of(4, 1, 2), wantCommit: 2},
		{says: "another entry at the snapshot's end", prev: 83, prevTerm: 3, commit: 90,
			entries:  append(of(3, 84), of(4, 85)...),
			wantPrev: 83, wantPrevTerm: 3, wantCommit: 85, wantFirst: 84},
		{says: "a later term before the snapshot's end", prev: 80, prevTerm: 3, commit: 90,
			entries: of(5, 81), wantPrev: 80, wantPrevTerm: 3, wantCommit: 81, wantFirst: 81},
		{says: "nothing, after a later term", prev: 80, prevTerm: 5, commit: 90,
			wantPrev: 80, wantPrevTerm: 5, wantCommit: 80},
		{says: "a heartbeat"},
	} {
		transport.Forward(raft.RPC{Command: &raft.AppendEntriesRequest{
			PrevLogEntry: row.prev, PrevLogTerm: row.prevTerm,
			LeaderCommitIndex: row.commit, Entries: row.entries,
		}})
		r := (<-transport.Consumer()).Command.(*raft.AppendEntriesRequest)
		var first uint64
		if len(r.Entries) > 0 {
			first = r.Entries[0].Index
		}
		if r.PrevLogEntry != row.wantPrev || r.PrevLogTerm != row.wantPrevTerm ||
			r.LeaderCommitIndex != row.wantCommit || first != row.wantFirst {
			t.Errorf("%s: shown with entry %d of term %d before, commit %d, entries from %d",
				row.says, r.PrevLogEntry, r.PrevLogTerm, r.LeaderCommitIndex, first)
		}
	}
}

// A connection that the kernel gave up is no answer, and the request goes over another. What met
// its deadline is not sent again.
func TestRequestsGoOverLiveConnections(t *testing.T) {
	for _, row := range []struct {
		first error
		sent  int
	}{
		{&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.ETIMEDOUT)}, 2},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, 1},
		{&dialError{syscall.ECONNREFUSED}, 1},
	} {
		sent := 0
		_ = overLive(func() error {
			if sent++; sent == 1 {
				return row.first
			}
			return nil
		})
		if sent != row.sent {
			t.Errorf("after %v it was sent %d times", row.first, sent)
		}
	}
}
