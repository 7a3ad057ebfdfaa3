package testcluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// What sys/ha-status tells of a cluster over three regions: who stands where and how, what a write
// costs, and what may be lost.
func TestStatusOfRegions(t *testing.T) {
	heavy.Test(t)
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3, func(i int, config *node.Config) { config.Region = threeRegions[i%3] })
		c.AddNonvoter() // in the east
		spread(c)
		time.Sleep(30 * time.Second)
		leader := c.Leader()
		s := status(t, c, (leader+1)%3)
		if len(s.Nodes) != 4 || s.SurveyedBy != s.Leader || s.LeaseMS < 1200 || s.LeaseMS > 1300 ||
			s.Spare != 1 {
			t.Fatalf("%+v", s)
		}
		for _, n := range s.Nodes {
			if n.State != "unsealed" || !n.Lease || n.Lag > 1 ||
				n.Region != threeRegions[int(n.Name[4]-'0')%3] || len(n.RoundTrips) != 3 {
				t.Errorf("%+v", n)
			}
		}
		outlook := strings.Join(s.Outlook, " ")
		if !strings.Contains(outlook,
			"One more voter may be lost. Any one of the regions east, south, west may go.") {
			t.Errorf("%q", outlook)
		}
		var took []float64 // the first ones open connections
		for k := range 10 {
			begun := time.Now()
			if code := create(c, leader, fmt.Sprint("measured-", k)); code != 200 {
				t.Fatalf("a vault: %d", code)
			}
			took = append(took, float64(time.Since(begun).Microseconds())/1000)
		}
		if said := s.Writes[threeRegions[leader]]; median(took) < said-1 || median(took) > said+20 {
			t.Errorf("writes at the leader took %.0f ms, %.0f were said", took, said)
		}
		down := (leader + 1) % 3
		c.Kill(down)
		time.Sleep(2 * time.Second)
		s = status(t, c, c.Leader())
		outlook = strings.Join(s.Outlook, " ")
		if s.Spare != 0 || !strings.Contains(outlook, "No more voters may be lost") ||
			!strings.Contains(outlook, "does not answer") {
			t.Errorf("with a node down: spare %d, %q", s.Spare, outlook)
		}
		c.Start(down)
		c.Settled()
	})
}

// A clusterStatus is what is looked at of sys/ha-status.
type clusterStatus struct {
	Nodes []struct {
		Name       string             `json:"hostname"`
		ID         string             `json:"node_id"`
		API        string             `json:"api_address"`
		Active     bool               `json:"active_node"`
		Region     string             `json:"region"`
		State      string             `json:"state"`
		Lease      bool               `json:"read_lease"`
		Lag        uint64             `json:"lag"`
		RoundTrips map[string]float64 `json:"round_trips_ms"`
	} `json:"nodes"`
	SurveyedBy string             `json:"surveyed_by"`
	Leader     string             `json:"leader"`
	LeaseMS    int64              `json:"read_lease_ms"`
	Spare      int                `json:"voters_to_spare"`
	Writes     map[string]float64 `json:"write_ms_by_region"`
	Outlook    []string           `json:"outlook"`
}

func status(t *testing.T, c *testcluster.Cluster, i int) clusterStatus {
	t.Helper()
	var answer struct {
		Data clusterStatus `json:"data"`
	}
	c.Call(i, "GET", "/v1/sys/ha-status", nil, &answer)
	if !slices.ContainsFunc(answer.Data.Outlook, func(s string) bool { return s != "" }) {
		t.Fatalf("no outlook: %+v", answer.Data)
	}
	return answer.Data
}
