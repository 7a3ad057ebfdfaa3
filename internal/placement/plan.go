package placement

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Bounds of a plan. More voters than seven make every write dearer and no cluster safer.
const (
	MaxRegions = 8
	MaxVoters  = 7
)

// Near is taken for the round trip between servers of one region where none is given.
const Near = time.Millisecond

// Ways are the round trips between regions; between a region and itself it is that among its
// servers.
type Ways map[[2]string]time.Duration

// Set notes a round trip, in both directions.
func (w Ways) Set(a, b string, trip time.Duration) {
	w[[2]string{a, b}], w[[2]string{b, a}] = trip, trip
}

// Between looks one up.
func (w Ways) Between(a, b string) (time.Duration, bool) {
	trip, known := w[[2]string{a, b}]
	if !known && a == b {
		return Near, true
	}
	return trip, known
}

// A Layout is where voters may stand. A region without a voter has a non-voter, for its reads.
type Layout struct {
	Voters  map[string]int           // by region
	Leader  string                   // region where the leader makes writes cheapest
	Writes  map[string]time.Duration // what a write costs, by the region in which it is asked for
	Mean    time.Duration            // of these
	Outlook Outlook
}

// Plan ranks the ways to place so many voters: first those that survive the loss of any region,
// then those that cost less.
func Plan(regions []string, ways Ways, voters int) ([]Layout, error) {
	if err := checkPlan(regions, ways, voters); err != nil {
		return nil, err
	}
	var layouts []Layout
	for share := range shares(voters, len(regions)) {
		layouts = append(layouts, layout(regions, share, ways))
	}
	slices.SortStableFunc(layouts, func(a, b Layout) int {
		return cmp.Or(cmp.Compare(len(a.Outlook.Loses), len(b.Outlook.Loses)),
			cmp.Compare(a.Mean, b.Mean))
	})
	return layouts, nil
}

func checkPlan(regions []string, ways Ways, voters int) error {
	if len(regions) < 1 || len(regions) > MaxRegions {
		return fmt.Errorf("a plan takes 1 to %d regions", MaxRegions)
	}
	if voters < 1 || voters > MaxVoters || voters%2 == 0 {
		return fmt.Errorf("a cluster has 1, 3, 5 or %d voters: an even number costs more and survives no more",
			MaxVoters)
	}
	for i, a := range regions {
		if slices.Contains(regions[:i], a) {
			return fmt.Errorf("region %s is named twice", a)
		}
		for _, b := range regions[:i] {
			if _, known := ways.Between(a, b); !known {
				return fmt.Errorf("the round trip between %s and %s is not known", b, a)
			}
		}
	}
	return nil
}

// shares are all ways to distribute n things over so many places.
func shares(n, places int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		share := make([]int, places)
		var place func(i, left int) bool
		place = func(i, left int) bool {
			if i == places-1 {
				share[i] = left
				return yield(share)
			}
			for share[i] = left; share[i] >= 0; share[i]-- {
				if !place(i+1, left-share[i]) {
					return false
				}
			}
			return true
		}
		place(0, n)
	}
}

func layout(regions []string, share []int, ways Ways) Layout {
	var servers []Server
	home := map[string]string{}
	l := Layout{Voters: map[string]int{}, Writes: map[string]time.Duration{}}
	for i, region := range regions {
		l.Voters[region] = share[i]
		for n := range max(share[i], 1) {
			id := fmt.Sprintf("%02d/%d", i, n)
			home[id] = region
			servers = append(servers,
				Server{ID: id, Region: region, Voter: share[i] > 0, Up: true, Serves: true})
		}
	}
	trips := func(a, b string) (time.Duration, bool) { return ways.Between(home[a], home[b]) }
	leader, mean, _ := Best(servers, trips)
	l.Leader, l.Mean, l.Outlook = home[leader], mean, Look(servers)
	for _, region := range regions {
		l.Writes[region], _ = WriteFrom(servers, region, leader, trips)
	}
	return l
}
