package doctor

import (
	"bytes"
	"context"
	"fmt"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"keyquorum/cmd/keyquorum/operator"
)

// samples are the metrics of one scrape that have a single value: gauges and counters. Of one with
// labels it is the greatest, but of free room the least: the worst of all.
type samples map[string]float64

// freeRoom has a value for each disk.
const freeRoom = "keyquorum_disk_free_bytes"

// samplesOf reads Prometheus' text format.
func samplesOf(text []byte) (samples, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	found := samples{}
	for name, family := range families {
		for i, m := range family.GetMetric() {
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			if i == 0 || (name == freeRoom) == (value < found[name]) {
				found[name] = value
			}
		}
	}
	return found, nil
}

// maxFigures bounds what is read of a node's metrics, in bytes.
const maxFigures = 8 << 20

// figures judges by a member's metrics, with the bounds of docs/alerts.yml.
func (p *page) figures(ctx context.Context, api *operator.Client, name string) {
	check := "metrics of " + name
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var text bytes.Buffer
	err := api.Fetch(ctx, "/v1/sys/metrics", operator.Bounded(&text, maxFigures))
	var s samples
	if err == nil {
		s, err = samplesOf(text.Bytes())
	}
	if err != nil {
		p.skip(check, "", "%v", err)
		return
	}
	well := len(p.checks)
	for _, f := range []struct {
		is         bool
		as         Result
		what, next string
	}{
		{s["keyquorum_usage_log_in_trouble"] > 0, Failed, "its usage log can't be written",
			"make room on its disk; the node's log says more (docs/usage-log.md)"},
		{s["keyquorum_diverged"] > 0 || s["keyquorum_digest_mismatches_total"] > 0, Failed,
			"its state and that of others differ, or did", "keep its folder, and the logs of all nodes"},
		{s["keyquorum_outcast"] > 0, Failed, "it takes no part any more: its disk was put back or copied",
			"see docs/put-back.md"},
		{s["keyquorum_clock_astray"] > 0, Warning, "its clock runs at another rate than the leader's",
			"look at the clock of its machine"},
		{s["keyquorum_disk_commit_waiting_seconds"] > 1, Failed, "a write to its log hangs",
			"look at its disk"},
		{s["keyquorum_disk_slowest_commit_seconds"] > 1, Warning,
			fmt.Sprintf("a write to its log took %.1f s", s["keyquorum_disk_slowest_commit_seconds"]),
			"look at its disk"},
		{s["keyquorum_disk_deleted_seconds"] > 600, Warning,
			"its folder holds what was deleted long ago", "look for \"scrub\" in its log"},
		{s["keyquorum_disk_free_bytes"] < 2*s["keyquorum_disk_reserve_bytes"], Warning,
			fmt.Sprintf("%.0f MiB are free on a disk of its, and with less than %.0f it takes no writes",
				s["keyquorum_disk_free_bytes"]/(1<<20), s["keyquorum_disk_reserve_bytes"]/(1<<20)),
			"make room"},
		{s["keyquorum_scheduled_snapshot_failing"] > 0, Warning, "its scheduled snapshots fail",
			"see keyquorum operator status, and docs/runbooks.md#snapshots-fail"},
		{s["keyquorum_break_glass_requests_total"] > 0, Warning, "its break-glass socket was used",
			"see docs/runbooks.md#no-operators-token-is-left"},
	} {
		if f.is {
			p.add(check, f.as, f.next, "%s", f.what)
		}
	}
	if len(p.checks) == well {
		p.ok(check, "usage log, disk, state and clock are well")
	}
}
