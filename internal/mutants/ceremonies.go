package main

import "keyquorum/internal/overlay"

// ceremonyMutants are bugs in how the shares are changed.
var ceremonyMutants = []mutant{
	{
		name: "old-shares-open",
		bug:  "a node that was given the shares of before a rekey is told the new root key",
		edits: []overlay.Edit{{
			File: "keyquorum/node/handover.go",
			Old: "		case n.keys.Load() != k:\n			k.outdated(ErrOldShares)\n" +
				"		case n.askRoot(m, k, view) == nil:\n",
			New: "		case n.askRoot(m, k, view) == nil:\n",
		}},
		test: "./node TestAwayWhileRekeyed",
	},
	{
		name: "second-rekey-wins", bug: "a rekey replaces the shares that another one has made meanwhile",
		edits: []overlay.Edit{{
			File: "keyquorum/node/reseal.go",
			Old:  "		case now.Mod != from:\n",
			New:  "		case now.Mod < from:\n",
		}},
		test: "./node TestTwoRekeys",
	},
	{
		name: "rekey-unverified", bug: "new shares are in force before they were given back",
		edits: []overlay.Edit{{
			File: "keyquorum/node/rekey.go",
			Old:  "	if r.verify {\n		return r.show(), nil\n	}\n",
			New:  "",
		}},
		test: "./node TestRekeyVerification",
	},
	{
		name: "root-key-for-the-asking",
		bug:  "the root key of new shares is told to whoever is a member",
		edits: []overlay.Edit{{
			File: "keyquorum/node/handover.go",
			Old:  "		return nil, late, errAskedBySealed\n",
			New:  "		_ = errAskedBySealed\n",
		}},
		test: "./node TestHandoverIsForTheUnsealed",
	},
	{
		name: "lateness-handed-on",
		bug: "each member that takes the new root key late makes the transaction key of before good " +
			"for a minute more",
		edits: []overlay.Edit{{
			File: "keyquorum/node/handover.go",
			Old:  "	if late {\n		k.handed",
			New:  "	if late && k.root == nil {\n		k.handed",
		}},
		test: "./node TestLatenessIsNotHandedOn",
	},
	{
		name: "rekey-without-rotation",
		bug:  "what is written after a rekey is in reach of the old shares",
		edits: []overlay.Edit{{
			File: "keyquorum/node/handover.go",
			Old:  "	if k == nil || !resealed(m.cluster.View()) {\n",
			New:  "	if k != nil || !resealed(m.cluster.View()) {\n",
		}},
		test: "./node TestRekey",
	},
	{
		name: "unknown-rekey-cancelled",
		bug:  "new shares that may be in force can be thrown away unseen",
		edits: []overlay.Edit{{
			File: "keyquorum/node/rekey.go",
			Old:  "	r.pending = !settled && (r.pending || errors.Is(err, cluster.ErrUnknown))\n",
			New:  "	r.pending = !settled && errors.Is(err, cluster.ErrUnknown)\n",
		}},
		test: "./node TestRekeyOutcomeStaysUnknown",
	},
	{
		name: "half-a-reseal", bug: "the keyring is wrapped anew without its seal record",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/reserved.go",
			Old:  "		ok = only && len(written) == 2 && written[PathSeal] && written[PathKeyring]\n",
			New:  "		ok = only && (written[PathSeal] || written[PathKeyring])\n",
		}},
		test: "./fsm TestReseal",
	},
	{
		name: "reseal-erases-nothing",
		bug:  "folders are not scrubbed of what a rekey has replaced",
		edits: []overlay.Edit{{
			File: "keyquorum/fsm/apply.go",
			Old:  "		if c.txn.Verb == Reseal {\n",
			New:  "		if c.txn.Verb == Reseal && c.retired {\n",
		}},
		test: "./fsm TestReseal",
	},
	{
		name: "old-seal-stays", bug: "folders keep the keyring that the shares of before a rekey open",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/scrub.go",
			Old:  "		return r.Mod != index\n",
			New:  "		return r.Mod < index\n",
		}},
		test: "./cluster TestOldSealLeavesTheFolders",
	},
	{
		name: "shares-without-a-record",
		bug:  "new shares are shown though no usage record can be written",
		edits: []overlay.Edit{{
			File: "keyquorum/node/ceremonies.go",
			Old:  "	if err := begins(); err != nil {\n		g.shares.Reset()\n		return err\n	}\n",
			New:  "	_ = begins()\n",
		}},
		test: "./node TestRekeyEnds",
	},
}
