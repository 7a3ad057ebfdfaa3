package main

import "keyquorum/internal/overlay"

// unguardedLog has Raft delete from the log whatever it likes: without this edit some bugs before
// it do no harm.
var unguardedLog = overlay.Edit{
	File: "keyquorum/cluster/cluster.go",
	Old:  "	logs = committedLog{logs, c}\n",
	New:  "	_ = committedLog{logs, c}\n",
}

// signedMutants are bugs in what a thief of a disk meets: what is signed, who is heard, what is
// gone for good, and a disk that was put back.
var signedMutants = []mutant{
	{
		name: "signature-not-checked", bug: "an entry is applied whoever signed it",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/check.go",
			Old:  "	if !ok || !s.by(key.Public) {",
			New:  "	if !ok || len(key.Public) == 0 {",
		}},
		test: "./testcluster TestThiefBringsNoRightBack",
	},
	{
		name: "version-before-signature",
		bug:  "an entry of an unknown version stops a node, though nobody signed it",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/check.go",
			Old:  "	key, newest, ok := line.of(s.term)",
			New:  "	if _, err := s.decode(); errors.As(err, new(versionError)) {\n		c.fatal = err\n		return c\n	}\n	key, newest, ok := line.of(s.term)",
		}},
		test: "./testcluster TestThiefAppendsNothing",
	},
	{
		name: "old-key-signs", bug: "a transaction key signs on when it has a successor",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/check.go",
			Old:  "	c.retired = !newest\n",
			New:  "	c.retired = !newest && len(line) == 0\n",
		}},
		test: "./testcluster TestThiefBringsNothingOfAnOldKey",
	},
	{
		name: "reserved-paths", bug: "an ordinary transaction writes marks, members, keys and the seal",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/reserved.go",
			Old:  "		ok = len(written) == 0\n",
			New:  "		ok = true\n",
		}},
		test: "./fsm TestReservedPaths",
	},
	{
		name: "founded-again", bug: "a cluster is founded again where there is a state",
		edits: []overlay.Edit{
			{
				File: "keyquorum/fsm/check.go",
				Old:  "	case c.txn.Verb == Found:\n",
				New:  "	case c.txn.Verb == Found && c.retired:\n",
			},
			{
				File: "keyquorum/fsm/apply.go",
				Old:  "		if _, err = DecodeMembers(t.value(PathMembers)); err == nil && before != 0 {\n",
				New:  "		if _, err = DecodeMembers(t.value(PathMembers)); err == nil && before == 1<<63 {\n",
			},
		},
		test: "./fsm TestOnlySignedEntriesChangeAnything",
	},
	{
		name: "no-graves", bug: "what was decided before a deletion is put where it was deleted",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/apply.go",
			Old:  "		return deleted, deleted <= base\n",
			New:  "		return deleted, true\n",
		}},
		test: "./testcluster TestThiefBringsNothingTooLate",
	},
	{
		name: "members-two-at-once",
		bug:  "the members change again before Raft's configuration has followed",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/apply.go",
			Old:  "		if !d.members.Matches(d.configuration) {\n",
			New:  "		if false {\n",
		}},
		test: "./fsm TestMembersChange",
	},
	{
		name: "configuration-not-vetted", bug: "Raft goes by a configuration that nobody signed",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "			if !c.vetConfiguration(peer, e, r.Entries[:i], committed) {\n",
			New:  "			if !c.vetConfiguration(peer, e, r.Entries[:i], committed) && i < 0 {\n",
		}},
		test: "./testcluster TestThiefConfiguresNothing",
	},
	{
		name: "late-leader-accused",
		bug:  "a leader that was deposed while it was cut off is held for a liar",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "	if r.Term < c.raft.CurrentTerm() {\n",
			New:  "	if false && r.Term < c.raft.CurrentTerm() {\n",
		}},
		test: "./cluster TestDeposedLeaderIsNotAccused",
	},
	{
		name: "forgotten-behind-a-snapshot",
		bug:  "what a snapshot has taken the place of is taken from a leader that has another",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lacking.go",
			Old:  "	return index < at && term > last\n",
			New:  "	return index < at && term > last && false\n",
		}},
		test: "./cluster TestForgottenEntriesBehindASnapshotAreFoundOut",
	},
	{
		name: "asked-behind-a-snapshot",
		bug:  "a follower is asked what its snapshot holds, and refuses for ever",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/transport.go",
			Old:  "	if r.PrevLogEntry >= index {\n",
			New:  "	if true {\n",
		}},
		test: "./cluster/raftfix TestRequestsAreMended",
	},
	{
		name: "committed-rewritten",
		bug:  "a leader replaces entries that a follower knows to be committed",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "			if c.hasAnother(e.Index, e.Term) {\n",
			New:  "			if false && c.hasAnother(e.Index, e.Term) {\n",
		}, unguardedLog},
		test: "./testcluster TestThiefAppendsNothing",
	},
	{
		name:  "committed-meanwhile",
		bug:   "a leader replaces what is committed while its request waits for Raft",
		edits: []overlay.Edit{unguardedLog},
		test:  "./cluster TestEntryCommittedMeanwhileStays",
	},
	{
		name: "commit-index-forgotten",
		bug:  "a node that has started knows nothing of what is committed in its log",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/known.go",
			Old:  "	marked := c.kept.committed.Load()\n",
			New:  "	marked := uint64(0)\n",
		}},
		test: "./testcluster TestThiefUndoesNothingAtAStart",
	},
	{
		name: "any-kind-of-entry", bug: "Raft is handed entries of kinds that no leader sends",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "		case raft.LogCommand, raft.LogNoop, raft.LogBarrier:\n",
			New:  "		case raft.LogCommand, raft.LogNoop, raft.LogBarrier, raft.LogAddPeerDeprecated:\n",
		}},
		test: "./testcluster TestThiefConfiguresNothing",
	},
	{
		name: "two-leaders-of-a-term", bug: "a node follows whoever says that he leads in its term",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/oneleader.go",
			Old:  "	if known.leader == peer {\n",
			New:  "	if known.leader != \"\" {\n",
		}},
		test: "./cluster TestOfTwoFirstMessagesOnePasses",
	},
	{
		name: "second-is-named", bug: "who was elected is named because somebody else spoke first",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/oneleader.go",
			Old:  "		known.heard = append(known.heard, peer)\n",
			New:  "		known.heard = append(known.heard, peer)\n		c.accuse(peer, deedBesides)\n",
		}},
		test: "./cluster TestElectedLeaderIsFollowedAfterAThief",
	},
	{
		name: "first-is-kept", bug: "who spoke first in a term keeps a member from who was elected in it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/oneleader.go",
			Old:  "		known.leader = elected\n",
			New:  "",
		}},
		test: "./cluster TestElectedLeaderIsFollowedAfterAThief",
	},
	{
		name: "locked-out",
		bug:  "a member that can't follow the leader of its term stands, which is lost on a candidate",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/oneleader.go",
			Old:  "			c.transport.Leave(term)\n",
			New:  "			c.transport.Stand()\n",
		}},
		test: "./cluster TestTakenEntriesLockNobodyOut",
	},
	{
		name: "locked-out-by-a-hidden-vote",
		bug:  "a member that follows nobody waits for votes that a thief keeps to himself",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/oneleader.go",
			Old:  "	case heard, c.raft.State() == raft.Candidate:",
			New:  "	case heard:",
		}},
		test: "./cluster TestTakenEntriesLockNobodyOut",
	},
	{
		name: "any-term", bug: "a node enters any term that somebody names",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "	return r == nil || term <= r.CurrentTerm()+maxTermStep\n",
			New:  "	return r == nil || term <= ^uint64(0)\n",
		}},
		test: "./testcluster TestThiefStaysNotForEver",
	},
	{
		name: "name-in-the-message", bug: "a message of Raft's is believed to be whose name stands in it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/inbound.go",
			Old:  "		if string(h.ID) == peer && string(h.Addr) == peer {\n",
			New:  "		if len(h.ID) > 0 && len(h.Addr) > 0 {\n",
		}},
		test: "./testcluster TestThiefStaysNotForEver",
	},
	{
		name: "anybody-has-one-stand", bug: "a node stands for election when anybody tells it to",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/inbound.go",
			Old:  "	if leader := in.c.leader(); leader != peer {\n",
			New:  "	if _, leader := in.c.raft.LeaderWithID(); string(leader) == \"\" {\n",
		}},
		test: "./testcluster TestThiefStaysNotForEver",
	},
	{
		name: "snapshot-not-vetted", bug: "a snapshot is put into place before anybody has looked at it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "		c.accuse(sender, deedSnapshot, \"index\", meta.Index, \"why\", err)\n	}\n	return err\n",
			New:  "		c.accuse(sender, deedSnapshot, \"index\", meta.Index, \"why\", err)\n	}\n	return nil\n",
		}},
		test: "./testcluster TestThiefInstallsNothing",
	},
	{
		name: "snapshot-not-vouched",
		bug:  "a snapshot is taken though no unsealed member vouched for the state in it",
		edits: []overlay.Edit{
			{
				File: "keyquorum/fsm/restore.go",
				Old:  "	if d.vouched == nil {\n		return errUnvouched\n",
				New:  "	if d.vouched == nil {\n		d.vouched, d.candidate = d.candidate, nil\n",
			},
			{
				File: "keyquorum/fsm/fsm.go",
				Old:  "	case d.assured.term < term:\n",
				New:  "	case d.assured.term > term:\n",
			},
		},
		test: "./testcluster TestThiefInstallsNothing",
	},
	{
		name: "snapshot-leaves-out", bug: "a snapshot is taken that lacks what its receiver has applied",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/fsm.go",
			Old:  "	case !d.leadsThrough(own.Index(), own.Digest()):\n",
			New:  "	case !d.leadsThrough(own.Index(), own.Digest()) && own.Index() == 0:\n",
		}},
		test: "./testcluster TestThiefInstallsNothing",
	},
	{
		name: "order-not-signed", bug: "the leader obeys an order that nobody signed",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/signing.go",
			Old:  "	if !line.Verify(o.KeyTerm, message, o.Signature) {\n",
			New:  "	if false && !line.Verify(o.KeyTerm, message, o.Signature) {\n",
		}},
		test: "./testcluster TestThiefOrdersNothing",
	},
	{
		name: "calls-for-strangers", bug: "whoever has a certificate of the authority is served calls",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/calls.go",
			Old:  "	case !c.belongs(asker.Node):\n",
			New:  "	case false:\n",
		}},
		test: "./testcluster TestStrangersAreNotHeard",
	},
	{
		name: "any-key-of-a-node", bug: "a certificate speaks for a node whatever its key",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/identity/speaker.go",
			Old:  "	return slices.ContainsFunc(m.Keys, func(k []byte) bool { return string(k) == string(s.Key) })\n",
			New:  "	return slices.ContainsFunc(m.Keys, func(k []byte) bool { return len(k) == len(s.Key) })\n",
		}},
		test: "./testcluster TestKeysArePinned",
	},
	{
		name: "removed-is-heard", bug: "a node that was removed is heard",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/trust.go",
			Old:  "return c.removals.has(nodeID) }",
			New:  "return c.removals.has(nodeID) && nodeID == c.id }",
		}},
		test: "./testcluster TestThiefBringsNoNodeBack",
	},
	{
		name: "removed-keeps-its-stream",
		bug:  "a handshake that ends after a node was removed leaves it a connection",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/inbound.go",
			Old:  "	return in.c.listensTo(peer.Node) && in.c.meets(peer)",
			New:  "	return in.c.meets(peer)",
		}},
		test: "./cluster TestRemovedNodeIsCutOff",
	},
	{
		name: "change-done-when-asked",
		bug:  "the distance between changes of voters counts from before the first was in the log",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/follow.go",
			Old:  "		defer c.votersChange()\n",
			New:  "",
		}},
		test: "./cluster TestDistanceOfChangesOverASlowDisk",
	},
	{
		name: "leader-marks-itself", bug: "a leader puts the mark of its own removal into the log",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/membership.go",
			Old:  "	if !bytes.Contains(data, []byte(mark)) {\n",
			New:  "	if true || !bytes.Contains(data, []byte(mark)) {\n",
		}},
		test: "./cluster TestLeaderDoesNotMarkItself",
	},
	{
		name: "nobody-is-named", bug: "what no member does is refused and not said",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/accuse.go",
			Old:  "	if c.accused.note(node, d, c.wall()) {\n",
			New:  "	if c.accused.note(node, d, c.wall()) && false {\n",
		}},
		test: "./testcluster TestThiefBringsNoPurgedKeyBack",
	},
	{
		name: "entry-mended-unseen", bug: "a request of Raft's is mended before it is looked at",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "	keep, err := in.c.vet(peer, r)\n",
			New:  "	in.t.Mend(r)\n	keep, err := in.c.vet(peer, r)\n",
		}, {
			File: "keyquorum/cluster/raftfix/transport.go",
			Old:  "func (t *Transport) mend(",
			New: "func (t *Transport) Mend(r *raft.AppendEntriesRequest) { t.mend(r) }\n\n" +
				"func (t *Transport) mend(",
		}},
		test: "./testcluster TestThiefAppendsNothing",
	},
	{
		name: "leader-stays-doubted",
		bug:  "who spoke once in the name of the node that leads stops all others for its term",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "	c.hasItNow(peer, r)\n",
			New:  "",
		}},
		test: "./cluster TestLeaderThatHasTheEntryIsFollowedAgain",
	},
	{
		name: "one-word-removes",
		bug:  "a member believes one other that it was removed",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/trust.go",
			Old:  "2*c.removals.heardFrom(others) > len(others)",
			New:  "c.removals.heardFrom(others) > 0",
		}},
		test: "./cluster TestOneWordRemovesNobody",
	},
	{
		name: "liar-stops-a-term",
		bug:  "who speaks as leader of a term stops all for it, whoever leads in it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lacking.go",
			Old:  "(leader != l.leader || l.term > c.raft.CurrentTerm())",
			New:  "l.term > c.raft.CurrentTerm()",
		}},
		test: "./cluster TestTermIsItsLeadersAlone",
	},
	{
		name: "purged-stays", bug: "a folder is not rid of what was deleted",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/scrub.go",
			Old:  "func (c *Cluster) leftovers(v fsm.View) bool { return v.Erased() > c.Store.Scrubbed() }",
			New:  "func (c *Cluster) leftovers(v fsm.View) bool { return v.Erased() > c.Store.Scrubbed() && v.Index() == 0 }",
		}},
		test: "./testcluster TestPurgedIsGone",
	},
	{
		name: "machines-asleep",
		bug:  "after a start no snapshot is taken before somebody writes, and nobody serves before one is taken",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/leader.go",
			Old:  "	c.tasks.begin(c.wakeMachines)\n",
			New:  "",
		}},
		test: "./testcluster TestNodesThatStartWithNothingNewServe",
	},
	{
		name: "put-back-is-heard",
		bug:  "a member whose disk has forgotten what it had applied is taken for what it was",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lives/lives.go",
			Old:  "	case later && (next.Last < s.Applied || next.Term < s.Term):\n",
			New:  "	case later && next.Last > s.Applied && next.Last < s.Applied:\n",
		}},
		test: "./cluster TestDiskThatWasPutBackIsRefused",
	},
	{
		name: "copy-beside-is-heard",
		bug:  "a process on a copy of a folder takes the place of the one that goes on",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lives/book.go",
			Old:  "	alive := func() bool { return b.alive(from, known.said.Life, aliveFor) }\n",
			New:  "	alive := func() bool { return b.alive(from, known.said.Life, 0) }\n",
		}},
		test: "./cluster TestCopyBesideTheFirstIsRefused",
	},
	{
		name: "set-back-goes-on",
		bug:  "a machine that was set back does not look at what others have heard of it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lives/self.go",
			Old:  "a.Heard.Beat > m.Beat {",
			New:  "a.Heard.Beat > m.Beat+1<<32 {",
		}},
		test: "./cluster TestMachineThatWasSetBackFindsOut",
	},
	{
		name: "anybody-stops-a-member",
		bug:  "a member stops on the word of whoever says that it is not what it was",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lives/self.go",
			Old:  "	return s.Life.Count > 0 && hmac.Equal(tag[:], s.Tag[:])\n",
			New:  "	return s.Life.Count > 0 && len(tag) == len(s.Tag)\n",
		}},
		test: "./cluster TestLiesStopNobody",
	},
	{
		name: "lost-write-unsaid", bug: "who has applied what its leader's log lacks goes on serving",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "				c.lacks(peer, r.Term, e.Index)\n",
			New:  "",
		}},
		test: "./cluster TestWriteLostByADiskThatWasPutBackIsFoundOut",
	},
	{
		name: "heard-is-forgotten", bug: "what members said of themselves is forgotten with the process",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lives/book.go",
			Old:  "		b.byNode[h.Node] = &entry{said: h.Said}\n",
			New:  "		b.byNode[h.Node] = &entry{}\n",
		}},
		test: "./cluster TestWriteLostByADiskThatWasPutBackIsFoundOut",
	}, {
		name: "earlier-copy-forgotten",
		bug:  "a write that may have been applied before is reported as too old",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/commit.go",
			Old:  "	case sentBefore && (own.Kind",
			New:  "	case id == fsm.ID{} && (own.Kind",
		}},
		test: "./cluster TestOutcomeOfAWriteThatWasSentBeforeMayBeUnknown",
	},
	{
		name: "earlier-signature-forgotten",
		bug:  "whether a write may have been applied is forgotten when it is signed again",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/commit.go",
			Old:  "	for sent := false; ; { //",
			New:  "	for {\n		sent := false //",
		}},
		test: "./cluster TestOutcomeOfAWriteThatIsSignedAgainMayBeUnknown",
	},
	{
		name: "liar-stops-a-pair", bug: "one of two that lies about its state stops the other for good",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/digest.go",
			Old:  "	if mostAgree(answers, own[:]) > len(voters)/2 {\n",
			New:  "	if with <= len(voters)/2 && len(answers) == len(voters) {\n",
		}},
		test: "./cluster TestOneOfAPairStopsNobody",
	},
	{
		name: "difference-not-noted",
		bug:  "whose state differs from the leader's reads on under its lease until it is judged",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/digest.go",
			Old:  "	c.noteDiffers(answer.Index)\n",
			New:  "",
		}},
		test: "./cluster TestDivergedMemberReadsNothingUnjudged",
	},
	{
		name: "told-hides-found",
		bug:  "a member that is told of others' suspicions judges none of its own",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/digest.go",
			Old:  "	if tell {\n		judging =",
			New:  "	if tell && index == 0 {\n		judging =",
		}},
		test: "./cluster TestToldSuspicionsHideNoOther",
	},
	{
		name: "snapshot-awaited-by-raft",
		bug:  "Raft's main loop waits for whoever says that it sends a snapshot",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/inbound.go",
			Old:  "	aside, err := in.c.Store.Aside()\n",
			New:  "	if body != nil {\n		return io.NopCloser(body), nil\n	}\n	aside, err := in.c.Store.Aside()\n",
		}},
		test: "./cluster TestSnapshotThatNeverComesHoldsNothingUp",
	},
	{
		name: "message-of-any-length",
		bug:  "one message of Raft's is read for as long as it says that it is",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/port/pace.go",
			Old:  "	if m.node.bytes.Add(int64(n)) > m.node.most {\n",
			New:  "	if m.node.bytes.Add(int64(n)) > m.node.most<<20 {\n",
		}},
		test: "./cluster/port TestNoMessageIsLongerThanAnyLeaders",
	},
	{
		name: "redirect-followed",
		bug:  "a node sends its call to wherever the answer says, under its own certificate",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/calls/client.go",
			Old:  "		CheckRedirect: stayHere,\n",
			New:  "",
		}},
		test: "./cluster/calls TestNoAnswerSendsACallElsewhere",
	},
	{
		name: "calls-without-shares", bug: "one node has all that another does for its members",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/calls/shares.go",
			Old:  "		s = &share{slots: make(chan struct{}, l.most)}\n",
			New:  "		s = &share{slots: make(chan struct{}, 1000*l.most)}\n",
		}},
		test: "./cluster/calls TestNodesHaveTheirShareOfCalls",
	},
	{
		name: "hello-before-the-connection",
		bug:  "a connection of Raft's is used after a hello from before it was opened",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/connect.go",
			Old:  "	if err := c.greet(ctx, nodeID); err != nil {\n		conn.Close()\n",
			New:  "	if err := ctx.Err(); err != nil {\n		conn.Close()\n",
		}},
		test: "./cluster TestMachineThatIsSetBackWhileItDialsFindsOut",
	},
}
