package operators_test

import (
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/httpapi/operators"
	"keyquorum/node"
)

// Advice names a node, by its label, whether it stands in a region or not.
func TestAdviceNamesANode(t *testing.T) {
	trip := func(to string, took time.Duration) cluster.RoundTrip {
		return cluster.RoundTrip{To: to, Took: took}
	}
	for _, region := range []string{"", "eu"} {
		member := func(id string, trips ...cluster.RoundTrip) node.Peer {
			status := cluster.Status{RoundTrips: trips,
				About: cluster.About{Label: "n" + id, Region: region}}
			return node.Peer{ID: id, Voter: true, Answers: true, Leader: id == "1", Status: status}
		}
		s := node.Survey{By: "1", Leads: true, Leader: "1", Members: []node.Peer{
			member("1", trip("2", 80*time.Millisecond), trip("3", 81*time.Millisecond)),
			member("2", trip("3", time.Millisecond)), member("3"),
		}}
		said := strings.Join(operators.Outlook(s), " ")
		want := "Writes would cost less if node n2 led: "
		if region != "" {
			want = "Writes would cost less if node n2 in region eu led: "
		}
		if !strings.Contains(said, want) &&
			!strings.Contains(said, strings.Replace(want, "n2", "n3", 1)) {
			t.Errorf("region %q: %s, want %q", region, said, want)
		}
	}
}
