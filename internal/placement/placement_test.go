package placement_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/internal/placement"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

// threeRegions are 80 and 150 ms apart.
func threeRegions() placement.Ways {
	ways := placement.Ways{}
	ways.Set("eu", "us", 80*ms)
	ways.Set("eu", "ap", 150*ms)
	ways.Set("us", "ap", 150*ms)
	return ways
}

func TestPlanOfThreeRegions(t *testing.T) {
	layouts, err := placement.Plan([]string{"eu", "us", "ap"}, threeRegions(), 3)
	if err != nil {
		t.Fatal(err)
	}
	best := layouts[0]
	if len(best.Outlook.Loses) > 0 || best.Leader == "ap" || best.Voters["eu"] != 1 ||
		best.Voters["us"] != 1 || best.Voters["ap"] != 1 {
		t.Errorf("the best layout is %+v", best)
	}
	// 80 to the nearest majority and 150 to the farthest holder; from elsewhere the way there as well.
	for region, want := range map[string]time.Duration{"eu": 230 * ms, "us": 310 * ms,
		"ap": 380 * ms} {
		if best.Leader != "eu" || best.Writes[region] != want {
			t.Errorf("a write from %s, led from %s, costs %s, not %s", region, best.Leader,
				best.Writes[region], want)
		}
	}
	if last := layouts[len(layouts)-1]; len(last.Outlook.Loses) == 0 {
		t.Errorf("the worst layout survives every loss: %+v", last)
	}
	if len(layouts) != 10 { // 3 things in 3 places
		t.Errorf("%d layouts", len(layouts))
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, row := range []struct {
		regions []string
		voters  int
		say     string
	}{
		{nil, 3, "1 to 8 regions"},
		{[]string{"eu", "us"}, 4, "even number"},
		{[]string{"eu", "eu"}, 3, "twice"},
		{[]string{"eu", "mars"}, 3, "between eu and mars is not known"},
	} {
		if _, err := placement.Plan(row.regions, threeRegions(), row.voters); err == nil ||
			!strings.Contains(err.Error(), row.say) {
			t.Errorf("%v with %d voters: %v", row.regions, row.voters, err)
		}
	}
}

func TestOutlook(t *testing.T) {
	server := func(id, region string) placement.Server {
		return placement.Server{ID: id, Region: region, Voter: true, Up: true, Serves: true}
	}
	for _, row := range []struct {
		name   string
		change func(s []placement.Server)
		spare  int
		say    string
	}{
		{"whole", func([]placement.Server) {}, 1,
			"One more voter may be lost. Region b may go. Without region a writes stop, and soon reads."},
		{"one down", func(s []placement.Server) { s[2].Up = false }, 0,
			"No more voters may be lost: if one more fails, writes stop. Region b may go. Without region a writes stop, and soon reads."},
		{"two down", func(s []placement.Server) { s[0].Up, s[1].Up = false, false }, -1,
			"Writes have stopped, and reads with them: 1 voter must come back."},
		{"one unsealed", func(s []placement.Server) { s[0].Serves, s[1].Serves = false, false }, 0,
			"The voter that can lead must not be lost. Only one voter is fit to lead"},
		{"one down, one sealed", func(s []placement.Server) { s[0].Up, s[1].Serves = false, false }, 0,
			"No more voters may be lost: if one more fails, writes stop. Only one voter is fit to lead"},
		{"all sealed", func(s []placement.Server) {
			s[0].Serves, s[1].Serves, s[2].Serves = false, false,
				false
		}, -1, "No voter is fit to lead, for all are sealed or in trouble: unseal one."},
	} {
		servers := []placement.Server{server("1", "a"), server("2", "a"), server("3", "b")}
		row.change(servers)
		o := placement.Look(servers)
		if got := strings.Join(o.Sentences, " "); o.Spare != row.spare ||
			!strings.HasPrefix(got, row.say) {
			t.Errorf("%s: spare %d, %q", row.name, o.Spare, got)
		}
	}
	lone := placement.Look([]placement.Server{server("1", "")})
	if lone.Spare != 0 ||
		lone.Sentences[0] != "The one voter must not be lost: everything stops without it." {
		t.Errorf("a lone node: %+v", lone)
	}
	five := placement.Look([]placement.Server{server("1", "a"), server("2", "a"), server("3", "b"),
		server("4", "b"), server("5", "c")})
	if got := strings.Join(five.Sentences,
		" "); got != "Any 2 more voters may be lost. Any one of the regions a, b, c may go." {
		t.Errorf("five: %q", got)
	}
}

// A move is worth an election when a write costs a tenth and 10 ms less: what it costs here is the
// way from the leader to the one that only reads.
func TestCheaper(t *testing.T) {
	for _, row := range []struct {
		now, then time.Duration // of a write that is led from here, and from there
		found     bool
	}{
		{20 * ms, 10 * ms, true},
		{20 * ms, 11 * ms, false},
		{200 * ms, 180 * ms, true},
		{200 * ms, 181 * ms, false},
		{10 * ms, 20 * ms, false},
	} {
		servers := []placement.Server{
			{ID: "here", Voter: true, Up: true, Serves: true},
			{ID: "there", Voter: true, Up: true, Serves: true},
			{ID: "reader", Up: true, Serves: true},
		}
		trips := func(a, b string) (time.Duration, bool) {
			switch {
			case a != "reader" && b != "reader":
				return 0, true
			case a == "here" || b == "here":
				return row.now, true
			}
			return row.then, true
		}
		move, found := placement.Cheaper(servers, "here", trips)
		if found != row.found {
			t.Errorf("from %s to %s: %v", row.now, row.then, found)
		}
		if want := (placement.Move{To: "there", Now: row.now, Then: row.then}); found && move != want {
			t.Errorf("from %s to %s: %+v", row.now, row.then, move)
		}
	}
}

// The leader that Best names is never dearer than another, and what it says of losses is what
// counting says.
func TestPlacementOfAnyCluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "servers")
		var servers []placement.Server
		ways := map[[2]string]time.Duration{}
		for i := range n {
			id := string(rune('a' + i))
			servers = append(servers, placement.Server{ID: id,
				Region: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "region"),
				Voter:  rapid.Bool().Draw(t, "voter"), Up: rapid.Bool().Draw(t, "up"),
				Serves: rapid.Bool().Draw(t, "serves")})
			for j := range i {
				ways[[2]string{string(rune('a' + j)), id}] = time.Duration(rapid.IntRange(1, 300).Draw(t,
					"ms")) * ms
			}
		}
		trips := func(a, b string) (time.Duration, bool) {
			trip, known := ways[[2]string{min(a, b), max(a, b)}]
			return trip, known
		}
		voters, up, serving := 0, 0, 0
		for _, s := range servers {
			if s.Voter {
				voters++
				if s.Up {
					up++
					if s.Serves {
						serving++
					}
				}
			}
		}
		best, mean, known := placement.Best(servers, trips)
		if able := serving > 0 && up > voters/2; known != able {
			t.Fatalf("a leader is found: %v, can be: %v", known, able)
		}
		for _, s := range servers {
			if cost, ok := placement.Mean(servers, s.ID, trips); known && ok && s.Serves && cost < mean {
				t.Fatalf("%s costs %s, the best, %s, %s", s.ID, cost, best, mean)
			}
		}
		o := placement.Look(servers)
		if voters == 0 {
			return
		}
		if (o.Spare >= 0) != known {
			t.Fatalf("spare %d though a leader is possible: %v", o.Spare, known)
		}
		without := func(gone func(s placement.Server) bool) bool {
			rest := slices.Clone(servers)
			for i := range rest {
				rest[i].Up = rest[i].Up && !gone(rest[i])
			}
			return placement.Look(rest).Spare >= 0
		}
		for _, region := range o.Survives {
			if !without(func(s placement.Server) bool { return s.Region == region }) {
				t.Fatalf("region %s may go, it says", region)
			}
		}
		for _, region := range o.Loses {
			if without(func(s placement.Server) bool { return s.Region == region }) {
				t.Fatalf("region %s may not go, it says", region)
			}
		}
		for _, s := range servers {
			if lost := func(other placement.Server) bool {
				return other.ID == s.ID &&
					other.Voter
			}; o.Spare > 0 && !without(lost) {
				t.Fatalf("%d may be lost, it says, but not %s", o.Spare, s.ID)
			}
		}
	})
}
