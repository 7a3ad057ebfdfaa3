package main

import "keyquorum/internal/overlay"

// joiningMutants are bugs in how nodes find their cluster, are admitted, and are given up.
var joiningMutants = []mutant{
	{
		name: "seed-not-verified", bug: "a node asks whoever answers where a member should be",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/joining/joining.go",
			Old:  "config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}\n",
			New: "config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName, " +
				"InsecureSkipVerify: true}\n",
		}},
		test: "./httpapi TestNodeFindsItsClusterByItself",
	},
	{
		name: "seed-by-any-name",
		bug:  "a host that DNS names needs no certificate for the name that was asked",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/seeds/places.go",
			Old:  "Place{\"https://\" + host, ca, name})",
			New:  "Place{\"https://\" + host, ca, \"\"})",
		}},
		test: "./httpapi TestPlacesComeFromDNS",
	},
	{
		name: "stranger-goes-before",
		bug:  "a join that a stranger asked for goes before the places of the configuration",
		edits: []overlay.Edit{{
			File: "keyquorum/node/join.go",
			Old:  "	case !now.configured || n.ceremony.Progress() == 0:\n		return false, nil\n",
			New:  "	case !now.configured:\n		return true, nil\n",
		}},
		test: "./httpapi TestConfigurationGoesBeforeStrangers",
	},
	{
		name: "strangers-have-it-join",
		bug:  "another machine has a node join a cluster before its configuration has found one",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/operators/raft.go",
			Old:  "	if search == nil || search.Found() || c.nearby() {\n",
			New:  "	if search == nil || search.Places() > 0 || c.nearby() {\n",
		}},
		test: "./httpapi TestConfigurationGoesBeforeStrangers",
	},
	{
		name: "strangers-take-its-vote",
		bug:  "anybody has a node that joins by its configuration become a member without a vote",
		edits: []overlay.Edit{{
			File: "keyquorum/node/join.go",
			Old:  "		return ErrConfiguredVote\n",
			New:  "		j.nonVoter = true\n",
		}},
		test: "./httpapi TestConfigurationGoesBeforeStrangers",
	},
	{
		name: "removal-unheard",
		bug:  "a node that joins by its configuration keeps to an id that was removed",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/seeds/search.go",
			Old:  "	return target == node.ErrIDRemoved && slices",
			New:  "	return target == nil && slices",
		}},
		test: "./httpapi TestRemovedIDIsReplacedByItself",
	},
	{
		name: "member-lapses", bug: "a member that came, and is away, is removed as if it never had come",
		edits: []overlay.Edit{{
			File: "keyquorum/node/lapse.go",
			Old:  " || m.cluster.HasHeard(id)) {\n",
			New:  ") {\n",
		}},
		test: "./node TestJoinThatGoesOnDoesNotLapse",
	},
	{
		name: "ghost-stays", bug: "a node that was admitted and never comes is a member for ever",
		edits: []overlay.Edit{{
			File: "keyquorum/node/lapse.go",
			Old:  "	if isMember {\n		if err := e.remove",
			New:  "	if false {\n		if err := e.remove",
		}},
		test: "./node TestAdmittedNodeThatNeverComesIsRemoved",
	},
	{
		name: "clock-cuts-joins", bug: "a leader whose clock is ahead removes a node while it joins",
		edits: []overlay.Edit{{
			File: "keyquorum/node/lapse.go",
			Old:  "age < joinLapse || time.Since(since) < lapseDoubt {\n",
			New:  "age < joinLapse {\n",
		}},
		test: "./node TestClockAheadDoesNotCutAJoinShort",
	},
	{
		name: "two-of-one-name", bug: "a new node gets the name of a member that runs",
		edits: []overlay.Edit{{
			File: "keyquorum/node/admit.go",
			Old:  "	if a.Label == \"\" {\n",
			New:  "	if true {\n",
		}},
		test: "./node TestNameOfAMemberThatRunsIsTaken",
	},
}
