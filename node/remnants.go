package node

import (
	"fmt"
	"slices"

	"keyquorum/fsm"
)

// A Judgement says of remnants of one cluster which of them goes farthest, and what it may lack.
type Judgement struct {
	Best  *Remnant
	Doubt Doubt
}

// A Doubt is why acknowledged writes could be missing from the best of some remnants.
type Doubt int

const (
	// Complete: each acknowledged write is in one of the folders, and so in the best.
	Complete Doubt = iota
	// OnlySnapshot: what came after the snapshot is missing.
	OnlySnapshot
	// TooFew: other voters than those whose folders are here may have acknowledged without them.
	TooFew
	// Changing: the voters were being changed, so that who counts is not certain.
	Changing
	// Older: a folder lacks what its node had already told another: it is a copy, or was put back.
	Older
	// TooOld: the folders are so far apart that nobody can tell whether they are of one history.
	TooOld
)

// Judge compares remnants. They must be of one history; the error names two that are not.
func Judge(all []*Remnant) (j Judgement, err error) {
	for _, r := range all {
		if err := r.kin(all[0]); err != nil {
			return j, err
		}
		if j.Best == nil || r.farther(j.Best) {
			j.Best = r
		}
	}
	told := true
	for _, r := range all {
		known, err := j.Best.leadsThrough(r)
		if err != nil {
			return j, err
		}
		told = told && known
	}
	switch {
	case j.Best.NodeID == "":
		j.Doubt = OnlySnapshot
	case !j.Best.meetsEveryMajority(all):
		j.Doubt = TooFew
	case !j.Best.votersAreCertain(all):
		j.Doubt = Changing
	case slices.ContainsFunc(all, func(r *Remnant) bool { return r.isOlder(all) }):
		j.Doubt = Older
	case !told:
		j.Doubt = TooOld
	}
	return j, nil
}

// kin refuses a remnant of another cluster, or of one that was recovered apart.
func (r *Remnant) kin(other *Remnant) error {
	switch {
	case r.Cluster != other.Cluster:
		return fmt.Errorf("%s is of cluster %s, and %s of %s", r.Path, r.Cluster, other.Path,
			other.Cluster)
	case r.Generation != other.Generation:
		return fmt.Errorf("%s is of restore generation %d, and %s of %d", r.Path, r.Generation,
			other.Path, other.Generation)
	case !r.fsm.View().Line().Agrees(other.fsm.View().Line()):
		return fmt.Errorf("%s and %s come from two recoveries of one cluster: name those of one",
			r.Path, other.Path)
	}
	return nil
}

// farther compares as voters do: by the term and index of the newest entry. The file of a snapshot
// has no term, and nothing in it that is not committed: it is farther than a folder whose state
// ends before it.
func (r *Remnant) farther(than *Remnant) bool {
	if (r.NodeID == "") != (than.NodeID == "") {
		ahead := r.fsm.View().Index() > than.fsm.View().Index()
		return ahead && (r.NodeID == "" || than.NodeID == "")
	}
	return r.Term > than.Term || r.Term == than.Term && r.Index > than.Index
}

// leadsThrough refuses two remnants of which each holds what was committed without the other: then
// nobody can say here what was acknowledged. known is false where that is too long ago to tell.
func (r *Remnant) leadsThrough(other *Remnant) (known bool, err error) {
	place := other.fsm.View().PlaceBy(other.committed)
	if place == (fsm.Place{}) {
		return false, nil
	}
	was, known := r.fsm.View().WasAt(place)
	if known && !was {
		return true, fmt.Errorf("%s and %s hold different histories: at entry %d they are not the same. "+
			"One of them is from somewhere else, was put back, or was given entries by a thief: name "+
			"the one that you trust alone", r.Path, other.Path, place.Index)
	}
	return known, nil
}

// meetsEveryMajority says whether no majority of the voters is without one of the folders. An
// acknowledged write is on a majority, so it is in one of these; and the best of them has it, as
// who is elected has it.
func (r *Remnant) meetsEveryMajority(all []*Remnant) bool {
	here := 0
	for _, id := range r.Voters {
		if slices.ContainsFunc(all, func(r *Remnant) bool { return r.NodeID == id }) {
			here++
		}
	}
	majority := len(r.Voters)/2 + 1
	return len(r.Voters)-here < majority
}

// votersAreCertain says whether Raft's configuration is what the list of members says, and one of
// the folders knows it to be committed. A later one would be in one of the folders, as any
// committed entry. While a change is under way others may count by the list before it.
func (r *Remnant) votersAreCertain(all []*Remnant) bool {
	view := r.fsm.View()
	configuration, at := view.Configuration()
	return view.Members().Matches(configuration) && slices.ContainsFunc(all, func(r *Remnant) bool {
		return r.NodeID != "" && r.committed >= at
	})
}

// isOlder says whether another folder has heard of this one's node that it had come farther.
func (r *Remnant) isOlder(all []*Remnant) bool {
	return slices.ContainsFunc(all, func(other *Remnant) bool {
		return other.heard[r.NodeID] > r.Index
	})
}
