package raftfix

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// What a follower's Raft is shown of a leader's request: no question about the last entry of its
// own snapshot, and no commit of entries that the request does not reach.
func TestRequestsAreMended(t *testing.T) {
	entries := func(indexes ...uint64) (logs []*raft.Log) {
		for _, i := range indexes {
			logs = append(logs, &raft.Log{Index: i})
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
	}{
		{says: "the snapshot's entry", prev: 84, prevTerm: 4, commit: 90, entries: entries(85, 86),
			wantCommit: 86},
		{says: "its index in another term", prev: 84, prevTerm: 3, commit: 90, entries: entries(85),
			wantPrev: 84, wantPrevTerm: 3, wantCommit: 85},
		{says: "another entry", prev: 85, prevTerm: 4, commit: 86, entries: entries(86, 87),
			wantPrev: 85, wantPrevTerm: 4, wantCommit: 86},
		{says: "nothing to append", prev: 90, prevTerm: 4, commit: 90,
			wantPrev: 90, wantPrevTerm: 4, wantCommit: 90},
		{says: "nothing to append, and a commit beyond", prev: 80, prevTerm: 4, commit: 90,
			wantPrev: 80, wantPrevTerm: 4, wantCommit: 80},
		{says: "a heartbeat"},
	} {
		transport.Forward(raft.RPC{Command: &raft.AppendEntriesRequest{
			PrevLogEntry: row.prev, PrevLogTerm: row.prevTerm,
			LeaderCommitIndex: row.commit, Entries: row.entries,
		}})
		r := (<-transport.Consumer()).Command.(*raft.AppendEntriesRequest)
		if r.PrevLogEntry != row.wantPrev || r.PrevLogTerm != row.wantPrevTerm ||
			r.LeaderCommitIndex != row.wantCommit {
			t.Errorf("%s: shown with entry %d of term %d before, commit %d",
				row.says, r.PrevLogEntry, r.PrevLogTerm, r.LeaderCommitIndex)
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
