package main

import "keyquorum/internal/overlay"

// autopilotMutants are bugs in who gets a vote, who loses it, and who is taken for dead.
var autopilotMutants = []mutant{
	{
		name: "vote-at-once", bug: "a new member has its vote before it has been healthy for long enough",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/autopilot/watch.go",
			Old:  "	return !s.Held && s.Healthy && s.For >= c.Stabilization\n",
			New:  "	return !s.Held && s.Healthy\n",
		}},
		test: "./testcluster TestVoteComesAfterStabilisation",
	},
	{
		name: "stable-before-this-leader", bug: "a member counts as healthy since an earlier leader's time",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/autopilot/watch.go",
			Old:  "	if w.term != term || w.of == nil {\n",
			New:  "	if w.of == nil {\n",
		}},
		test: "./cluster/autopilot TestStabilisationBeginsAnew",
	},
	{
		name: "demoted-asks-again", bug: "a member that was demoted takes its vote back",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/pilot.go",
			Old:  "	if err := c.hold(ctx, nodeID, true); err != nil { // else it asked for its vote again\n",
			New:  "	if err := c.hold(ctx, nodeID, false); err != nil {\n",
		}},
		test: "./testcluster TestDemotedLeader",
	},
	{
		name: "fewer-than-the-quorum", bug: "clean-up leaves fewer voters than min_quorum",
		edits: []overlay.Edit{{
			File: "keyquorum/cluster/autopilot/watch.go",
			Old:  "		case !found && uint64(voters-1) >= c.MinQuorum:\n",
			New:  "		case !found && voters > 0:\n",
		}},
		test: "./cluster/autopilot TestWhoIsDead",
	},
	{
		name: "majority-unasked", bug: "a voter is demoted though those that are left are no majority",
		edits: []overlay.Edit{{
			File: "keyquorum/node/status.go",
			Old:  "	if !force && answer < voters/2+1 {\n",
			New:  "	if !force && answer < 0 {\n",
		}},
		test: "./testcluster TestVotesThatStay",
	},
}
