package main

import "keyquorum/internal/overlay"

// breakGlassMutants are bugs in how shares alone make a root token, and who may be where they are
// given.
var breakGlassMutants = []mutant{
	{
		name: "old-shares-make-a-token",
		bug:  "a node that is behind a rekey makes a root token of the shares of before",
		edits: []overlay.Edit{{
			File: "keyquorum/vault/identity.go",
			Old:  "	r, ok := d.read(fsm.PathSeal)\n",
			New:  "	r, ok := d.view.Get(fsm.PathSeal)\n",
		}},
		test: "./vault TestSharesOfBeforeMakeNoRootTokenWhereTheCopyLags",
	},
	{
		name: "socket-below-tmp",
		bug:  "shares are given to whoever made the folder of a break-glass socket below /tmp",
		edits: []overlay.Edit{{
			File: "keyquorum/internal/ownsocket/way.go",
			Old:  "s.info.Mode().Perm()&0o022 != 0 {\n",
			New:  "s.info.Mode().Perm()&0o022 != 0 && s.info.Mode()&fs.ModeSticky == 0 {\n",
		}},
		test: "./internal/ownsocket TestPlacesThatAreRefused",
	},
	{
		name: "dead-socket-stays",
		bug:  "a reload leaves a break-glass socket as it is that somebody has removed",
		edits: []overlay.Edit{{
			File: "keyquorum/cmd/keyquorum/breakglass.go",
			Old:  "		return b.listener.Stands()\n",
			New:  "		return true\n",
		}},
		test: "./cmd/keyquorum TestRootTokenOfSharesAlone",
	},
}
