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
		name: "verify-leader",
		bug:  "the leader's fence rests on raft.VerifyLeader, which counts non-voters and answers to older questions",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/fence.go",
			Old:  "	c.askVoters(&fence)\n	if !fence.Proves(c.raft.CurrentTerm()) {",
			New: `	verified := make(chan error, 1)
	go func() { verified <- c.raft.VerifyLeader().Error() }()
	var unverified error
	select {
	case unverified = <-verified:
	case <-time.After(time.Second):
		unverified = errNotConfirmed
	}
	if fence.Term == 0 || unverified != nil {`,
		}},
		test: "./cluster TestStaleLeaderDoesNotAnswer",
	},
	{
		name: "fence-joined-late",
		bug:  "a reader takes the answer of a fence that was asked before it came",
		edits: []overlay.Edit{
			{File: "keyquorum/cluster/rounds.go", Old: "	maxRounds  = 2\n", New: "	maxRounds  = 1\n"},
			{File: "keyquorum/cluster/rounds.go", Old: "		r.next = nil\n		if current == nil {",
				New: "		if current == nil {"},
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
		name: "fence-without-wait",
		bug:  "a node takes its view before its state machine has got to the fence",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/fence.go",
			Old:  "		if err := c.fsm.Wait(ctx, answer.Index); err != nil {\n			return fenced{}, ErrUnavailable\n		}\n		known, err := c.compare(answer)",
			New:  "		known, err := answer.Index > 0, error(nil)",
		}, {
			File: "keyquorum/cluster/read.go",
			Old:  "r.Fenced(f.look.at, f.index)",
			New:  "r.Fenced(f.look.at, 0*f.index)",
		}},
		test: histories,
	},
	{
		name: "ahead-of-the-leader",
		bug:  "a node answers from a state that not everybody who may answer has got to",
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
		name: "term-opened-early",
		bug:  "a new leader serves before its state machine has applied what its predecessor acknowledged",
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
		name: "pipeline-unread",
		bug:  "a pipeline takes requests behind a refusal, whose answers Raft reads no more",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/pipeline.go",
			Old:  "	for more := true; more; {\n",
			New:  "	for more := true; more || !more; {\n",
		}},
		test: "./cluster/raftfix TestPipelineEndsWithARefusal",
	},
	{
		name: "term-changed-beside",
		bug:  "a heartbeat changes Raft's term beside its main loop, so that a late vote elects a second leader of a term",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/terms.go",
			Old:  "	if !t.terms.beside(rpc) {\n",
			New:  "	if (*t.terms.handle.Load())(rpc); false {\n",
		}},
		test: "./cluster TestLateVoteElectsNobodyInTheNextTerm",
	},
	{
		name: "early-acknowledgement",
		bug:  "the leader acknowledges a write that it has put into its own log only",
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
		name: "stale-cache",
		bug:  "a record is answered from a cache beside the state, though it has changed",
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
			{File: "keyquorum/fsm/apply.go", Old: "import (\n	\"fmt\"\n",
				New: "import (\n	\"fmt\"\n	\"time\"\n"},
			{
				File: "keyquorum/fsm/apply.go",
				Old:  "	if t.Base >= index || index-t.Base > IDWindow {",
				New:  "	if t.Base >= index || index-t.Base > IDWindow || time.Now().UnixNano()%512 == 0 {",
			},
		},
		test: histories,
	},
	{
		name: "lost-update",
		bug:  "a deletion that met another change writes back what it had read at first",
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
			{File: "keyquorum/vault/remembered.go",
				New: "package vault\n\nimport (\n	\"sync\"\n\n	\"keyquorum/vault/access\"\n)\n\nvar remembered sync.Map\n\ntype decided struct {\n	v    *Vaults\n	path string\n	a    access.Action\n}\n"},
			{
				File: "keyquorum/vault/access.go",
				Old: "	switch {\n	case w.any != 0 && (!ok || a.allowed&w.any == 0):\n		return d.denyAny(c, w.any)\n" +
					"	case w.any == 0 && (!ok || !a.allowed.Has(w.action)):\n		return d.deny(c, w.action)\n	}\n	d.allowed = a.allowed\n	return nil\n",
				New: "	key := decided{d.v, accessPath(d.vault.ID, c.Identity.OID), w.action}\n	if _, before := remembered.Load(key); before {\n		return nil\n	}\n" +
					"	switch {\n	case w.any != 0 && (!ok || a.allowed&w.any == 0):\n		return d.denyAny(c, w.any)\n" +
					"	case w.any == 0 && (!ok || !a.allowed.Has(w.action)):\n		return d.deny(c, w.action)\n	}\n" +
					"	d.allowed = a.allowed\n	remembered.Store(key, true)\n	return nil\n",
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
		name: "signing-key-stays",
		bug:  "a sealed node holds what the library computed from a signing key until a cleanup runs",
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
			Old:  "Lock: m.sealRecord().Lock.Encode(), Nonce: n.nonces.make(serverID, time.Now()),",
			New:  "Lock: m.sealRecord().Encode(), Nonce: n.nonces.make(serverID, time.Now()),",
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
		name: "right-not-held",
		bug:  "a write is not held to the access record that allowed it, so it may follow its revocation",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/access.go",
			Old:  "	a, ok, err := load(d, d.v.grants, accessPath(d.vault.ID, c.Identity.OID))\n",
			New: "	held, ok := d.view.Get(accessPath(d.vault.ID, c.Identity.OID))\n	a := &grant{}\n	if ok {\n" +
				"		a, err = decoded(d, d.v.grants, accessPath(d.vault.ID, c.Identity.OID), held)\n	}\n",
		}},
		test: "./vault TestRevokedBetweenDecisionAndCommit",
	},
	{
		name: "digest-not-compared",
		bug:  "a node whose state differs from the majority's goes on answering",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/digest.go",
			Old:  "	if bytes.Equal(own[:], answer.Digest) {",
			New:  "	if bytes.Equal(own[:], own[:]) {",
		}},
		test: "./cluster TestAlteredSnapshotIsFoundOut",
	},
	{
		name: "refusal-from-an-old-view",
		bug:  "a refusal is drawn from a node's own copy, current or not",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/perform.go",
			Old:  "		d, err = v.current(ctx, &decision{v: v, fenced: d.fenced, writes: true, committed: d.committed}, decide)\n",
			New:  "",
		}},
		test: histories,
	},
	{
		name: "unknown-called-sure",
		bug:  "a write that was sent and not heard of again is said to have surely not happened",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/commit.go",
			Old:  "	if sent {\n		return ErrUnknown\n	}\n",
			New:  "	if sent {\n		return ErrUnavailable\n	}\n",
		}},
		test: "./testcluster TestWriteOfALeaderThatIsCutOff",
	},
	{
		name: "raft-term-panic",
		bug:  "Raft panics when it can't store its term, and no sentence says which disk failed",
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
			Old:  "	c.tasks.begin(c.watchLeader)\n",
			New:  "",
		}},
		test: "./testcluster TestDeadLeaderIsReplacedAtOnce",
	},
	{
		name: "both-stand", bug: "a follower that is storing the term in which it stands is taken for one that can't stand",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/succession.go",
			Old:  " || c.stands()\n",
			New:  " || c.stands() && false\n",
		}},
		test: "./cluster TestOneStandsWhileItsTermIsStored",
	},
	{
		name: "overtaken-log",
		bug:  "what a log held below a snapshot that a leader sent stays in it, and is handed out",
		edits: []overlay.Edit{{
			File: "keyquorum/storage/logs.go",
			Old:  "	return s.deleteUpTo(index)\n",
			New:  "	return nil\n",
		}},
		test: "./testcluster TestWhatNobodyTookIsNotHandedOut",
	},
	{
		name: "old-listing",
		bug:  "a listing of a vault is drawn from the node's own copy, current or not",
		edits: []overlay.Edit{unfenced, {
			File: "keyquorum/vault/perform.go",
			Old:  "	d, err := v.settleInLine(ctx, c.Fenced, w.writes, w.line(c, t), decide)\n",
			New: "	settle := v.settle\n	if w.unnamed {\n		settle = v.unfenced\n	}\n" +
				"	d, err := settle(ctx, c.Fenced, w.writes, decide)\n",
		}},
		test: "./vault TestListingsAreCurrentWhereTheCopyLags",
	},
	{
		name: "old-client-secret",
		bug:  "a token is issued for what the node's own copy knows of the client, current or not",
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
		name: "holders-not-waited-for",
		bug:  "a write is acknowledged though a node with a lease has not applied it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/everywhere.go",
			Old:  "		least = min(least, g.Applied)\n",
			New:  "",
		}},
		test: "./cluster TestWriteWaitsForLeases",
	},
	{
		name: "new-leader-does-not-wait",
		bug:  "a new leader acknowledges while leases of older terms may live",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/majority.go",
			Old:  "	t.Quiet = all || ",
			New:  "	t.Quiet = true || all || ",
		}},
		test: "./cluster TestWriteWaitsForLeases",
	},
	{
		name: "lease-counted-from-the-answer",
		bug:  "a node counts its lease from when the answer came, and not from before it asked",
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
		name: "stuck-leader",
		bug:  "a leader whose disk hangs goes on telling its followers that it leads",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/raftfix/stuck.go",
			Old:  "	if t.config.Waiting() > stuckAfter {\n",
			New:  "	if t.config.Waiting() > 1000*stuckAfter {\n",
		}},
		test: "./testcluster TestLeaderWithAHangingDiskIsReplaced",
	},
	{
		name: "clocks-not-compared",
		bug:  "a node whose clock runs at half the rate of the leader's takes leases",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/clocks.go",
			Old:  "	if !agreed {\n",
			New:  "	if !agreed && false {\n",
		}},
		test: "./cluster TestClocksOfDifferentRates",
	},
	{
		name: "revocation-not-awaited",
		bug:  "a revocation is acknowledged while a node that is cut off still honours the right",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/lease/everywhere.go",
			Old:  "		least = min(least, g.Applied)\n",
			New:  "",
		}},
		test: "./testcluster TestRevocationHoldsEverywhere",
	},
	{
		name: "writes-without-room", bug: "a node goes on taking writes until its disk is full",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/perform.go",
			Old:  "	if !d.relieves {\n",
			New:  "	if false {\n",
		}},
		test: "./testcluster TestShortOfRoom",
	},
	{
		name: "room-not-told",
		bug:  "a node that is short of room tells nobody, and the others write until a majority has none",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/room.go",
			Old:  "	if !short && !c.rooms.told {\n",
			New:  "	if true {\n",
		}},
		test: "./testcluster TestShortOfRoom",
	},
	{
		name: "rights-kept-without-room",
		bug:  "without room nobody can take a right away, or delete what takes the room",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/perform.go",
			Old:  "	if !d.relieves {\n",
			New:  "	if true {\n",
		}},
		test: "./vault TestWritesWithoutRoom",
	},
}

// unfenced is a way to decide that asks nobody whether the node's own copy is current.
var unfenced = overlay.Edit{File: "keyquorum/vault/unfenced.go",
	New: "package vault\n\nimport \"context\"\n\n" +
		"func (v *Vaults) unfenced(_ context.Context, _, _ bool, decide func(*decision) error) (*decision, error) {\n" +
		"	d := &decision{v: v}\n	d.begin(v.cfg.Replica.View())\n	return d, decide(d)\n}\n"}
