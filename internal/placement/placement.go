// Package placement computes what a cluster over several regions costs and survives: for a plan
// before it is built, for the status of one that runs, and for a leader that looks for a better
// place. It is arithmetic on round trips and asks nobody.
//
// An acknowledged write costs two round trips. The leader needs a majority of the voters: that is
// the round trip to the nearest of those. Then every server that may answer reads from its own copy
// has to say that it has applied the entry: that is the round trip to the farthest. A write through
// another node adds its way to the leader. Reads cost no message at all.
package placement

import (
	"slices"
	"time"
)

// A Server is a member of a cluster, or one that is planned.
type Server struct {
	ID     string
	Region string // "" where none was named
	Voter  bool
	Up     bool // it answers; one that does not is neither waited for nor counted
	Serves bool // it is unsealed, and in no trouble
}

// Trips gives the round trip between two servers. false: it is not known.
type Trips func(a, b string) (time.Duration, bool)

// Write is what a write costs in messages when it is asked for at the leader. false: a round trip
// is not known, or too few voters are up.
func Write(servers []Server, leader string, trips Trips) (time.Duration, bool) {
	var voters []time.Duration // away from the leader, but itself
	var farthest time.Duration
	total, leads := 0, false
	for _, s := range servers {
		if s.Voter {
			total++
		}
		leads = leads || s.ID == leader && s.Voter && s.Up
		if s.ID == leader || !s.Up {
			continue
		}
		away, known := trips(leader, s.ID)
		if !known {
			return 0, false
		}
		farthest = max(farthest, away)
		if s.Voter {
			voters = append(voters, away)
		}
	}
	needed := total / 2 // beside the leader
	if !leads || len(voters) < needed {
		return 0, false
	}
	slices.Sort(voters)
	if needed == 0 {
		return farthest, true
	}
	return voters[needed-1] + farthest, true
}

// WriteFrom is what a write costs that is asked for in a region, at its server nearest to the
// leader.
func WriteFrom(servers []Server, region, leader string, trips Trips) (time.Duration, bool) {
	cost, known := Write(servers, leader, trips)
	nearest, found := time.Duration(0), false
	for _, s := range servers {
		if s.Region != region || !s.Up {
			continue
		}
		way, ok := time.Duration(0), true
		if s.ID != leader {
			way, ok = trips(s.ID, leader)
		}
		if ok && (!found || way < nearest) {
			nearest, found = way, true
		}
	}
	return cost + nearest, known && found
}

// Mean is what a write costs on average over all regions that have a server which answers.
func Mean(servers []Server, leader string, trips Trips) (time.Duration, bool) {
	var sum time.Duration
	regions := Regions(servers)
	count := 0
	for _, region := range regions {
		if !slices.ContainsFunc(servers, func(s Server) bool { return s.Region == region && s.Up }) {
			continue
		}
		cost, known := WriteFrom(servers, region, leader, trips)
		if !known {
			return 0, false
		}
		sum += cost
		count++
	}
	if count == 0 {
		return 0, false
	}
	return sum / time.Duration(count), true
}

// Best is the voter with which writes cost least on average, among those that could lead, and what
// they cost then. Of equals it is the one with the lowest id. false: none could, or too little is
// known.
func Best(servers []Server, trips Trips) (leader string, mean time.Duration, known bool) {
	for _, s := range servers {
		if !s.Voter || !s.Up || !s.Serves {
			continue
		}
		cost, ok := Mean(servers, s.ID, trips)
		if ok && (!known || cost < mean || cost == mean && s.ID < leader) {
			leader, mean, known = s.ID, cost, true
		}
	}
	return leader, mean, known
}

// A Move is of the leader's office to another voter.
type Move struct {
	To        string
	Now, Then time.Duration // what a write costs on average, here and there
}

// Cheaper is the move that makes writes clearly cheaper: worth an election. false: there is none,
// or too little is known.
func Cheaper(servers []Server, leader string, trips Trips) (Move, bool) {
	now, known := Mean(servers, leader, trips)
	best, then, found := Best(servers, trips)
	if !known || !found || best == leader || !worthwhile(now, then) {
		return Move{}, false
	}
	return Move{To: best, Now: now, Then: then}, true
}

// worthwhile: a tenth less, and 10 ms.
func worthwhile(now, then time.Duration) bool {
	return then+max(now/10, 10*time.Millisecond) <= now
}

// Regions are the names of the servers' regions, in order.
func Regions(servers []Server) []string {
	var names []string
	for _, s := range servers {
		if !slices.Contains(names, s.Region) {
			names = append(names, s.Region)
		}
	}
	slices.Sort(names)
	return names
}
