package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"keyquorum/testcluster"
)

// TestAutopilotCommands drives a follower as an operator does.
func TestAutopilotCommands(t *testing.T) {
	c := testcluster.Loopback(t, 3, nil)
	at := (c.Leader() + 1) % 3
	run := func(code int, line string) outcome {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args := append([]string{"operator", "raft"}, strings.Fields(line)...)
		cmd := keyquorum(ctx, t.TempDir(), append(args, "-address="+c.URL(at), "-ca-cert="+c.CAFile)...)
		cmd.Env = append(cmd.Env, "KEYQUORUM_TOKEN="+c.Token)
		o := ended(t, cmd)
		expectCode(t, line, o, code)
		return o
	}
	says := func(o outcome, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(o.stdout, w) {
				t.Errorf("%q is not in:\n%s%s", w, o.stdout, o.stderr)
			}
		}
	}
	says(run(0, "autopilot state"), "node0", "node1", "node2", "leader", "healthy",
		"All members are healthy. Voters that may yet be lost: 1.")
	if s := run(0, "autopilot state -format=json").object(t); s["healthy"] != true ||
		s["failure_tolerance"] != 1.0 || len(s["servers"].(map[string]any)) != 3 {
		t.Errorf("%v", s)
	}
	set := run(0, "autopilot set-config -cleanup-dead-servers -min-quorum=3 -max-trailing-logs=9 "+
		"-server-stabilization-time=20s -format=json").object(t)
	got := run(0, "autopilot get-config -format=json").object(t)
	for name, want := range map[string]any{
		"cleanup_dead_servers": true, "min_quorum": 3.0, "max_trailing_logs": 9.0,
		"server_stabilization_time": "20s", "last_contact_threshold": "10s",
		"dead_server_last_contact_threshold": "24h0m0s",
	} {
		if set[name] != want || got[name] != want {
			t.Errorf("%s: %v when it was set, then %v", name, set[name], got[name])
		}
	}
	says(run(0, "autopilot get-config"), "Server Stabilization Time", "20s")
	if o := run(1, "autopilot set-config"); !strings.Contains(o.complaint(), "get-config") {
		t.Errorf("nothing to set: %s", o.stderr)
	}
	run(2, "autopilot set-config -dead-server-last-contact-threshold=59s")
	says(run(0, "demote node2"), "node2 votes no more")
	says(run(0, "autopilot state"), "demoted", "Voters that may yet be lost: 0.")
	says(run(0, "promote node2"), "node2 votes now.")
	says(run(0, "promote node2 -format=json"), `"server_id": "node2"`)
	if o := run(2, "demote node9"); !strings.Contains(o.complaint(), "node0 (") {
		t.Errorf("a member that there is not: %s", o.stderr)
	}
}
