package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func operatorStatus(k *connection) *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Say how a node is (exit code 2: sealed)", Args: arguments(0, 0)}
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.client()
		if err != nil {
			return err
		}
		var status map[string]any
		if err := api.call(c.Context(), http.MethodGet, "/v1/sys/seal-status", nil, &status); err != nil {
			return exitError{1, err}
		}
		if err := printStatus(c, api, format, status); err != nil {
			return err
		}
		if status["sealed"] == true {
			return exitError{code: 2}
		}
		return nil
	}
	return c
}

// printStatus shows a seal status together with who leads, one flat object as `bao status -format=json` has it.
func printStatus(c *cobra.Command, api *client, format *outputFormat, status map[string]any) error {
	leader, err := leaderFields(c.Context(), api)
	if err != nil {
		return exitError{1, err}
	}
	status = bare(status)
	maps.Copy(status, leader)
	t := newTable("Key", "Value")
	for _, name := range slices.Sorted(maps.Keys(status)) {
		t.add(name, status[name])
	}
	return format.print(c, status, t)
}

var leaderNames = []string{"ha_enabled", "is_self", "active_time", "leader_address", "leader_cluster_address",
	"raft_committed_index", "raft_applied_index"}

// leaderFields asks who leads. A sealed node refuses with words that the bao command knows too; it then has HA, and
// nothing more to say.
func leaderFields(ctx context.Context, api *client) (map[string]any, error) {
	var all map[string]any
	err := api.call(ctx, http.MethodGet, "/v1/sys/leader", nil, &all)
	var refused *apiError
	if errors.As(err, &refused) && strings.Contains(refused.Error(), "Vault is sealed") {
		return map[string]any{"ha_enabled": true}, nil
	}
	if err != nil {
		return nil, err
	}
	fields := make(map[string]any)
	for _, name := range leaderNames {
		if v, ok := all[name]; ok {
			fields[name] = v
		}
	}
	return fields, nil
}

// bare drops the envelope members that a server may repeat around the fields of a system answer.
func bare(answer map[string]any) map[string]any {
	fields := maps.Clone(answer)
	for _, name := range []string{"request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "auth"} {
		delete(fields, name)
	}
	if fields["warnings"] == nil {
		delete(fields, "warnings")
	}
	return fields
}

// sealStatus is the part of a seal status that the dev cluster looks at.
type sealStatus struct {
	Initialized bool        `json:"initialized"`
	Sealed      bool        `json:"sealed"`
	Threshold   json.Number `json:"t"`
	Progress    json.Number `json:"progress"`
}
