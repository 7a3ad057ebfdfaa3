package testcluster_test

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"keyquorum/node"
	"keyquorum/node/schedule"
	"keyquorum/testcluster"
)

// What the metrics of a cluster tell: every name of docs/metrics.md at some node and no other, the
// same state at all nodes, and at the leader which member is slow or gone.
func TestMetricsOfACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := schedule.Plan{Every: 24 * time.Hour, Keep: 1, // so that there are figures of snapshots
			Stores: []schedule.Store{schedule.Folder(t.TempDir())}}
		c := testcluster.New(t, 3, func(_ int, config *node.Config) { config.Snapshots = daily })
		c.NewVault("demo")
		thief := c.Steal(0) // whom somebody accuses, so that there is a figure of it
		_, _ = thief.Propose([]byte("nothing"))
		thief.Leave()
		time.Sleep(6 * time.Second)
		leader := c.Leader()
		shown := map[string]string{}
		leading, leased := 0.0, 0.0
		for i := range 3 {
			f := metricsOf(t, c, i)
			for name := range f {
				shown[name] = labelsOf(f[name])
			}
			leading += one(f, "vault_core_active", "")
			leased += one(f, "keyquorum_lease_held", "")
			if got := one(f, "vault_raft_peers", ""); got != 3 {
				t.Errorf("node %d has %v peers", i, got)
			}
		}
		if leading != 1 || leased != 3 {
			t.Errorf("%v nodes lead, %v hold a lease", leading, leased)
		}
		compareWithPage(t, shown)

		near := metricsOf(t, c, (leader+1)%3)
		for range 5 {
			c.Call((leader+1)%3, "GET", "/v1/keyquorum/vaults", nil, nil)
		}
		then := metricsOf(t, c, (leader+1)%3)
		if leased, fenced := reads(then, "lease")-reads(near, "lease"),
			reads(then, "fence")-reads(near, "fence"); leased < 5 || fenced != 0 {
			t.Errorf("five reads of a follower with a lease: %v by lease, %v by fence", leased, fenced)
		}

		slow := (leader + 1) % 3
		state, err := c.Node(slow).State(t.Context(), 0)
		must(t, err)
		if f := metricsOf(t, c, leader); one(f, "keyquorum_member_checked_in", state.NodeID) != 1 ||
			one(f, "keyquorum_member_lag_entries", state.NodeID) > 1 ||
			one(f, "keyquorum_member_lease", state.NodeID) != 1 || one(f,
			"vault_autopilot_failure_tolerance", "") != 1 || one(f, "vault_autopilot_healthy", "") != 1 {
			t.Error("a member that is well is not shown so")
		}
		c.Isolate(slow)
		for k := range 3 { // the first waits for its lease
			if code := create(c, leader, "while-gone-"+string(rune('a'+k))); code != 200 {
				t.Fatal(code)
			}
		}
		if f := metricsOf(t, c, leader); one(f, "keyquorum_member_lag_entries", state.NodeID) < 3 ||
			one(f, "keyquorum_member_back_offs_total", state.NodeID) < 1 ||
			one(f, "keyquorum_member_barred_seconds", state.NodeID) == 0 ||
			one(f, "keyquorum_member_lease", state.NodeID) != 0 {
			t.Errorf("a member that writes waited for: %v", f["keyquorum_member_lag_entries"])
		}
		time.Sleep(11 * time.Second)
		if f := metricsOf(t, c, leader); one(f, "keyquorum_member_checked_in", state.NodeID) != 0 ||
			one(f, "keyquorum_member_last_check_in_seconds", state.NodeID) < 10 ||
			one(f, "vault_autopilot_failure_tolerance", "") != 0 ||
			one(f, "vault_autopilot_healthy", "") != 0 {
			t.Error("a member that is gone is not shown so")
		}
		c.Heal()
		c.Settled()
		time.Sleep(time.Second)
		if f := metricsOf(t, c, c.Leader()); one(f, "keyquorum_member_lag_entries", state.NodeID) > 1 ||
			one(f, "keyquorum_member_lease", state.NodeID) != 1 ||
			one(f, "vault_autopilot_healthy", "") != 1 {
			t.Error("a member that is back is not shown so")
		}
	})
}

type families = map[string]*dto.MetricFamily

// metricsOf scrapes node i, without the Go runtime's and the process's own figures.
func metricsOf(t *testing.T, c *testcluster.Cluster, i int) families {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(metricsText(t, c, i)))
	must(t, err)
	maps.DeleteFunc(all, func(name string, _ *dto.MetricFamily) bool {
		return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
	})
	return all
}

func metricsText(t *testing.T, c *testcluster.Cluster, i int) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET",
		c.URL(i)+"/v1/sys/metrics?format=prometheus", nil)
	must(t, err)
	r.Header.Set("X-Vault-Token", c.Token)
	answer, err := c.Client(i).Do(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != 200 {
		t.Fatalf("metrics of node %d: %s %s", i, answer.Status, text)
	}
	return text
}

// one is the value of a gauge or counter: the only one, or that of a member. -1: there is none.
func one(f families, name, peerID string) float64 {
	for _, m := range f[name].GetMetric() {
		if peerID == "" || slices.ContainsFunc(m.Label,
			func(l *dto.LabelPair) bool { return l.GetName() == "peer_id" && l.GetValue() == peerID }) {
			return cmp.Or(m.GetGauge().GetValue(), m.GetCounter().GetValue())
		}
	}
	return -1
}

func reads(f families, by string) float64 {
	for _, m := range f["keyquorum_reads_total"].GetMetric() {
		if m.Label[0].GetValue() == by {
			return m.GetCounter().GetValue()
		}
	}
	return -1
}

// labelsOf are the labels of a metric, as docs/metrics.md lists them but for their order.
func labelsOf(f *dto.MetricFamily) string {
	var names []string
	for _, l := range f.Metric[0].Label {
		names = append(names, "`"+l.GetName()+"`")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// compareWithPage compares names and labels of metrics with the page, from which
// internal/monitoring knows what alerts and dashboards may ask for.
func compareWithPage(t *testing.T, shown map[string]string) {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	must(t, err)
	row := regexp.MustCompile("(?m)^\\| `([a-zA-Z_]+)` \\| [a-z]+ \\| ([^|]*) \\|")
	said := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		labels := strings.Split(m[2], ", ")
		slices.Sort(labels)
		said[m[1]] = strings.Join(labels, ", ")
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if labels, told := said[name]; !told || labels != shown[name] {
			t.Errorf("docs/metrics.md tells of %s with the labels %q (%v), and nodes show %q",
				name, labels, told, shown[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if _, there := shown[name]; !there {
			t.Errorf("no node shows %s, of which docs/metrics.md tells", name)
		}
	}
}
