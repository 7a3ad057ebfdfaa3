package rules

const (
	asksVoters   = "\t\tif s.Voter {\n\t\t\tf.Asks = append(f.Asks, s.ID)\n\t\t}\n"
	asksAll      = "\t\tf.Asks = append(f.Asks, s.ID)\n\t\tif s.Voter {\n\t\t\tf.voters++\n\t\t}\n"
	anotherVotes = "\t\t\tif s.ID != self {\n\t\t\t\treturn false\n\t\t\t}\n"
)

// leasesOff has every read fenced.
func leasesOff(s *setup) { s.Fences, s.NoLeases = s.Reads, true }

func fences() []Rule {
	fenced, fencedTwice := with(two(), leasesOff), with(twice(), leasesOff)
	return []Rule{
		rule("OpenedFence", "O", 7, "a leader answers a fence when its term is open",
			fenced, edit("fence.go", "return f, opened == r.Term && f", "return f, f")),
		rule("OpenedWhenApplied", "O", 7,
			"a term is open when the leader's state has what came before it",
			fenced, edit("opening.go", "r.Applied >= o.Before && ", "")),
		rule("FenceIndex", "F1", 6, "a fence is as far as the leader's state is",
			fencedTwice, edit("fence.go", "Index: r.Applied}", "Index: 0}")),
		rule("MajorityInTerm", "F2", 6, "a majority of the voters says that it is in the leader's term",
			fenced, edit("fence.go", "if term == f.Term {\n\t\tf.yes++\n\t}", "f.yes++")),
		rule("AloneOnlyAlone", "F2", 6, "only who is the only voter asks nobody",
			fenced,
			edit("fence.go", anotherVotes, ""),
			edit("fence.go", "return voters == 1", "return voters > 0")),
		rule("VotersOnly", "F2", 6, "only voters make a majority, for a fence",
			with(four(), leasesOff),
			edit("fence.go", asksVoters, asksAll),
			edit("fence.go", "\tf.voters = len(f.Asks)\n", "")),
		rule("AskerToo", "F3", 6, "the asking node waits until its own state is as far",
			fencedTwice, edit("read.go", "if index >= r.Need {", "if index > 0 || r.Need > 0 {")),
		rule("NoLateJoin", "F5", 7, "a reader joins no fence that was sent before it came",
			fencedTwice, edit("fence.go", "return r.begun + 1 }", "return r.begun }")),
	}
}
