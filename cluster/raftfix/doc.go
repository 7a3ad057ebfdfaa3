// Package raftfix mends hashicorp/raft. Nothing in it is a rule of the cluster's: a library without
// these faults would need none of it, and with the last row of its table the package goes.
//
// The door is small. A member makes a [Transport], starts its Raft on it (Start), and has what
// comes in, once it has looked at it, go to Forward or Heartbeat. It puts its questions to Raft by
// [Questions]. The package takes functions of its member (Config) and knows nothing of members,
// leases, or who may say what.
//
// # What is mended
//
// Numbers are those of github.com/hashicorp/raft, as they stood in September 2026. The faults were
// looked for in the sources of 1.7.3, which is used, and of 1.8.0, which ends none of these rows.
// It brings logs that keep the commit index (RestoreCommittedLogs), other metrics, and fewer errors
// in the log; the functions behind the rows differ by the lines for that alone. It needs go-metrics
// 0.7, without the package that memberlist 0.6 imports: it comes with memberlist 0.7, or not.
//
//	terms.go: heartbeats change nothing beside Raft's main loop
//	    issue    #695, open; #701 proposes a lock for the same place. #717, open, is another
//	             end of it: such a heartbeat writes to a store that is closed.
//	    without  two nodes lead one term: a candidate hears the next term's leader on the
//	             connection's goroutine, and a late vote for the old term makes it leader of
//	             the new one. Rules of leases and fences rest on one leader a term.
//	    tests    TestOnlyTheMainLoopEntersTerms, TestLateVoteElectsNobodyInTheNextTerm,
//	             TestLeaderIsAnsweredBesideABusyLoop, TestHeartbeatsDoNotWaitForTheDisk
//	    delete   when processHeartbeat can change neither term nor state
//
//	terms.go, StandsAlready: who is told to stand twice stands once
//	    issue    none filed
//	    without  TimeoutNow, which votes.go repeats when its answer is lost, deposes the leader
//	             that it has just made
//	    tests    TestStandsOnce, TestLeaderIsNotToldToStand
//	    delete   with votes.go, or when Raft passes over TimeoutNow unless it follows
//
//	transport.go, Leave: who stands in vain can be had to go to the next term
//	    issue    none filed
//	    without  TimeoutNow is lost on a candidate: it is forgotten when the campaign ends, and
//	             the next begins with pre-votes, which voters deny while they hear a leader. A
//	             member that can't follow the leader of its term is locked out for as long.
//	    tests    TestLeavesATerm, TestTakenEntriesLockNobodyOut
//	    delete   when runCandidate stands without pre-votes after a TimeoutNow that came to it
//
//	stable.go: a term that can't be stored ends Raft's goroutine, not the process
//	    issue    #163, closed: that it panics is meant
//	    without  a full disk shows as a dump of goroutines, with no sentence that names the disk
//	    tests    TestTermThatCannotBeStored, TestStartWithoutADisk
//	    delete   when NewRaft and the main loop return that error
//
//	pipeline.go: a pipeline ends with the first refusal, and with its member
//	    issue    #612 and #611, open; #683 proposes heartbeats that stop
//	    without  a follower that has refused entries once may be sent none for the rest of the
//	             term, and looks well: heartbeats go on. A leader's shutdown may wait for ever.
//	    tests    TestPipelineEndsWithARefusal, TestPipelineEndsWithTheMember,
//	             TestFollowerThatRefusedEntriesCatchesUp
//	    delete   when pipelineReplicate reads answers until its pipeline is closed; or see below
//
//	transport.go, mend: no question about what a follower's own snapshot holds
//	    issue    #205, closed without a change
//	    without  a follower that was sent a snapshot, stored what follows, and ended before it
//	             could say so refuses all after its start: it is sent that snapshot for ever.
//	             One whose answers were lost, and that has taken a snapshot past the leader's,
//	             refuses too, and they ask and refuse without a pause.
//	    tests    TestRequestsAreMended, TestFollowerThatEndedRightAfterASnapshotComesBack,
//	             TestFollowerIsPastWhatTheLeaderKnowsOfIt
//	    delete   when appendEntries passes over what the last snapshot holds
//
//	transport.go, mend: no commit beyond the entries of the request
//	    issue    none filed; 1.8.0 works the right index out, for logs that keep it, and
//	             commits up to the other
//	    without  a follower applies what stands in its log behind the request, and was never
//	             compared with the leader's
//	    tests    TestRequestsAreMended
//	    delete   when appendEntries commits min(leaderCommit, index of last new entry)
//
//	votes.go: a vote that went into a dead connection is sent again
//	    issue    none filed
//	    without  the error of a kept connection whose other end was started again is a refused
//	             vote; an election comes to nothing, the next is a second away
//	    tests    TestVotesOutliveConnections, TestRequestsGoOverLiveConnections
//	    delete   when NetworkTransport asks again over a new connection
//
//	spares.go: connections for an election are kept ready
//	    issue    none filed
//	    without  one over 150 ms takes 300 to open, and a term begins with a message to each
//	             voter: reads are interrupted for longer than a lease
//	    tests    TestConnectionsAreKeptReady, TestNoConnectionIsKeptForOthers,
//	             TestVoteTakesAKeptConnection, TestReadsGoOnWhileALeaderIsReplaced
//	    delete   when NetworkTransport keeps live connections with voters
//
//	stuck.go: a node whose disk hangs falls silent
//	    issue    #503 and #666, open; #683 proposes the same from within
//	    without  a leader whose disk hangs leads on for as long, and nothing is written: its
//	             main loop waits and can't step down, its heartbeats come from elsewhere
//	    tests    TestStuckNodeIsSilent, TestLeaderWithAHangingDiskIsReplaced
//	    delete   when Raft's own heartbeats stop with its log
//
//	announce.go: followers hear of a commit at once
//	    issue    #28, closed: CommitTimeout is the answer; #412 proposed heartbeats, closed
//	    without  a write through a follower waits for up to two CommitTimeouts; short ones cost
//	             an idle leader a fifth of a core
//	    tests    TestCommitsAreAnnounced
//	    delete   when a commit has the leader send its index
//
//	questions.go: whoever asked Raft something is told
//	    issue    #498, open; #504 tried it, closed
//	    without  what stands in Raft's queues when it is shut down is answered never
//	    tests    TestQuestionsEnd, TestQuestionsObeyTheirContext, TestCloseWithProposalsQueued
//	    delete   when every future of Raft's is answered by its shutdown
//
// These mend it too, and stand where they must:
//
//	storage, notOlder: a snapshot that a newer one has overtaken is not put into place
//	    issue    #248, closed without a change
//	    without  a member's own slow snapshot becomes Raft's newest; as leader it sends the
//	             other, which it finds in the list, again and again
//	    tests    TestOwnSnapshotThatASentOneOvertookIsRefused, TestOlderSnapshotIsRefused
//	    delete   when takeSnapshot sets no older index than installSnapshot did
//
//	storage, yieldTo: the log below a snapshot that a leader sent goes, unless it agrees
//	    issue    #697, open; #704 proposes it
//	    without  a node that had led alone hands out, when it leads again, what nobody took
//	    tests    TestWhatNobodyTookIsNotHandedOut, TestLogYieldsToASnapshotThatOvertookIt
//	    delete   when installSnapshot deletes the log that its last entry is not in
//
//	cluster/port, raft.go: a transport for each peer's connections
//	    issue    none filed: the library leaves identity to its transport, which passes none on
//	    without  the name in a message is believed, whatever the certificate says
//	    tests    TestThiefStaysNotForEver
//	    delete   when an RPC says over which connection it came
//
//	cluster, wakeMachines: a leader has a barrier go through every Raft
//	    issue    #166, closed
//	    without  a Raft whose machine was sent nothing since the start takes no snapshot; who
//	             must take one before it serves never does
//	    tests    TestAllStartAnewAfterAChangeOfMembers
//	    delete   when takeSnapshot goes by what was restored, too
//
// # Why entries are still sent in pairs
//
// With MaxRPCsInFlight 1 there is no pipeline, and its row would go: 60 lines, and a class of
// stalls that one mend has to hold. It was tried. Raft sends an empty message 50 to 100 ms after
// the last, which takes the one place there is for a round trip, and a write that comes meanwhile
// waits for its answer. On a LAN that is nothing. Over 80 ms a lone write took 169 ms in the mean
// instead of 160, in the worst case 228; 512 writers made 2,253 writes a second instead of 2,611.
// In three regions, 80 and 150 ms apart, a write took 256 ms in the mean and 290 at the ninetieth
// percentile, where with pairs every one takes the 232 that the ways add up to. These sums are what
// keyquorum plan promises and docs/regions.md measures against, so the mend is worth its lines. It
// need not be for ever: with a CommitTimeout of seconds, which announcements that are sure to
// arrive would allow, the empty messages are rare, and the pipeline can go.
package raftfix
