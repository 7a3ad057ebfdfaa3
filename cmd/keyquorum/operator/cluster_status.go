package operator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// ClusterStatus is sys/ha-status.
type ClusterStatus struct {
	Nodes      []NodeStatus       `json:"nodes"`
	SurveyedBy string             `json:"surveyed_by"`
	Leader     string             `json:"leader"`
	LeaseMS    int64              `json:"read_lease_ms"`
	Spare      int                `json:"voters_to_spare"`
	Survives   []string           `json:"regions_to_spare"`
	Writes     map[string]float64 `json:"write_ms_by_region"`
	Outlook    []string           `json:"outlook"`
	Accused    []json.RawMessage  `json:"accusations"`
	Level      int                `json:"level"`
	Restoring  bool               `json:"restoring,omitempty"`
}

// A NodeStatus is a member in it.
type NodeStatus struct {
	Name       string             `json:"hostname"`
	API        string             `json:"api_address"`
	ID         string             `json:"node_id"`
	Region     string             `json:"region"`
	Level      int                `json:"newest_level"`
	Role       string             `json:"role"`
	State      string             `json:"state"`
	Trouble    string             `json:"trouble,omitempty"`
	NoRoom     string             `json:"refuses_writes,omitempty"`
	Lease      bool               `json:"read_lease"`
	Version    string             `json:"version,omitempty"`
	Applied    uint64             `json:"applied_index"`
	Lag        uint64             `json:"lag"`
	SkewMS     int64              `json:"clock_skew_ms"`
	RoundTrips map[string]float64 `json:"round_trips_ms"`
}

const clusterStatusHelp = `Show all nodes of the cluster, and what it can still lose.

Trip is the round trip to the leader. Reads are local where a node answers from
its own copy, asking where it asks the leader first, no where it serves nobody.
Applied is how far the node is in the log, Lag how many entries it is behind.`

func StatusCommand() *cobra.Command {
	c := &cobra.Command{Use: "status",
		Short: "Show all nodes of the cluster, and what it can still lose", Long: clusterStatusHelp,
		Args: console.Arguments(0, 0)}
	k, format := ConnectionFlags(c), console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		s, err := Survey(c.Context(), api)
		if err != nil {
			return err
		}
		if err := format.Print(c, s, s.table()); err != nil || *format != "table" {
			return err
		}
		s.explain(c)
		return nil
	}
	return c
}

// Survey asks for the status of all nodes.
func Survey(ctx context.Context, api *Client) (ClusterStatus, error) {
	var answer struct {
		Data ClusterStatus `json:"data"`
	}
	err := api.Call(ctx, http.MethodGet, "/v1/sys/ha-status", nil, &answer)
	return answer.Data, err
}

// table has the nodes by region.
func (s ClusterStatus) table() console.Table {
	slices.SortStableFunc(s.Nodes, func(a, b NodeStatus) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	t := console.NewTable("Node", "Region", "Role", "State", "Trip", "Reads", "Applied", "Lag")
	for _, n := range s.Nodes {
		t.Add(cmp.Or(n.Name, n.ID), n.Region, n.Role, n.State, s.tripOf(n), n.reads(), n.Applied, n.Lag)
	}
	return t
}

// version is that of all nodes, "" where they have several: then the outlook says which has which.
func (s ClusterStatus) version() string {
	one := ""
	for _, n := range s.Nodes {
		one = cmp.Or(one, n.Version)
		if n.Version != "" && n.Version != one {
			return ""
		}
	}
	return one
}

// tripOf is the round trip between the leader and a node.
func (s ClusterStatus) tripOf(n NodeStatus) string {
	if n.State == "unreachable" {
		return ""
	}
	for _, other := range s.Nodes {
		if trip, ok := other.RoundTrips[n.ID]; ok && other.ID == s.Leader {
			return fmt.Sprintf("%.1f ms", trip)
		}
	}
	return ""
}

// reads says how a node answers them.
func (n NodeStatus) reads() string {
	switch {
	case n.State != "unsealed":
		return "no"
	case n.Lease:
		return "local"
	}
	return "asking"
}

// explain says in words what the table means.
func (s ClusterStatus) explain(c *cobra.Command) {
	out := c.OutOrStdout()
	fmt.Fprintln(out)
	for _, sentence := range s.Outlook {
		console.Tell(c, out, "%s", sentence)
	}
	if len(s.Writes) > 1 {
		var costs []string
		for _, region := range slices.Sorted(maps.Keys(s.Writes)) {
			costs = append(costs, fmt.Sprintf("%s %.0f ms", cmp.Or(region, "(no region)"), s.Writes[region]))
		}
		console.Tell(c, out, "A write takes, in messages, from: %s.", strings.Join(costs, ", "))
	}
	if s.LeaseMS > 0 {
		console.Tell(c, out, "A node that is cut off answers reads for at most %s yet, and no write is "+
			"acknowledged meanwhile that it lacks.", time.Duration(s.LeaseMS)*time.Millisecond)
	}
	if version := s.version(); version != "" {
		console.Tell(c, out, "Version %s.", version)
	}
	if s.Leader != "" && s.SurveyedBy != s.Leader {
		console.Tell(c, out, "The leader did not answer: this is what the node sees that was asked.")
	}
}
