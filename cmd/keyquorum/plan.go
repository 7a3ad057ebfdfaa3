package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/internal/placement"
)

// planOptions is what keyquorum plan is told. Round trips that are not given are those that a
// running cluster measured.
type planOptions struct {
	regions []string
	trips   []string // A-B=80ms, A-A=2ms
	voters  int
	all     bool
}

// A plannedLayout is a row of the plan, as -format=json has it.
type plannedLayout struct {
	Voters    map[string]int     `json:"voters_by_region"`
	Leader    string             `json:"leader_region"`
	Writes    map[string]float64 `json:"write_ms_by_region"`
	Mean      float64            `json:"mean_write_ms"`
	Spare     int                `json:"voters_to_spare"`
	Survives  []string           `json:"regions_to_spare"`
	Loses     []string           `json:"regions_without_which_writes_stop"`
	Sentences []string           `json:"outlook"`
}

func planCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "plan", Short: "Say where voters should stand, what writes cost, and what may be lost",
		Long: "Say where voters should stand, what writes cost, and what may be lost. Nothing is " +
			"changed.\n\nRound trips are those given with --trip. Those that are missing are taken from " +
			"a running cluster, and so are the regions without --region. A region without a voter has " +
			"a non-voter, which serves reads.",
		Example: "  keyquorum plan --region eu,us,ap --trip eu-us=80ms,eu-ap=150ms,us-ap=150ms",
		Args:    console.Arguments(0, 0),
	}
	k, format := operator.ConnectionFlags(c), console.FormatFlag(c)
	var o planOptions
	c.Flags().StringSliceVar(&o.regions, "region", nil,
		"`regions`, the one with most of the writes first (default those of the running cluster)")
	c.Flags().StringSliceVar(&o.trips, "trip", nil,
		"round trips between two regions, or within one: A-B=80ms (repeatable)")
	c.Flags().IntVar(&o.voters, "voters", 0,
		"how many voters: 1, 3, 5 or 7 (default 3 and 5, compared)")
	c.Flags().BoolVar(&o.all, "all", false, "show every layout, not only the best")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for i := range o.regions {
			o.regions[i] = strings.TrimSpace(o.regions[i])
		}
		ways, err := o.ways(c.Context(), k)
		if err != nil {
			return err
		}
		layouts, err := o.plan(ways)
		if err != nil {
			return err
		}
		if err := format.Print(c, planned(layouts), o.table(layouts)); err != nil || *format != "table" {
			return err
		}
		o.explain(c, layouts)
		return nil
	}
	return c
}

// waysOf are the round trips given, or measured.
func (o *planOptions) ways(ctx context.Context, k *operator.Connection) (placement.Ways, error) {
	given := placement.Ways{}
	for _, text := range o.trips {
		if err := o.setTrip(given, text); err != nil {
			return nil, err
		}
	}
	if len(o.regions) > 0 && o.complete(given) {
		return given, nil
	}
	s, err := surveyed(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("the round trips of the running cluster: %w; give --region and all of "+
			"--trip to do without it", err)
	}
	if len(o.regions) == 0 {
		o.regions = regionsOf(s)
	}
	ways := waysOf(s)
	maps.Copy(ways, given)
	return ways, nil
}

// complete says whether every round trip that the plan needs was given.
func (o *planOptions) complete(ways placement.Ways) bool {
	for i, a := range o.regions {
		for _, b := range o.regions[:i] {
			if _, known := ways.Between(a, b); !known {
				return false
			}
		}
	}
	return true
}

// surveyed asks the node for the status of all.
func surveyed(ctx context.Context, k *operator.Connection) (operator.ClusterStatus, error) {
	api, err := k.Client()
	if err != nil {
		return operator.ClusterStatus{}, err
	}
	return operator.Survey(ctx, api)
}

// setTrip reads A-B=80ms. Where names hold a "-" themselves the regions of the plan tell where one
// ends.
func (o *planOptions) setTrip(ways placement.Ways, text string) error {
	pair, took, ok := strings.Cut(text, "=")
	a, b, found := o.splitPair(strings.TrimSpace(pair))
	if !ok || !found {
		return fmt.Errorf("--trip %q: a round trip is A-B=80ms, with two regions of the plan", text)
	}
	trip, err := time.ParseDuration(strings.TrimSpace(took))
	if err != nil || trip < 0 || trip > time.Minute {
		return fmt.Errorf("--trip %q: %q is no round trip; 80ms is one", text, took)
	}
	ways.Set(a, b, trip)
	return nil
}

func (o *planOptions) splitPair(pair string) (a, b string, found bool) {
	if len(o.regions) == 0 { // those of the cluster, not known yet
		a, b, found = strings.Cut(pair, "-")
		return a, b, found && a != "" && b != "" && !strings.Contains(b, "-")
	}
	for i := range len(pair) {
		if pair[i] == '-' && slices.Contains(o.regions, pair[:i]) &&
			slices.Contains(o.regions, pair[i+1:]) {
			return pair[:i], pair[i+1:], true
		}
	}
	return "", "", false
}

// regionsOf are those of the nodes, the leader's first.
func regionsOf(s operator.ClusterStatus) []string {
	var names []string
	for _, n := range s.Nodes {
		if n.ID == s.Leader {
			names = append([]string{n.Region},
				slices.DeleteFunc(names, func(r string) bool { return r == n.Region })...)
		} else if !slices.Contains(names, n.Region) {
			names = append(names, n.Region)
		}
	}
	return names
}

// waysOf are the shortest round trips that nodes of two regions have measured.
func waysOf(s operator.ClusterStatus) placement.Ways {
	region := map[string]string{}
	for _, n := range s.Nodes {
		region[n.ID] = n.Region
	}
	ways := placement.Ways{}
	for _, n := range s.Nodes {
		for to, took := range n.RoundTrips {
			trip := time.Duration(took * float64(time.Millisecond))
			if known, ok := ways[[2]string{n.Region, region[to]}]; !ok || trip < known {
				ways.Set(n.Region, region[to], trip)
			}
		}
	}
	return ways
}

// plan ranks the layouts of each number of voters.
func (o *planOptions) plan(ways placement.Ways) ([]placement.Layout, error) {
	numbers := []int{3, 5}
	if o.voters != 0 {
		numbers = []int{o.voters}
	}
	var layouts []placement.Layout
	for _, n := range numbers {
		ranked, err := placement.Plan(o.regions, ways, n)
		if err != nil {
			return nil, err
		}
		if !o.all {
			ranked = best(ranked)
		}
		layouts = append(layouts, ranked...)
	}
	return layouts, nil
}

// best are the layout that survives most, and the one with the cheapest writes where that is
// another.
func best(ranked []placement.Layout) []placement.Layout {
	cheapest := slices.MinFunc(ranked, func(a, b placement.Layout) int { return int(a.Mean - b.Mean) })
	if cheapest.Mean < ranked[0].Mean {
		return []placement.Layout{ranked[0], cheapest}
	}
	return ranked[:1]
}

func (o *planOptions) table(layouts []placement.Layout) console.Table {
	var names []string
	for _, region := range o.regions {
		names = append(names, cmp.Or(region, "(no region)"))
	}
	header := []string{"Voters in " + strings.Join(names, "/"), "Leader in"}
	for _, name := range names {
		header = append(header, "Write from "+name)
	}
	t := console.NewTable(append(header, "May be lost")...)
	for _, l := range layouts {
		var counts []string
		for _, region := range o.regions {
			counts = append(counts, fmt.Sprint(l.Voters[region]))
		}
		row := []any{strings.Join(counts, "/"), cmp.Or(l.Leader, "(no region)")}
		for _, region := range o.regions {
			row = append(row, fmt.Sprintf("%.0f ms", l.Writes[region].Seconds()*1000))
		}
		t.Add(append(row, mayBeLost(l, len(o.regions)))...)
	}
	return t
}

func mayBeLost(l placement.Layout, regions int) string {
	text := fmt.Sprintf("%d voters", l.Outlook.Spare)
	if l.Outlook.Spare == 1 {
		text = "1 voter"
	}
	switch {
	case regions == 1:
		return text
	case len(l.Outlook.Loses) == 0:
		return text + ", or any one region"
	case len(l.Outlook.Survives) == 0:
		return text + ", no region"
	}
	return text + ", or " + strings.Join(l.Outlook.Survives, " or ")
}

func (o *planOptions) explain(c *cobra.Command, layouts []placement.Layout) {
	out := c.OutOrStdout()
	fmt.Fprintln(out, `
A write costs the leader's round trip to the nearest majority of the voters,
then the one to the farthest node, so that no node anywhere still answers what
was before; from another region its way to the leader comes on top. Reads and
the use of keys cost no message in any region.`)
	first := layouts[0]
	if regions := len(o.regions); regions == 2 && len(first.Outlook.Loses) > 0 {
		console.Tell(c, out, "With two regions one of them always holds the majority: writes stop "+
			"without %s. A third region, be it with one small voter, mends that.",
			strings.Join(first.Outlook.Loses, " or "))
	}
}

func planned(layouts []placement.Layout) (rows []plannedLayout) {
	for _, l := range layouts {
		row := plannedLayout{Voters: l.Voters, Leader: l.Leader, Writes: map[string]float64{},
			Mean:  float64(l.Mean) / float64(time.Millisecond),
			Spare: l.Outlook.Spare, Survives: append([]string{}, l.Outlook.Survives...),
			Loses: append([]string{}, l.Outlook.Loses...), Sentences: l.Outlook.Sentences}
		for region, cost := range l.Writes {
			row.Writes[region] = float64(cost) / float64(time.Millisecond)
		}
		rows = append(rows, row)
	}
	return rows
}
