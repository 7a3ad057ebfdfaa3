package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// ofPrometheus are labels that Prometheus gives every series of a target.
var ofPrometheus = []string{"instance", "job", "__name__"}

// figures are the labels of each metric that docs/metrics.md lists, without those of Prometheus.
// TestMetricsOfACluster in testcluster compares that table with what a running cluster shows.
func figures(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(docs, "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| ([^|]*) \\|")
	code := regexp.MustCompile("`(\\w+)`")
	found := map[string][]string{"up": nil} // Prometheus' own
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		var labels []string
		for _, l := range code.FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		switch name := m[1]; m[2] {
		case "histogram":
			found[name+"_bucket"] = append(slices.Clone(labels), "le")
			fallthrough
		case "summary":
			found[name+"_sum"], found[name+"_count"] = labels, labels
		default:
			found[name] = labels
		}
	}
	if len(found) < 60 {
		t.Fatalf("docs/metrics.md lists %d metrics", len(found))
	}
	return found
}

// A query is an expression, and who asks.
type query struct{ who, expr string }

// queries are all of the alerts and of the dashboard.
func queries(t *testing.T) (all []query) {
	t.Helper()
	for _, r := range rules(t) {
		all = append(all, query{r.Alert, r.Expr})
	}
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			all = append(all, query{p.Title, inGrafana.Replace(target.Expr)})
		}
	}
	return all
}

// inGrafana stands for what Grafana puts into an expression.
var inGrafana = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h")

// TestQueriesAskForWhatIsThere: every metric exists, and has every label that a query chooses,
// groups or matches by.
func TestQueriesAskForWhatIsThere(t *testing.T) {
	known, p := figures(t), parser.NewParser(parser.Options{})
	for _, q := range queries(t) {
		expr, err := p.ParseExpr(q.expr)
		if err != nil {
			t.Errorf("%s: %v", q.who, err)
			continue
		}
		if foreign := lacking(known, expr); len(foreign) > 0 {
			t.Errorf("%s asks for %s, which no node has: %s", q.who, strings.Join(foreign, ", "), q.expr)
		}
	}
}

// lacking are metrics and labels of an expression that are not there.
func lacking(known map[string][]string, expr parser.Expr) (names []string) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			labels, there := known[n.Name]
			if !there {
				names = append(names, n.Name)
				return nil
			}
			for _, m := range n.LabelMatchers {
				names = append(names, missing(labels, m.Name)...)
			}
		case *parser.AggregateExpr:
			names = append(names, missing(labelsUnder(known, n.Expr), n.Grouping...)...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				both := append(labelsUnder(known, n.LHS), labelsUnder(known, n.RHS)...)
				names = append(names, missing(both, n.VectorMatching.MatchingLabels...)...)
			}
		}
		return nil
	})
	return names
}

func missing(labels []string, wanted ...string) (names []string) {
	for _, name := range wanted {
		if !slices.Contains(labels, name) && !slices.Contains(ofPrometheus, name) {
			names = append(names, "label "+name)
		}
	}
	return names
}

// labelsUnder are those of all metrics in an expression.
func labelsUnder(known map[string][]string, expr parser.Expr) (labels []string) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			labels = append(labels, known[s.Name]...)
		}
		return nil
	})
	return labels
}

// A test that finds nothing would pass for ever.
func TestWhatIsNotThereIsFound(t *testing.T) {
	known, p := figures(t), parser.NewParser(parser.Options{})
	for expr, want := range map[string]string{
		`vault_core_sealed`:                                        "vault_core_sealed",
		`keyquorum_reads_total{kind="lease"}`:                      "label kind",
		`sum by (region) (keyquorum_reads_total)`:                  "label region",
		`up * on (region) vault_core_active`:                       "label region",
		`histogram_quantile(0.9, keyquorum_commit_seconds)`:        "keyquorum_commit_seconds",
		`rate(vault_core_handle_request_bucket[5m])`:               "vault_core_handle_request_bucket",
		`sum by (instance, le) (keyquorum_commit_seconds_bucket)`:  "",
		`sum by (instance) (keyquorum_reads_total{by="fence"})`:    "",
		`up{job="keyquorum"} and on (instance) vault_core_active`:  "",
		`sum by (by) (rate(keyquorum_reads_total[5m])) > bool 0.5`: "",
	} {
		parsed, err := p.ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lacking(known, parsed), ", "); got != want {
			t.Errorf("%s lacks %q, want %q", expr, got, want)
		}
	}
}

// A dashboard is what the tests look at in docs/dashboard.json.
type dashboard struct {
	UID        string `json:"uid"`
	Title      string `json:"title"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type panel struct {
	ID         int    `json:"id"`
	Title      string `json:"title"`
	Type       string `json:"type"`
	Datasource struct {
		UID string `json:"uid"`
	} `json:"datasource"`
	GridPos struct {
		H, W, X, Y int
	} `json:"gridPos"`
	Targets []struct {
		Expr         string `json:"expr"`
		RefID        string `json:"refId"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs, "dashboard.json"))
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDashboardHolds: what Grafana needs is there, no panel lies on another, and every query is of
// the job that is chosen.
func TestDashboardHolds(t *testing.T) {
	d := readDashboard(t)
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	if d.UID == "" || d.Title == "" || !slices.Equal(variables, []string{"datasource", "job"}) {
		t.Errorf("it is %q %q, with the variables %q", d.UID, d.Title, variables)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s has the id of another panel", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %q, or beyond 24 columns", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		refs := map[string]bool{}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "${datasource}") {
			t.Errorf("%s asks nothing, or not the chosen source %q", p.Title, p.Datasource.UID)
		}
		for _, target := range p.Targets {
			if refs[target.RefID] || target.LegendFormat == "" ||
				!strings.Contains(target.Expr, `job="$job"`) {
				t.Errorf("%s: the query %q", p.Title, target)
			}
			refs[target.RefID] = true
		}
	}
}
