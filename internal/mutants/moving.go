package main

import "keyquorum/internal/overlay"

// movingMutants are bugs in how members change their addresses, alone and all at once, and how
// others take their places.
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
		name: "removed-keeps-its-address",
		bug:  "a member that is removed loses its vote alone, and keeps its address",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/membership.go",
			Old:  "			return list.Without(nodeID), nil\n",
			New: "			m, _ := list.Find(nodeID)\n			m.Voter = false\n" +
				"			return list.With(m), nil\n",
		}},
		test: "./testcluster TestLostDiskIsReplaced",
	},
	{
		name: "recovered-from-the-shortest",
		bug:  "a cluster is recovered from the folder that lacks most",
		edits: []overlay.Edit{{
			File: "keyquorum/node/remnants.go",
			Old:  "	return r.Term > than.Term || r.Term == than.Term && r.Index > than.Index\n",
			New:  "	return r.Term < than.Term || r.Term == than.Term && r.Index < than.Index\n",
		}},
		test: "./testcluster TestAllMoveAtOnce",
	},
}
