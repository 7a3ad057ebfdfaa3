package main

import "keyquorum/internal/overlay"

// recoveryMutants are bugs in what brings a cluster, or a node, back: snapshots, recoveries, and
// the wait of a node that is unsealed.
var recoveryMutants = []mutant{
	{
		name: "recovery-in-a-log",
		bug:  "an unsealed member ends a live cluster by the entry with which a lost one is recovered",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/apply.go",
			Old:  "	if !kept {\n",
			New:  "	if false {\n",
		}},
		test: "./fsm TestRecoveryIsNothingForALiveCluster",
	},
	{
		name: "recovered-with-a-member-of-before",
		bug:  "a member of before belongs to the cluster that was recovered without it",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/apply.go",
			Old:  "		if t.value(RemovedDir+s.ID) == nil {\n",
			New:  "		if false {\n",
		}},
		test: "./fsm TestRecoveriesThatBreakARule",
	},
	{
		name: "snapshot-of-another-generation",
		bug:  "a member of before takes the state of the cluster that was recovered without it",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/fsm.go",
			Old:  "	case d.generation != own.Generation() && own.Index() > 0:\n",
			New:  "	case false:\n",
		}},
		test: "./fsm TestRecoveryIsNothingForALiveCluster",
	},
	{
		name: "snapshot-sums-unread", bug: "a snapshot that was damaged or altered passes for whole",
		edits: []overlay.Edit{{
			File: "keyquorum/node/archive/read.go",
			Old:  "	if !bytes.Equal(found, sums) {\n",
			New:  "	if len(found) == 0 {\n",
		}},
		test: "./node/archive TestForeignArchives",
	},
	{
		name: "snapshot-sums-of-anybody",
		bug:  "a snapshot that no node of the cluster wrote passes for one",
		edits: []overlay.Edit{{
			File: "keyquorum/node/snapshotfile.go",
			Old:  "	if err != nil || !bytes.Equal(sums, s.sums) {\n",
			New:  "	if _ = err; false && !bytes.Equal(sums, s.sums) {\n",
		}},
		test: "./httpapi TestSnapshotsAreNotMixed",
	},
	{
		name: "recovered-by-the-newest-key",
		bug:  "a state whose older transaction keys somebody made passes for the cluster's",
		edits: []overlay.Edit{{
			File: "keyquorum/node/lockedstate.go",
			Old:  "	for _, key := range line {\n",
			New:  "	for _, key := range line[len(line)-1:] {\n",
		}},
		test: "./node TestKeyringHoldsEveryKeyOfALine",
	},
	{
		name: "snapshot-behind-any-folder",
		bug:  "an old folder is taken before a newer snapshot, for its entries have terms",
		edits: []overlay.Edit{{
			File: "keyquorum/node/remnants.go",
			Old:  "	if (r.NodeID == \"\") != (than.NodeID == \"\") {\n",
			New:  "	if false {\n		ahead := false\n",
		}, {
			File: "keyquorum/node/remnants.go",
			Old:  "		ahead := r.fsm.View().Index() > than.fsm.View().Index()\n",
			New:  "",
		}},
		test: "./testcluster TestLostCluster",
	},
	{
		name: "seal-waits-for-a-leader",
		bug:  "whoever seals a node waits while it waits for a leader to be unsealed",
		edits: []overlay.Edit{{
			File: "keyquorum/node/unseal.go",
			Old:  "	select {\n	case err = <-opened:\n",
			New:  "	n.mu.Lock()\n	defer n.mu.Unlock()\n	select {\n	case err = <-opened:\n",
		}, {
			File: "keyquorum/node/unseal.go",
			Old:  "	case <-wait.Done():\n	}\n	n.mu.Lock()\n	defer n.mu.Unlock()\n",
			New:  "	case <-wait.Done():\n	}\n",
		}},
		test: "./testcluster TestNobodyWaitsWhileANodeWaitsForALeader",
	},
	{
		name: "decided-before-a-restoration",
		bug:  "what was decided before a restoration is applied to what was restored",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/apply.go",
			Old:  "	case t.Generation != d.generation, d.outlived(t):\n",
			New:  "	case t.Generation != d.generation:\n",
		}},
		test: "./fsm TestRestoration",
	},
	{
		name: "restored-unseen",
		bug:  "a read that finds nothing passes by the restoration that took it away",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/state.go",
			Old:  "		return max(s.restored, s.index-min(s.index, IDWindow))\n	}\n	return max(s.restored, dir.below)\n",
			New:  "		return s.index - min(s.index, IDWindow)\n	}\n	return dir.below\n",
		}},
		test: "./fsm TestRestoration",
	},
	{
		name: "half-a-restoration", bug: "records are restored though not all of them are staged",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/restoration.go",
			Old:  "	return staged == r.Records\n",
			New:  "	return staged <= r.Records\n",
		}},
		test: "./fsm TestRestorationsOfWhatWasSweptAway",
	},
	{
		name: "snapshot-of-an-older-key",
		bug:  "the newest snapshot stays that though no new member may take it",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/snapshots.go",
			Old:  "	if weight < max(state, least) && !c.outdated() {\n",
			New:  "	if weight < max(state, least) {\n",
		}},
		test: "./testcluster TestLostDiskIsReplacedAfterAMove",
	},
	{
		name: "snapshot-of-a-rotation-accused",
		bug:  "a leader is accused that has no snapshot of after a rotation yet",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/vetting.go",
			Old:  "	return now.Sub(o.first) <= olderLong\n",
			New:  "	return false\n",
		}},
		test: "./cluster TestJoinRightAfterARotation",
	},
	{
		name: "new-key-unused",
		bug:  "nobody shows that a new transaction key is known, where nobody writes",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/checkpoint.go",
			Old:  " ||\n				b.Assured == 0 && c.snapshotIndex() > 0))\n",
			New:  "))\n",
		}},
		test: "./cluster TestNewKeyIsUsedWhereNobodyWrites",
	},
	{
		name: "rotation-taken-for-applied",
		bug:  "a rotation of the keys that will not be applied is taken for one that will",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/members.go",
			Old:  "!next.extends(line) || !changed.hold(c.txn) || v.refuses(index, c.txn) {\n",
			New:  "!next.extends(line) {\n",
		}},
		test: "./fsm TestMembersAfter",
	},
	{
		name: "restore-of-anything", bug: "a node restores what no node of its cluster has written",
		edits: []overlay.Edit{{
			File: "keyquorum/node/restore.go",
			Old:  "		s.written(then) != nil {\n",
			New:  "		false {\n",
		}},
		test: "./httpapi TestRestoreRefusesWhatItCannotVerify",
	},
	{
		name: "brought-back-over-what-is-there",
		bug:  "what is brought back of a live object replaces what was changed since",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/past.go",
			Old:  "		if _, there := d.view.Get(path); there {\n",
			New:  "		if false {\n",
		}},
		test: "./httpapi TestWhatIsThereStays",
	},
}
