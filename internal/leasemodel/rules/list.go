package rules

import (
	"slices"

	"keyquorum/internal/leasemodel"
	"keyquorum/internal/overlay"
)

// All are the rules, in the order of package lease, each in a world that is just large enough to
// show what it is for.
func All() []Rule {
	return slices.Concat(reading(), fences(), granting(), moving(), waiting(), changing(), assumed())
}

func rule(
	name, of string, steps int, says string, world leasemodel.Setup, edits ...overlay.Edit,
) Rule {
	return Rule{Name: name, Of: of, Says: says, Steps: steps, Setup: world, Edits: edits}
}

// edit is one of the core.
func edit(file, from, to string) overlay.Edit {
	return overlay.Edit{File: "keyquorum/cluster/lease/" + file, Old: from, New: to}
}

// editModel is one of what stands in the model for the state machine, and for package cluster.
func editModel(file, from, to string) overlay.Edit {
	return overlay.Edit{File: "keyquorum/internal/leasemodel/" + file, Old: from, New: to}
}

// assumed are rules that the protocol can't enforce, so that no edit takes them out.
func assumed() []Rule {
	liar := func(s *setup) { s.Sealed, s.Liar = 1<<2, 2 }
	return []Rule{
		rule("HonestVoters", "-", 8, "voters don't lie about their promises and terms, for a lease",
			with(two(), liar)),
		rule("HonestVoters", "-", 6, "nor for a fence", with(with(two(), leasesOff), liar)),
	}
}
