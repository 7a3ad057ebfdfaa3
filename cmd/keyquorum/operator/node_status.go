package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

func operatorStatus(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the state of one node (exit code 2: it is sealed, or serves nobody)",
		Long: "Show the state of one node.\n\nExit codes: 0 it is unsealed; 1 wrong usage, or it was not " +
			"reached; 2 it is sealed, or serves nobody. keyquorum status shows all nodes.",
		Args: console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		var status map[string]any
		if err := api.Call(c.Context(), http.MethodGet, "/v1/sys/seal-status", nil, &status); err != nil {
			return console.Exit(1, err)
		}
		if err := printStatus(c, api, format, status); err != nil {
			return err
		}
		if status["sealed"] == true || status["trouble"] != nil {
			return console.Exit(2, nil)
		}
		return nil
	}
	return c
}

// printStatus shows a seal status together with who leads: to people as a table and what to do
// next, to scripts as one flat object, as `bao status -format=json` has it.
func printStatus(c *cobra.Command, api *Client, format *console.Format,
	status map[string]any) error {
	leader, err := LeaderFields(c.Context(), api)
	if err != nil {
		return console.Exit(1, err)
	}
	status = bare(status)
	maps.Copy(status, leader)
	if err := format.Print(c, status, statusTable(status)); err != nil || *format != "table" {
		return err
	}
	if next := nextStep(status); next != "" {
		console.Tell(c, c.OutOrStdout(), "\n%s", next)
	}
	return nil
}

// statusRows are what people call the members of a status, those first that are looked for.
var statusRows = []struct{ name, member string }{
	{"Initialized", "initialized"}, {"Sealed", "sealed"}, {"Trouble", "trouble"},
	{"Takes no writes", "refuses_writes"}, {"Scheduled snapshots", "scheduled_snapshots"},
	{"Restores a snapshot", "restoring"}, {"Joining", "joining"},
	{"Unseal shares", "n"}, {"Needed to unseal", "t"}, {"Given so far", "progress"},
	{"Waits for a leader", "waiting"}, {"Unseals itself", "unattended_unseal"}, {"Lacks the new root key", "lacks_root_key"},
	{"Cluster id", "cluster_id"}, {"Leads", "is_self"}, {"Leads since", "active_time"},
	{"Leader", "leader_address"}, {"Leader's cluster port", "leader_cluster_address"},
	{"Committed index", "raft_committed_index"}, {"Applied index", "raft_applied_index"},
	{"Version", "version"},
}

func statusTable(status map[string]any) console.Table {
	t := console.NewTable("Key", "Value")
	for _, row := range statusRows {
		value, there := status[row.member]
		switch {
		case !there:
		case row.member == "active_time" && status["is_self"] != true: // it is that of whom was asked
		case row.member == "progress" && status["sealed"] != true:
		default:
			t.Add(row.name, value)
		}
	}
	return t
}

// nextStep is what whoever reads a status can do about it.
func nextStep(status map[string]any) string {
	switch {
	case status["initialized"] != true && status["joining"] != nil:
		return "Not a member yet: its unseal shares are for later, when a member lets it join. For a " +
			"new cluster, run keyquorum operator init on the first node."
	case status["initialized"] != true:
		return "Not initialized: run keyquorum operator init on the first node of a cluster, " +
			"keyquorum operator raft join on each of the others."
	case status["trouble"] != nil:
		return fmt.Sprintf("This node serves nobody: %s", status["trouble"])
	case status["unattended_unseal"] == "trying":
		return fmt.Sprintf("The node tries to unseal itself, by its seal wrappers; its log says what it "+
			"waits for. %v unseal shares unseal it too, at any time.", status["t"])
	case status["unattended_unseal"] == "held":
		return fmt.Sprintf("An operator has sealed this node: its seal wrappers don't open it. Give it "+
			"%v of its unseal shares (keyquorum operator unseal).", status["t"])
	case status["waiting"] == true:
		return "The shares were good, and there are enough: don't give them again. The node unseals " +
			"itself as soon as the cluster has a leader, for which a majority of its voters must run."
	case status["lacks_root_key"] == true:
		return "The unseal shares were changed, and no node in reach has told this one the new root " +
			"key. It serves on. Don't seal or stop it: unseal another node with the new shares first."
	case status["sealed"] == true:
		return fmt.Sprintf("Sealed: give this node %v of its unseal shares (keyquorum operator unseal).",
			status["t"])
	}
	return ""
}

var LeaderNames = []string{"ha_enabled", "is_self", "active_time", "leader_address",
	"leader_cluster_address",
	"raft_committed_index", "raft_applied_index"}

// LeaderFields asks who leads. A sealed node refuses with words that the bao command knows too; it
// then has HA, and nothing more to say.
func LeaderFields(ctx context.Context, api *Client) (map[string]any, error) {
	var all map[string]any
	err := api.Call(ctx, http.MethodGet, "/v1/sys/leader", nil, &all)
	var refused *Refusal
	if errors.As(err, &refused) && strings.Contains(refused.Error(), "Vault is sealed") {
		return map[string]any{"ha_enabled": true}, nil
	}
	if err != nil {
		return nil, err
	}
	fields := make(map[string]any)
	for _, name := range LeaderNames {
		if v, ok := all[name]; ok {
			fields[name] = v
		}
	}
	return fields, nil
}

// bare drops the envelope members that a server may repeat around the fields of a system answer.
func bare(answer map[string]any) map[string]any {
	fields := maps.Clone(answer)
	for _, name := range []string{"request_id", "lease_id", "renewable", "lease_duration", "data",
		"wrap_info", "auth"} {
		delete(fields, name)
	}
	if fields["warnings"] == nil {
		delete(fields, "warnings")
	}
	return fields
}

// SealStatus is the part of a seal status that the dev cluster looks at.
type SealStatus struct {
	Initialized bool        `json:"initialized"`
	Sealed      bool        `json:"sealed"`
	Threshold   json.Number `json:"t"`
	Progress    json.Number `json:"progress"`
}

// Text is the state in a word or two.
func (s SealStatus) Text() string {
	switch {
	case !s.Initialized:
		return "not initialised"
	case s.Sealed:
		return "sealed"
	}
	return "unsealed"
}
