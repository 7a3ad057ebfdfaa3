package main

import "keyquorum/internal/overlay"

const histories = "./testcluster TestHistories"

// mutants are the bugs that are seeded. They are of the kinds that systems like this one have had.
var mutants = []mutant{
	{
		name: "stale-reads", bug: "a node answers reads from its own copy without asking anybody",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/read.go",
			Old:  "	if !r.Must && t.MayRead(look, term) {",
			New:  "	if true {",
		}},
		test: histories,
	},
	{
		name: "verify-leader", bug: "the leader's fence rests on raft.VerifyLeader, which counts non-voters and answers to older questions",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/fence.go",
			Old:  "	c.askVoters(&fence)\n	if !fence.Proves(c.raft.CurrentTerm()) {",
			New:  "	if fence.Term == 0 || c.raft.VerifyLeader().Error() != nil {",
		}},
		test: "./cluster TestStaleLeaderDoesNotAnswer",
	},
	{
		name: "fence-joined-late", bug: "a reader takes the answer of a fence that was asked before it came",
		edits: []overlay.Edit{
			{File: "keyquorum/cluster/rounds.go", Old: "	maxRounds  = 2\n", New: "	maxRounds  = 1\n"},
			{File: "keyquorum/cluster/rounds.go", Old: "		r.next = nil\n		if current == nil {", New: "		if current == nil {"},
			{File: "keyquorum/cluster/lease/fence.go", Old: "return r.begun + 1 }", New: "return 1 }"},
			{
				File: "keyquorum/cluster/rounds.go",
				Old:  "		close(current.done)\n",
				New:  "		r.mu.Lock()\n		r.next = nil\n		r.mu.Unlock()\n		close(current.done)\n",
			},
		},
		test: histories,
	},
	{
		name: "fence-without-wait", bug: "a node takes its view before its state machine has got to the fence",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/fence.go",
			Old:  "		if err := c.fsm.Wait(ctx, answer.Index); err != nil {\n			return fenced{}, ErrUnavailable\n		}\n		known, err := c.compare(answer)",
			New:  "		known, err := answer.Index > 0, error(nil)",
		}},
		test: histories,
	},
	{
		name: "ahead-of-the-leader", bug: "a node answers from a state that not everybody who may answer has got to",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/read.go",
			Old:  "	if e >= r.Need {",
			New:  "	if true {",
		}},
		test: "./cluster TestFollowerAheadOfTheLeaderWaits",
	},
	{
		name: "term-not-opened", bug: "a new leader serves before an entry of its own term is applied",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/leader.go",
			Old:  "			c.openTerm(term)\n",
			New:  "			c.elected(term)\n			c.step(func(n lease.Steps, now lease.Reading) { n.Opened(now) })\n			c.opened.Store(term)\n",
		}},
		test: "./cluster TestNewLeaderServesNobodyBeforeItsTermIsOpen",
	},
	{
		name: "term-opened-early", bug: "a new leader serves before its state machine has applied what its predecessor acknowledged",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/leader.go",
			Old:  " || c.fsm.Wait(c.ctx, opening.Before) != nil {",
			New:  " {",
		}, {
			File: "keyquorum/cluster/lease/opening.go",
			Old:  "		r.Applied >= o.Before && ",
			New:  "		",
		}},
		test: "./cluster TestNewLeaderWaitsForItsStateMachine",
	},
	{
		name: "vote-lost", bug: "a vote that went into a connection without another end counts as refused",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/votes.go",
			Old:  "	for range maxPool + sparesEach {",
			New:  "	for range maxPool - maxPool {",
		}},
		test: "./cluster TestVotesOutliveConnections",
	},
	{
		name: "pipeline-unread", bug: "a pipeline takes requests behind a refusal, whose answers Raft reads no more",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/pipeline.go",
			Old:  "	for more := true; more; {\n",
			New:  "	for more := true; more || !more; {\n",
		}},
		test: "./cluster/raftfix TestPipelineEndsWithARefusal",
	},
	{
		name: "term-changed-beside", bug: "a heartbeat changes Raft's term beside its main loop, so that a late vote elects a second leader of a term",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/terms.go",
			Old:  "	if !t.terms.beside(rpc) {\n",
			New:  "	if (*t.terms.handle.Load())(rpc); false {\n",
		}},
		test: "./cluster TestLateVoteElectsNobodyInTheNextTerm",
	},
	{
		name: "early-acknowledgement", bug: "the leader acknowledges a write that it has put into its own log only",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/commit.go",
			Old:  "	response, err := c.apply(ctx, term, data)\n",
			New:  "	go c.apply(context.WithoutCancel(ctx), term, data)\n	var response any = fsm.Outcome{Kind: fsm.Applied, Index: c.fsm.View().Index()}\n	var err error\n",
		}},
		test: histories,
	},
	{
		name: "fsync-forgotten", bug: "the log is written and not synced",
		edits: []overlay.Edit{{
			File: "keyquorum/storage/bolt.go",
			Old:  "raftboltdb.Options{Path: path, ",
			New:  "raftboltdb.Options{Path: path, NoSync: true, ",
		}},
		test: "./testcluster TestPowerCuts",
	},
	{
		name: "id-forgotten", bug: "the state machine applies a transaction again when it comes again",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/apply.go",
			Old:  "		o, decided = d.outcome(c.txn.ID)\n",
			New:  "		o, decided = Outcome{}, false\n",
		}},
		test: "./fsm TestScripts",
	},
	{
		name: "stale-cache", bug: "a record is answered from a cache beside the state, though it has changed",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/cache.go",
			Old:  "	if !young && !ok || e.stamp != s {",
			New:  "	if !young && !ok {",
		}},
		test: histories,
	},
	{
		name: "time-in-apply", bug: "what the state machine decides depends on the clock of the machine",
		edits: []overlay.Edit{
			{File: "keyquorum/fsm/apply.go", Old: "import (\n	\"fmt\"\n", New: "import (\n	\"fmt\"\n	\"time\"\n"},
			{
				File: "keyquorum/fsm/apply.go",
				Old:  "	if t.Base >= index || index-t.Base > IDWindow {",
				New:  "	if t.Base >= index || index-t.Base > IDWindow || time.Now().UnixNano()%512 == 0 {",
			},
		},
		test: histories,
	},
	{
		name: "lost-update", bug: "a deletion that met another change writes back what it had read at first",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/objects.go",
			Old:  "func (k *collection[T]) performDelete(ctx context.Context, v *Vaults, c Caller, name string) (T, error) {\n",
			New:  "func (k *collection[T]) performDelete(ctx context.Context, v *Vaults, c Caller, name string) (T, error) {\n	var read *head\n",
		}, {
			File: "keyquorum/vault/objects.go",
			Old:  "		h := *o.head\n		h.State, h.Deleted = deleted, d.now.Unix()\n",
			New:  "		if read == nil {\n			read = o.head\n		}\n		h := *read\n		h.State, h.Deleted = deleted, d.now.Unix()\n",
		}},
		test: histories,
	},
	{
		name: "answer-before-record", bug: "a request is answered before its usage record is written",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/usage.go",
			Old:  "	if v.write(e) != nil {\n		answer = internal(",
			New:  "	go v.write(e)\n	if false {\n		answer = internal(",
		}},
		test: histories,
	},
	{
		name: "access-remembered", bug: "an access decision outlives the record that it was made from",
		edits: []overlay.Edit{
			{File: "keyquorum/vault/remembered.go", New: "package vault\n\nimport \"sync\"\n\nvar remembered sync.Map\n\ntype decided struct {\n	v    *Vaults\n	path string\n	p    permission\n}\n"},
			{
				File: "keyquorum/vault/access.go",
				Old:  "	if !ok || !w.anyone && !a.allowed.has(w.permission) {\n		return d.deny(c, w.permission)\n	}\n	return nil\n",
				New: "	key := decided{d.v, accessPath(d.vault.ID, c.Identity.OID), w.permission}\n	if _, before := remembered.Load(key); before {\n		return nil\n	}\n" +
					"	if !ok || !w.anyone && !a.allowed.has(w.permission) {\n		return d.deny(c, w.permission)\n	}\n	remembered.Store(key, true)\n	return nil\n",
			},
		},
		test: histories,
	},
	{
		name: "path-not-bound", bug: "a record's associated data lacks its path: it opens at any other",
		edits: []overlay.Edit{{
			File: "keyquorum/seal/envelope.go",
			Old:  "	b = appendPart(b, path)\n",
			New:  "",
		}},
		test: "./seal TestRecordsOpenOnlyWhereTheyBelong",
	},
	{
		name: "share-not-checked", bug: "a share is taken whatever its hash says",
		edits: []overlay.Edit{{
			File: "keyquorum/seal/lock.go",
			Old:  "return l.shareHashes[at:at+shareHashSize] == l.hashShare(raw)",
			New:  "return l.hashShare(raw) != \"\"",
		}},
		test: "./seal TestBadSharesAreRefusedByName",
	},
	{
		name: "any-lock", bug: "a joiner opens the seal record of another lock than the one that its shares were checked against",
		edits: []overlay.Edit{{
			File: "keyquorum/seal/opener.go",
			Old:  "	case r.Lock != o.lock:",
			New:  "	case r.Lock == (Lock{}):",
		}},
		test: "./seal TestRecordOfAnotherLock",
	},
	{
		name: "signing-key-stays", bug: "a sealed node holds what the library computed from a signing key until a cleanup runs",
		edits: []overlay.Edit{{
			File: "keyquorum/seal/keyring.go",
			Old:  "	Do(func() { ed25519.Sign(t.signing, nil) })\n",
			New:  "",
		}},
		test: "./seal TestNoKeyIsInMemoryAfterClose",
	},
	{
		name: "record-for-strangers", bug: "whoever asks to join is given the wrapped root key",
		edits: []overlay.Edit{{
			File: "keyquorum/node/join.go",
			Old:  "Lock: m.sealRecord().Lock.Encode(), Nonce: n.nonces.make(serverID, time.Now())}",
			New:  "Lock: m.sealRecord().Encode(), Nonce: n.nonces.make(serverID, time.Now())}",
		}},
		test: "./node TestAChallengeIsALockAndTheRecordComesLater",
	},
	{
		name: "admission-not-proved", bug: "an admission's proof leaves out what the joiner is to trust",
		edits: []overlay.Edit{{
			File: "keyquorum/node/joinproof.go",
			Old:  "a.SealRecord, a.Trust)",
			New:  "a.SealRecord)",
		}},
		test: "./node TestForgedAdmissionIsRefused",
	},
	{
		name: "right-not-held", bug: "a write is not held to the access record that allowed it, so it may follow its revocation",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/access.go",
			Old:  "	a, ok, err := load(d, d.v.grants, accessPath(d.vault.ID, c.Identity.OID))\n",
			New: "	held, ok := d.view.Get(accessPath(d.vault.ID, c.Identity.OID))\n	a := &access{}\n	if ok {\n" +
				"		a, err = decoded(d, d.v.grants, accessPath(d.vault.ID, c.Identity.OID), held)\n	}\n",
		}},
		test: "./vault TestRevokedBetweenDecisionAndCommit",
	},
	{
		name: "digest-not-compared", bug: "a node whose state differs from the majority's goes on answering",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/digest.go",
			Old:  "	if bytes.Equal(own[:], answer.Digest) {",
			New:  "	if bytes.Equal(own[:], own[:]) {",
		}},
		test: "./cluster TestAlteredSnapshotIsFoundOut",
	},
	{
		name: "refusal-from-an-old-view", bug: "a refusal is drawn from a node's own copy, current or not",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/perform.go",
			Old:  "		d, err = v.current(ctx, &decision{v: v, fenced: d.fenced, writes: true, committed: d.committed}, decide)\n",
			New:  "",
		}},
		test: histories,
	},
	{
		name: "unknown-called-sure", bug: "a write that was sent and not heard of again is said to have surely not happened",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/commit.go",
			Old:  "	if sent {\n		return fsm.Outcome{}, ErrUnknown\n	}\n",
			New:  "",
		}},
		test: "./testcluster TestWriteOfALeaderThatIsCutOff",
	},
	{
		name: "raft-term-panic", bug: "Raft panics when it can't store its term, and no sentence says which disk failed",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/stable.go",
			Old:  "		runtime.Goexit()\n",
			New:  "		_ = runtime.Goexit\n",
		}},
		test: "./cluster/raftfix TestTermThatCannotBeStored",
	},
	{
		name: "late-lapse", bug: "a dead leader is noticed when Raft's own timers happen to look",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/cluster.go",
			Old:  "	c.wg.Go(c.watchLeader)\n",
			New:  "",
		}},
		test: "./testcluster TestDeadLeaderIsReplacedAtOnce",
	},
	{
		name: "both-stand", bug: "a follower that is storing the term in which it stands is taken for one that can't stand",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lapse.go",
			Old:  " || c.stands(), Serves",
			New:  " || c.stands() && false, Serves",
		}},
		test: "./cluster TestOneStandsWhileItsTermIsStored",
	},
	{
		name: "overtaken-log", bug: "what a log held below a snapshot that a leader sent stays in it, and is handed out",
		edits: []overlay.Edit{{
			File: "keyquorum/storage/logs.go",
			Old:  "	return s.deleteUpTo(index)\n",
			New:  "	return nil\n",
		}},
		test: "./testcluster TestWhatNobodyTookIsNotHandedOut",
	},
	{
		name: "old-listing", bug: "a listing of a vault is drawn from the node's own copy, current or not",
		edits: []overlay.Edit{unfenced, {
			File: "keyquorum/vault/perform.go",
			Old:  "	d, err := v.settle(ctx, c.Fenced, ",
			New:  "	settle := v.settle\n	if w.unnamed {\n		settle = v.unfenced\n	}\n	d, err := settle(ctx, c.Fenced, ",
		}},
		test: "./vault TestListingsAreCurrentWhereTheCopyLags",
	},
	{
		name: "old-client-secret", bug: "a token is issued for what the node's own copy knows of the client, current or not",
		edits: []overlay.Edit{unfenced, {
			File: "keyquorum/vault/identity.go",
			Old:  "v.settle(ctx, r.Fenced, false, func(d *decision) (err error) {\n		token,",
			New:  "v.unfenced(ctx, r.Fenced, false, func(d *decision) (err error) {\n		token,",
		}},
		test: "./vault TestRemovedClientSecretGivesNoTokenWhereTheCopyLags",
	},
	{
		name: "gone-not-recorded", bug: "what was done for a client that has gone is not recorded",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/perform.go",
			Old:  "	if err = v.recordUse(c, w, t, d, err); err == nil && d.late() {\n",
			New:  "	if ctx.Err() == nil {\n		err = v.recordUse(c, w, t, d, err)\n	}\n	if err == nil && d.late() {\n",
		}},
		test: "./vault TestUseIsRecordedWhenTheClientHasGone",
	},
	{
		name: "sealed-meanwhile", bug: "a node that is sealed while it decides answers all the same",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/perform.go",
			Old:  "		return d, seal.ErrSealed // what was opened",
			New:  "		return d, err // what was opened",
		}},
		test: "./vault TestSealedMeanwhile",
	},
	{
		name: "holders-not-waited-for", bug: "a write is acknowledged though a node with a lease has not applied it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/everywhere.go",
			Old:  "		least = min(least, g.Applied)\n",
			New:  "",
		}},
		test: "./cluster TestWriteWaitsForLeases",
	},
	{
		name: "new-leader-does-not-wait", bug: "a new leader acknowledges while leases of older terms may live",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/majority.go",
			Old:  "	t.Quiet = all || ",
			New:  "	t.Quiet = true || all || ",
		}},
		test: "./cluster TestWriteWaitsForLeases",
	},
	{
		name: "lease-counted-from-the-answer", bug: "a node counts its lease from when the answer came, and not from before it asked",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/holder.go",
			Old:  "	old, granted := n.Lease, Lease{c.Term, asked.Now + min(",
			New:  "	old, granted := n.Lease, Lease{c.Term, r.Now + min(",
		}},
		test: "./cluster TestWriteWaitsForLeases",
	},
	{
		name: "lease-outlives-the-leaders", bug: "a leader gives leases that run for longer than its own",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/grant.go",
			Old:  "	left := min(life, t.support(servers)-r.Now) // L4\n",
			New:  "	left := life\n",
		}},
		test: "./cluster TestWriteWaitsForLeases",
	},
	{
		name: "lease-across-terms", bug: "a node goes on reading under a lease of a term that is over",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/holder.go",
			Old:  "	return look < l.Until && term == l.Term",
			New:  "	return look < l.Until",
		}},
		test: "./cluster TestLeaseEndsWithItsTerm",
	},
	{
		name: "stuck-leader", bug: "a leader whose disk hangs goes on telling its followers that it leads",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/stuck.go",
			Old:  "	if t.config.Waiting() > stuckAfter {\n",
			New:  "	if t.config.Waiting() > 1000*stuckAfter {\n",
		}},
		test: "./testcluster TestLeaderWithAHangingDiskIsReplaced",
	},
	{
		name: "clocks-not-compared", bug: "a node whose clock runs at half the rate of the leader's takes leases",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/clocks.go",
			Old:  "	if !agreed {\n",
			New:  "	if !agreed && false {\n",
		}},
		test: "./cluster TestClocksOfDifferentRates",
	},
	{
		name: "revocation-not-awaited", bug: "a revocation is acknowledged while a node that is cut off still honours the right",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/everywhere.go",
			Old:  "		least = min(least, g.Applied)\n",
			New:  "",
		}},
		test: "./testcluster TestRevocationHoldsEverywhere",
	},
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
		name: "version-before-signature", bug: "an entry of an unknown version stops a node, though nobody signed it",
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
		name: "members-two-at-once", bug: "the members change again before Raft's configuration has followed",
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
		name: "late-leader-accused", bug: "a leader that was deposed while it was cut off is held for a liar",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "	if r.Term < c.raft.CurrentTerm() {\n",
			New:  "	if false && r.Term < c.raft.CurrentTerm() {\n",
		}},
		test: "./cluster TestDeposedLeaderIsNotAccused",
	},
	{
		name: "committed-rewritten", bug: "a leader replaces entries that a follower knows to be committed",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "			if c.rewritten(e) {\n",
			New:  "			if false && c.rewritten(e) {\n",
		}},
		test: "./testcluster TestThiefAppendsNothing",
	},
	{
		name: "commit-index-forgotten", bug: "a node that has started knows nothing of what is committed in its log",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/known.go",
			Old:  "max(c.raft.CommitIndex(), c.marked.Load())",
			New:  "max(c.raft.CommitIndex(), 0)",
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
			File: "keyquorum/cluster/vetting.go",
			Old:  "	if leader == \"\" || leader == peer || term",
			New:  "	if leader != \"\" || string(leader) == peer || term",
		}},
		test: "./testcluster TestThiefAppendsNothing",
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
		name: "snapshot-not-vouched", bug: "a snapshot is taken though no unsealed member vouched for the state in it",
		edits: []overlay.Edit{
			{
				File: "keyquorum/fsm/restore.go",
				Old:  "	if d.vouched == nil {\n		return errUnvouched\n",
				New:  "	if d.vouched == nil {\n		d.vouched, d.candidate = d.candidate, nil\n",
			},
			{
				File: "keyquorum/fsm/fsm.go",
				Old:  "	case d.assured < term:\n",
				New:  "	case d.assured > term:\n",
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
			Old:  "	case !c.belongs(asker.node):\n",
			New:  "	case false:\n",
		}},
		test: "./testcluster TestStrangersAreNotHeard",
	},
	{
		name: "any-key-of-a-node", bug: "a certificate speaks for a node whatever its key",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/admission.go",
			Old:  "	return slices.ContainsFunc(m.Keys, func(k []byte) bool { return string(k) == string(s.key) })\n",
			New:  "	return slices.ContainsFunc(m.Keys, func(k []byte) bool { return len(k) == len(s.key) })\n",
		}},
		test: "./testcluster TestKeysArePinned",
	},
	{
		name: "removed-is-heard", bug: "a node that was removed is heard",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/trust.go",
			Old:  "return (*c.removedID.Load())[nodeID] }",
			New:  "return (*c.removedID.Load())[nodeID] && nodeID == c.id }",
		}},
		test: "./testcluster TestThiefBringsNoNodeBack",
	},
	{
		name: "removed-keeps-its-stream", bug: "a handshake that ends after a node was removed leaves it a connection",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/inbound.go",
			Old:  "	if !in.c.listensTo(peer.node) || !in.c.meets(peer) {",
			New:  "	if !in.c.meets(peer) {",
		}},
		test: "./cluster TestRemovedNodeIsCutOff",
	},
	{
		name: "change-done-when-asked", bug: "the distance between changes of voters counts from before the first was in the log",
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
			New:  "	in.t.mend(r)\n	keep, err := in.c.vet(peer, r)\n",
		}},
		test: "./testcluster TestThiefAppendsNothing",
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
		name: "machines-asleep", bug: "after a start no snapshot is taken before somebody writes, and nobody serves before one is taken",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/leader.go",
			Old:  "	c.wg.Go(c.wakeMachines)\n",
			New:  "",
		}},
		test: "./testcluster TestNodesThatStartWithNothingNewServe",
	},
	{
		name: "put-back-is-heard", bug: "a member whose disk has forgotten what it had applied is taken for what it was",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lives.go",
			Old:  "	case later && (next.Last < s.Applied || next.Term < s.Term):\n",
			New:  "	case later && next.Last > s.Applied && next.Last < s.Applied:\n",
		}},
		test: "./cluster TestDiskThatWasPutBackIsRefused",
	},
	{
		name: "copy-beside-is-heard", bug: "a process on a copy of a folder takes the place of the one that goes on",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/hello.go",
			Old:  "	alive := func() bool { return c.port.alive(from, known.said.Life, aliveFor) }\n",
			New:  "	alive := func() bool { return c.port.alive(from, known.said.Life, 0) }\n",
		}},
		test: "./cluster TestCopyBesideTheFirstIsRefused",
	},
	{
		name: "set-back-goes-on", bug: "a machine that was set back does not look at what others have heard of it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/greet.go",
			Old:  "answer.Heard.Beat > g.beat {",
			New:  "answer.Heard.Beat > g.beat+1<<32 {",
		}},
		test: "./cluster TestMachineThatWasSetBackFindsOut",
	},
	{
		name: "anybody-stops-a-member", bug: "a member stops on the word of whoever says that it is not what it was",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lives.go",
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
			File: "keyquorum/cluster/known.go",
			Old:  "		c.hears.byID[h.Node] = &heardOf{said: h.Said}\n",
			New:  "		c.hears.byID[h.Node] = &heardOf{}\n",
		}},
		test: "./cluster TestWriteLostByADiskThatWasPutBackIsFoundOut",
	},
}

// unfenced is a way to decide that asks nobody whether the node's own copy is current.
var unfenced = overlay.Edit{File: "keyquorum/vault/unfenced.go", New: "package vault\n\nimport \"context\"\n\n" +
	"func (v *Vaults) unfenced(_ context.Context, _, _ bool, decide func(*decision) error) (*decision, error) {\n" +
	"	d := &decision{v: v}\n	d.begin(v.cfg.Replica.View())\n	return d, decide(d)\n}\n"}
