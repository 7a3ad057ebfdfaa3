package operator

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// The tables that are looked at most fit too, with names and versions as long as they usually are.
func TestTablesFitATerminal(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	nodes := ClusterStatus{Leader: "a", Nodes: []NodeStatus{
		{ID: "a", Name: "kv-frankfurt", Region: "eu-west", Role: "non-voter", State: "unreachable",
			Applied: 123456789, Lag: 999, Version: "v1.10.3-12-g0123456",
			RoundTrips: map[string]float64{"b": 123.4}},
		{ID: "b", Name: "kv-paris", Role: "voter", State: "unsealed"},
	}}
	for name, table := range map[string]console.Table{
		"status": nodes.table(),
		"autopilot state": autopilotState{Servers: map[string]autopilotServer{"a": {
			Name: "kv-frankfurt", Status: "non-voter", NodeStatus: "failed", StableSince: now,
			LastContact: "24h0m1.001s", LastIndex: 123456789}}}.table(),
		"vault list": vaultsTable([]VaultInfo{{Name: "payments-of-europe", State: "deleted",
			RetentionDays: 90, PurgeProtection: true, Created: now, ScheduledPurge: &now}}),
	} {
		var out bytes.Buffer
		c := &cobra.Command{}
		c.SetOut(&out)
		format := console.Format("table")
		if err := format.Print(c, nil, table); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(line) > 80+1 {
				t.Errorf("%s: %d columns: %s", name, len(line), line)
			}
		}
	}
}

// A node that lacks the root key of new shares serves, and its status says what to do.
func TestStatusOfANodeThatLacksTheRootKey(t *testing.T) {
	status := map[string]any{"initialized": true, "sealed": false, "lacks_root_key": true}
	if next := nextStep(status); !strings.Contains(next, "unseal another node with the new shares") {
		t.Errorf("next: %q", next)
	}
	var out bytes.Buffer
	c := &cobra.Command{}
	c.SetOut(&out)
	format := console.Format("table")
	if err := format.Print(c, nil, statusTable(status)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Lacks the new root key") {
		t.Errorf("status: %s", out.String())
	}
}

// Whoever gives a share reads first for whom the new ones are.
func TestWhatAShareIsGivenFor(t *testing.T) {
	r := rekey{Started: true, Shares: 3, Threshold: 2, Fingerprints: []string{"f00d", "beef", "cafe"}}
	for _, told := range []string{"3 new shares, of which 2", "at once", "f00d, beef, cafe"} {
		if !strings.Contains(r.makes(), told) {
			t.Errorf("it does not say %q: %s", told, r.makes())
		}
	}
	if g := (rootGeneration{Fingerprint: "f00d"}); !strings.Contains(g.makes(), "f00d") {
		t.Errorf("a root token for somebody: %s", g.makes())
	}
}
