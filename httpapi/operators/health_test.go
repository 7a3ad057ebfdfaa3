package operators_test

import (
	"testing"

	"keyquorum/httpapi/operators"
	"keyquorum/node"
)

func TestHealthMatrix(t *testing.T) {
	states := map[string]node.Health{
		"uninit": {Sealed: true}, "sealed": {Initialized: true, Sealed: true},
		"removed": {Initialized: true, Sealed: true, Removed: true},
		"active":  {Initialized: true, Leader: true}, "standby": {Initialized: true},
		"full disk":          {Initialized: true, Trouble: true},
		"full disk, leading": {Initialized: true, Leader: true, Trouble: true},
		"out of touch":       {Initialized: true, OutOfTouch: true},
	}
	for _, row := range []struct {
		state  string
		query  string
		known  bool
		status int
	}{
		{"uninit", "", false, 501}, {"uninit", "uninitcode=200", false, 200},
		{"uninit", "sealedcode=200&standbyok=true", false, 501},
		{"sealed", "", true, 503}, {"sealed", "sealedcode=204", true, 204},
		{"sealed", "standbyok=true&perfstandbyok=true", true, 503},
		{"removed", "", true, 530}, {"removed", "removedcode=299", true, 299},
		{"active", "", true, 200}, {"active", "activecode=299", true, 299},
		{"active", "standbycode=299", true, 200},
		{"standby", "", true, 473}, {"standby", "standbyok=true", true, 200},
		{"standby", "perfstandbyok=true", true, 200},
		{"standby", "performancestandbycode=299&standbycode=298", true, 299},
		{"standby", "standbycode=298", true, 298},
		{"standby", "standbyok=false", true, 473}, {"standby", "", false, 474},
		{"standby", "standbyok=true", false, 474},
		{"standby", "haunhealthycode=299", false, 299},
		{"active", "activecode=x", true, 400}, {"active", "activecode=99", true, 400},
		{"active", "activecode=1000", true, 400},
		{"sealed", "activecode=x", true, 400}, {"active", "drsecondarycode=no", true, 400},
		{"standby", "standbyok=1", true, 200}, {"standby", "standbyok=t", true, 200},
		{"standby", "perfstandbyok=True", true, 200},
		{"standby", "standbyok=0", true, 473}, {"standby", "standbyok=", true, 473},
		{"standby", "standbyok=yes", true, 400},
		{"active", "standbyok=yes", true, 400}, {"active", "perfstandbyok=2", true, 400},
		{"full disk", "", true, 503}, {"full disk", "standbyok=true", true, 503},
		{"full disk", "sealedcode=204", true, 204},
		{"full disk, leading", "", true, 503}, {"out of touch", "standbyok=true", true, 474},
	} {
		got, err := operators.HealthCode(states[row.state], row.known, row.query)
		if row.status == 400 && err == nil || row.status != 400 && (err != nil || got != row.status) {
			t.Errorf("%s, leader known %v, %q: %d %v, want %d", row.state, row.known, row.query, got, err,
				row.status)
		}
	}
}
