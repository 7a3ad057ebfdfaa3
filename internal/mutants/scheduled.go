package main

import "keyquorum/internal/overlay"

// scheduledMutants are bugs in what keeps snapshots by a schedule.
var scheduledMutants = []mutant{
	{
		name: "schedule-takes-names-over",
		bug:  "two leaders of one moment keep two snapshots of one interval",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/folder.go",
			Old:  "	err := os.Link(part, name)\n",
			New:  "	err := os.Rename(part, name)\n",
		}},
		test: "./node/schedule TestOnlyWholesAreKept",
	},
	{
		name: "schedule-reads-nothing-back",
		bug:  "a scheduled snapshot counts that the disk holds otherwise",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/folder.go",
			Old:  "	if err := check(stillAllowed{ctx, f}); err != nil {\n",
			New:  "	if err := ctx.Err(); err != nil {\n",
		}},
		test: "./node/schedule TestOnlyWholesAreKept",
	},
	{
		name: "schedule-waits-after-a-failure",
		bug:  "a scheduled snapshot that failed is not tried again before the next is due",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/retention.go",
			Old:  "	return min(wait, most, p.Every/2)\n",
			New:  "	return p.Every\n",
		}},
		test: "./node/schedule TestFailuresAreToldAndTriedAgain",
	},
	{
		name: "schedule-trusts-what-failed",
		bug:  "what a failed attempt left under a snapshot's name passes for the snapshot",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/keeper.go",
			Old:  "	if k.doubted == name || !has(ours, name) {\n",
			New:  "	if !has(ours, name) {\n",
		}},
		test: "./node/schedule TestWhatFailedIsNotTrusted",
	},
	{
		name: "schedule-outlives-the-seal",
		bug:  "a sealed node goes on with the snapshot that it was taking",
		edits: []overlay.Edit{{
			File: "keyquorum/node/scheduled.go",
			Old:  "	n.schedule.Run(k.working, m",
			New:  "	n.schedule.Run(n.ctx, m",
		}},
		test: "./node/schedule TestSealEndsASnapshot",
	},
	{
		name: "schedule-removes-others",
		bug:  "retention removes the snapshots of another cluster",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/retention.go",
			Old:  "		return k.Cluster != name.Cluster || k.after(name.History)\n",
			New:  "		return k.after(name.History)\n",
		}},
		test: "./node/schedule TestLeadersKeepOneSchedule",
	},
	{
		name: "schedule-believes-the-clock",
		bug:  "a clock far ahead has all older snapshots removed",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/retention.go",
			Old:  "	return max(p.Keep, intervals, leastByAge)\n",
			New:  "	return max(p.Keep, min(intervals, 1))\n",
		}},
		test: "./node/schedule TestSurplus",
	},
	{
		name: "schedule-forgets-recoveries",
		bug:  "the snapshot of before a recovery counts as the interval's, and none is taken after it",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/keeper.go",
			Old:  "k.source.History()}\n",
			New:  "History{}}\n",
		}},
		test: "./node/schedule TestEachHistoryHasItsOwn",
	},
	{
		name: "schedule-repeats-the-store",
		bug:  "an error of the store shows the credentials that it was sent",
		edits: []overlay.Edit{{
			File: "keyquorum/node/schedule/s3/errors.go",
			Old:  "		if secret != \"\" {\n",
			New:  "		if false {\n",
		}},
		test: "./node/schedule/s3 TestErrorsHaveNoSecret",
	},
}
