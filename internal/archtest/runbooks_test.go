package archtest

import (
	"regexp"
	"strings"
	"testing"
)

// TestEachAlertHasItsRunbook: an alert names a part of docs/runbooks.md that is there, and no part
// is there that no alert and no other part leads to.
func TestEachAlertHasItsRunbook(t *testing.T) {
	book := page{"docs/runbooks.md", read(t, "docs/runbooks.md")}
	rules := strings.Split(read(t, "docs/alerts.yml"), "- alert: ")[1:]
	if len(rules) < 20 {
		t.Fatalf("docs/alerts.yml has %d rules that can be read", len(rules))
	}
	runbook := regexp.MustCompile(`(?m)^ +runbook: docs/runbooks\.md#([a-z-]+)$`)
	used := map[string]bool{}
	for _, r := range rules {
		name, _, _ := strings.Cut(r, "\n")
		found := runbook.FindAllStringSubmatch(r, -1)
		if len(found) != 1 || !book.anchors()[found[0][1]] {
			t.Errorf("alert %s has no runbook that is there: %q", name, found)
			continue
		}
		used[found[0][1]] = true
	}
	for _, written := range book.links() {
		used[strings.TrimPrefix(written, "#")] = true
	}
	for part := range book.anchors() {
		if !used[part] && part != "runbooks" && part != "lost-shares" { // no figure tells of shares
			t.Errorf("docs/runbooks.md has the part %q, to which nothing leads", part)
		}
	}
}

// TestAlertsAndDashboardNameMetricsThatAreThere looks at names alone. make alerts runs the rules.
func TestAlertsAndDashboardNameMetricsThatAreThere(t *testing.T) {
	table := read(t, "docs/metrics.md")
	part := regexp.MustCompile(`_(bucket|sum|count)$`)
	for _, page := range []string{"docs/alerts.yml", "docs/dashboard.json"} {
		names := regexp.MustCompile(`\b(keyquorum|vault)_[a-z0-9_]+`).FindAllString(read(t, page), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics", page, len(names))
		}
		for _, name := range names {
			if !strings.Contains(table, "`"+name) &&
				!strings.Contains(table, "`"+part.ReplaceAllString(name, "")) {
				t.Errorf("%s names %s, which docs/metrics.md does not have", page, name)
			}
		}
	}
}
