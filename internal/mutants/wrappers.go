package main

import "keyquorum/internal/overlay"

// wrapperMutants are bugs in what unseals a node beside the shares.
var wrapperMutants = []mutant{
	{
		name: "wrappers-unbound",
		bug:  "somebody without the root key adds, drops and changes wrappers unnoticed",
		edits: []overlay.Edit{{
			File: "keyquorum/seal/wrapper.go",
			Old:  "	if err == nil && !hmac.Equal(sum, []byte(record.vouched)) {\n",
			New:  "	if err == nil && !hmac.Equal(sum, sum) {\n",
		}},
		test: "./seal TestListOfWrappersIsBound",
	},
	{
		name: "removed-wrapper-opens",
		bug:  "a wrapper that was removed unseals a node whose folder still lists it",
		edits: []overlay.Edit{{
			File: "keyquorum/node/unattended.go",
			Old:  "	if err == nil && !slices.Contains(record.Wrappers(), by) {\n",
			New:  "	if err == nil && !slices.Contains(record.Wrappers(), by) && by.Kind == \"\" {\n",
		}},
		test: "./node TestRemovedWrapperOpensNothing",
	},
	{
		name: "sealed-opens-itself",
		bug:  "a node that an operator has sealed unseals itself when it is started again",
		edits: []overlay.Edit{{
			File: "keyquorum/node/unattended.go",
			Old:  "	if held := !errors.Is(err, fs.ErrNotExist); held {\n",
			New:  "	if held := !errors.Is(err, fs.ErrNotExist); held && err != nil {\n",
		}},
		test: "./node TestSealedOnPurposeStaysSealed",
	},
	{
		name: "seal-is-overtaken",
		bug:  "a node that is sealed while it asks for a foreign key unseals itself with the answer",
		edits: []overlay.Edit{{
			File: "keyquorum/node/unseal.go",
			Old:  "func (n *Node) sealNow() {\n	n.stopUnattended()\n",
			New:  "func (n *Node) sealNow() {\n",
		}, {
			File: "keyquorum/node/unattended.go",
			Old:  "	if ctx.Err() != nil || n.held.Load() || n.isOpening() || n.keys.Load() != nil {\n",
			New:  "	if ctx.Err() != nil || n.isOpening() || n.keys.Load() != nil {\n",
		}},
		test: "./node TestSealedWhileItAsks",
	},
	{
		name: "wrapper-without-shares",
		bug:  "one share and a token add a wrapper that opens everything",
		edits: []overlay.Edit{{
			File: "keyquorum/node/addwrapper.go",
			Old:  "	if complete, err := a.add(share); err != nil || !complete {\n",
			New:  "	if _, err := a.add(share); err != nil {\n",
		}, {
			File: "keyquorum/node/addwrapper.go",
			Old:  "	if err := a.prove(begins); err != nil {\n",
			New:  "	if err := begins(); err != nil {\n",
		}},
		test: "./node TestAdditionTakesShares",
	},
	{
		name: "refused-pin-again",
		bug:  "a node that starts shows a token the PIN that it has refused until the token locks",
		edits: []overlay.Edit{{
			File: "keyquorum/node/unattended.go",
			Old:  "			a.ended[r.wrapper.Name] = true\n",
			New:  "",
		}},
		test: "./node TestRefusedPINIsNotTriedAgain",
	},
	{
		name: "wrapper-lacks-its-place",
		bug:  "a wrapper opens under other words than it was made with",
		edits: []overlay.Edit{{
			File: "keyquorum/seal/wrapper.go",
			Old:  "	for _, part := range []string{w.Name, w.Kind, w.About, w.wrapped} {\n",
			New:  "	for _, part := range []string{w.Name, w.Kind, w.wrapped} {\n",
		}},
		test: "./seal TestWrapperIsBound",
	},
}
