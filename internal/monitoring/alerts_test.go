package monitoring

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"go.yaml.in/yaml/v3"
)

const docs = "../../docs"

// rules are those of docs/alerts.yml, as Prometheus reads them.
func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(docs, "alerts.yml"), false, model.UTF8Validation,
		parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() || len(groups.Groups) != 1 {
		t.Fatal("docs/alerts.yml is not one group of rules")
	}
	return groups.Groups[0].Rules
}

// tests are a file of promtool's, as far as docs/alerts-tests.yml uses its format.
type tests struct {
	RuleFiles []string       `yaml:"rule_files"`
	Interval  model.Duration `yaml:"evaluation_interval"`
	Tests     []struct {
		Name     string         `yaml:"name"`
		Interval model.Duration `yaml:"interval"`
		Series   []input        `yaml:"input_series"`
		Alerts   []struct {
			At   model.Duration `yaml:"eval_time"`
			Name string         `yaml:"alertname"`
			Want []alert        `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

// An alert is one that fires, without its name.
type alert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

func readTests(t *testing.T) (read tests) {
	t.Helper()
	f, err := os.Open(filepath.Join(docs, "alerts-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&read); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(read.RuleFiles, []string{"alerts.yml"}) {
		t.Fatalf("the tests are for %q", read.RuleFiles)
	}
	return read
}

// TestAlerts runs docs/alerts-tests.yml. Every rule fires in one of its tests, and is quiet in
// another.
func TestAlerts(t *testing.T) {
	byName, fired, quiet := map[string]rulefmt.Rule{}, map[string]bool{}, map[string]bool{}
	for _, r := range rules(t) {
		byName[r.Alert] = r
	}
	all := readTests(t)
	e := newEvaluator()
	for _, test := range all.Tests {
		var series []storage.Series
		for _, in := range test.Series {
			s, err := in.read(e.parser, time.Duration(test.Interval))
			if err != nil {
				t.Fatal(err)
			}
			series = append(series, s)
		}
		for _, c := range test.Alerts {
			rule, there := byName[c.Name]
			if !there {
				t.Fatalf("%s: there is no alert %s", test.Name, c.Name)
			}
			at := epoch.Add(time.Duration(c.At))
			got, err := e.firing(t.Context(), rule, holding(series), at, time.Duration(all.Interval))
			if err != nil {
				t.Fatalf("%s, %s: %v", test.Name, c.Name, err)
			}
			if inYAML(got) != inYAML(c.Want) {
				t.Errorf("%s: %s after %s fires\n%swant\n%s", test.Name, c.Name, c.At, inYAML(got),
					inYAML(c.Want))
			}
			fired[c.Name] = fired[c.Name] || len(c.Want) > 0
			quiet[c.Name] = quiet[c.Name] || len(c.Want) == 0
		}
	}
	for name := range byName {
		if !fired[name] || !quiet[name] {
			t.Errorf("%s fires in a test: %v; is quiet in one: %v", name, fired[name], quiet[name])
		}
	}
}

func inYAML(alerts []alert) string {
	b, _ := yaml.Marshal(alerts)
	return string(b)
}

// An evaluator does what Prometheus does with a rule.
type evaluator struct {
	parser parser.Parser
	engine *promql.Engine
}

func newEvaluator() *evaluator {
	p := parser.NewParser(parser.Options{})
	return &evaluator{p, promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: p,
		EnableAtModifier: true, EnableNegativeOffset: true,
	})}
}

// firing are the alerts of a rule at a moment: what its expression has given at every evaluation
// since the epoch, or for as long as it wants.
func (e *evaluator) firing(
	ctx context.Context, rule rulefmt.Rule, data storage.Queryable, at time.Time, every time.Duration,
) (alerts []alert, err error) {
	since := map[uint64]time.Time{}
	for now := epoch; !now.After(at); now = now.Add(every) {
		found, err := e.query(ctx, rule.Expr, data, now)
		if err != nil {
			return nil, err
		}
		active := map[uint64]time.Time{}
		for _, s := range found {
			key := s.Metric.Hash()
			active[key] = now
			if began, pending := since[key]; pending {
				active[key] = began
			}
			if now.Equal(at) && now.Sub(active[key]) >= time.Duration(rule.For) {
				alerts = append(alerts, e.expand(ctx, rule, s, now, data))
			}
		}
		since = active
	}
	byLabels := func(a, b alert) int {
		return strings.Compare(fmt.Sprint(a.Labels), fmt.Sprint(b.Labels))
	}
	slices.SortFunc(alerts, byLabels)
	for i := 1; i < len(alerts); i++ {
		if byLabels(alerts[i-1], alerts[i]) == 0 {
			return nil, fmt.Errorf("two alerts have the labels %v", alerts[i].Labels)
		}
	}
	return alerts, nil
}

func (e *evaluator) query(
	ctx context.Context, expr string, data storage.Queryable, at time.Time,
) (promql.Vector, error) {
	q, err := e.engine.NewInstantQuery(ctx, data, nil, expr, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	found, err := q.Exec(ctx).Vector()
	return slices.Clone(found), err
}

// expand fills in a rule's annotations for a sample.
func (e *evaluator) expand(
	ctx context.Context, rule rulefmt.Rule, s promql.Sample, at time.Time, data storage.Queryable,
) alert {
	own := s.Metric.Map()
	a := alert{maps.Clone(own), map[string]string{}}
	delete(a.Labels, model.MetricNameLabel)
	maps.Copy(a.Labels, rule.Labels)
	about := template.AlertTemplateData(own, nil, "", s)
	for name, text := range rule.Annotations {
		text = "{{$labels := .Labels}}{{$value := .Value}}" + text
		expander := template.NewTemplateExpander(ctx, text, name, about,
			model.TimeFromUnixNano(at.UnixNano()),
			func(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
				return e.query(ctx, expr, data, at)
			}, new(url.URL), nil)
		expanded, err := expander.Expand()
		if err != nil {
			expanded = err.Error()
		}
		a.Annotations[name] = expanded
	}
	return a
}
