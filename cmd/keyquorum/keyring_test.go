package main

import (
	"encoding/json"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/operator"
)

// TestSharesAndKeyringByCommand checks shares, unseals with --cluster, and changes the keyring.
func TestSharesAndKeyringByCommand(t *testing.T) {
	n := startNode(t)
	var keys operator.InitResult
	made := n.operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil {
		t.Fatalf("init gave %s", made.stdout)
	}
	o := operating{n, keys.RootToken}
	checked := o.does(t, keys.KeysHex[1]+"\n", "check-share", "-format=json").object(t)
	if checked["good"] != true || checked["number"] != 2.0 || checked["threshold"] != 2.0 {
		t.Errorf("a good share: %v", checked)
	}
	wrong := strings.Replace(keys.KeysHex[1], keys.KeysHex[1][8:12], "0000", 1)
	refused := o.does(t, wrong+"\n", "check-share")
	expectCode(t, "a wrong share", refused, 1)
	if strings.Contains(refused.stdout+refused.stderr, wrong) {
		t.Error("check-share shows the share that it was given")
	}
	if status := n.operator(t, "status", "-format=json").object(t); status["progress"] != 0.0 {
		t.Errorf("a share that was checked was given: %v", status)
	}
	for i, says := range []string{"sealed", "unsealed"} {
		given := o.does(t, keys.KeysB64[i]+"\n", "unseal", "-cluster")
		expectCode(t, "a share for all", given, 0)
		if !strings.Contains(given.stdout, says) {
			t.Errorf("share %d: %s", i+1, given.stdout)
		}
	}
	expectCode(t, "schedule", o.does(t, "", "rotate", "schedule", "-interval=720h"), 0)
	shown := o.does(t, "", "rotate", "schedule", "-format=json").object(t)
	if shown["enabled"] != true || shown["interval"] != 2592000.0 {
		t.Errorf("the schedule: %v", shown)
	}
	expectCode(t, "an hour", o.does(t, "", "rotate", "schedule", "-interval=1h"), 2)
	expectCode(t, "rotated", o.does(t, "", "rotate", "keyring"), 0)
	status := o.does(t, "", "key-status", "-format=json").object(t)
	if status["term"] != 2.0 || status["older_terms"] != 1.0 {
		t.Errorf("key-status: %v", status)
	}
	if status["sealed_under_older_terms"] == 0.0 {
		t.Error("key-status says that nothing is sealed under the older term, right after the change")
	}
	drop := o.does(t, "", "rotate", "keyring", "-drop")
	expectCode(t, "a drop too early", drop, 2)
	if !strings.Contains(drop.complaint(), "are still sealed under older terms") {
		t.Errorf("a drop too early: %s", drop.stderr)
	}
}
