package main

import "keyquorum/internal/overlay"

// keyringMutants are bugs in how the keyring is changed, and in how shares reach many nodes.
var keyringMutants = []mutant{
	{
		name: "needed-term-dropped",
		bug:  "a term of the keyring is dropped while a record is sealed under it",
		edits: []overlay.Edit{{
			File: "keyquorum/node/rewrap.go",
			Old:  "		if left := outdated(view); left > 0 {\n",
			New:  "		if left := outdated(view); left < 0 {\n",
		}},
		test: "./testcluster TestRecordsAreSealedAnew",
	},
	{
		name: "straggler-under-an-old-term",
		bug:  "what was sealed under a term comes into the state when nobody looks for that any more",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/signing.go",
			Old:  "		return sealed && under != term\n",
			New:  "		return sealed && under > term\n",
		}},
		test: "./node TestNothingIsSignedThatWasSealedBefore",
	},
	{
		name: "rewrap-overwrites",
		bug:  "what is sealed anew is what was read before somebody else wrote it",
		edits: []overlay.Edit{{
			File: "keyquorum/node/rewrap.go",
			Old: "		if len(b.txn.Writes) > 0 {\n" +
				"			if err := n.commitBatch(ctx, m, b.txn); err != nil {\n",
			New: "		if len(b.txn.Writes) > 0 {\n" +
				"			if err := pauseFor(ctx, time.Second/10); err != nil {\n				return err\n			}\n" +
				"			begun = time.Now()\n" +
				"			now := m.cluster.View()\n			txn := now.Begin(fsm.Ordinary)\n" +
				"			for _, w := range b.txn.Writes {\n" +
				"				r, _ := view.Get(w.Path)\n				is, _ := now.Get(w.Path)\n" +
				"				if r.Mod == is.Mod || strings.Contains(w.Path, \"/secret/\") {\n" +
				"					r.Mod = is.Mod\n					v, _ := k.reseal(w.Path, r)\n" +
				"					cluster.Put(&txn, now, w.Path, v)\n				}\n			}\n" +
				"			b.txn = txn\n" +
				"			if err := n.commitBatch(ctx, m, b.txn); err != nil {\n",
		}},
		test: "./testcluster TestRecordsAreSealedAnew",
	},
	{
		name: "two-leaders-rotate",
		bug:  "a change of the keyring by schedule is made again by whoever was slower",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule.go",
			Old:  "		return change{due: due}, err\n",
			New:  "		return change{due: due || err == nil}, err\n",
		}},
		test: "./node TestTwoLeadersChangeTheKeyringOnce",
	},
	{
		name: "share-for-the-asking",
		bug:  "a share that is relayed is given to whichever member asks first",
		edits: []overlay.Edit{{
			File: "keyquorum/node/relay.go",
			Old:  "		case w.nodeID != from:\n",
			New:  "		case from == \"\":\n",
		}},
		test: "./node TestRelayedShareIsForOneMember",
	},
}
