package figures_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"keyquorum/httpapi/figures"
)

const metricsPage = "../../docs/metrics.md"

// The page's table is the program's, line by line.
func TestMetricsPageHasEveryFigure(t *testing.T) {
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(keyquorum|vault)_.*\\|$").FindAllString(string(page), -1)
	want := figures.FigureRows()
	for _, row := range want {
		if !strings.Contains(string(page), "\n"+row+"\n") {
			t.Errorf("docs/metrics.md lacks the line\n%s", row)
		}
	}
	if len(rows) != len(want) {
		t.Errorf("docs/metrics.md has %d figures, the program %d", len(rows), len(want))
	}
}

// Alerts ask for what is there.
func TestAlertsNameFigures(t *testing.T) {
	rules, err := os.ReadFile("../../docs/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Join(figures.FigureRows(), "\n")
	names := regexp.MustCompile(`\b(keyquorum|vault)_[a-zA-Z_]+`).FindAllString(string(rules), -1)
	if len(names) == 0 {
		t.Fatal("no rule asks for anything")
	}
	for _, name := range names {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"),
			"_count")
		if !strings.Contains(known, "`"+name+"`") && !strings.Contains(known, "`"+base+"`") {
			t.Errorf("docs/alerts.yml asks for %s, which no node has", name)
		}
	}
}
