package main

import "keyquorum/internal/overlay"

// movingMutants are bugs in how members change their addresses, and how others take their places.
var movingMutants = []mutant{
	{
		name: "first-move-remembered",
		bug:  "a member that moves again is looked for where it said that it was before",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/moved.go",
			Old:  "	m.byID[nodeID] = address\n",
			New:  "	if m.byID[nodeID] == \"\" {\n		m.byID[nodeID] = address\n	}\n",
		}},
		test: "./testcluster TestMovedNodeIsFound",
	},
	{
		name: "old-address-signed",
		bug:  "a member that has moved signs for the address that it had",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/moved.go",
			Old:  "		own.Address = c.Address\n",
			New:  "",
		}},
		test: "./testcluster TestMovedNodeIsFound",
	},
	{
		name: "name-of-the-lost-taken",
		bug:  "a fresh node can't have the name of the member whose disk is lost",
		edits: []overlay.Edit{{
			File: "keyquorum/node/admit.go",
			Old:  " || !p.Answers {\n",
			New:  " {\n",
		}},
		test: "./testcluster TestLostDiskIsReplaced",
	},
}
