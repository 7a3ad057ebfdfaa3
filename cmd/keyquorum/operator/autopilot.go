package operator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

const autopilotAt = "/v1/sys/storage/raft/autopilot/"

func raftAutopilot(k *Connection) *cobra.Command {
	return console.Group("autopilot",
		"Show how the members are, and set when one has a vote, and when a dead one is removed",
		autopilotStateCommand(k), autopilotGetConfig(k), autopilotSetConfig(k))
}

// autopilotState is sys/storage/raft/autopilot/state.
type autopilotState struct {
	Healthy    bool                       `json:"healthy"`
	Tolerance  int                        `json:"failure_tolerance"`
	Optimistic int                        `json:"optimistic_failure_tolerance"`
	Leader     string                     `json:"leader"`
	Voters     []string                   `json:"voters"`
	NonVoters  []string                   `json:"non_voters"`
	Servers    map[string]autopilotServer `json:"servers"`
}

type autopilotServer struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Address     string    `json:"address"`
	NodeStatus  string    `json:"node_status"`
	LastContact string    `json:"last_contact"`
	LastTerm    uint64    `json:"last_term"`
	LastIndex   uint64    `json:"last_index"`
	Healthy     bool      `json:"healthy"`
	StableSince time.Time `json:"stable_since"`
	Status      string    `json:"status"`
	NodeType    string    `json:"node_type"`
	Version     string    `json:"version"`
	Demoted     bool      `json:"demoted,omitempty"`
}

func autopilotStateCommand(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "state",
		Short: "Show how the members are, as the leader sees them",
		Long: "Show how the members are, as the leader sees them. A member is healthy that was heard " +
			"lately and is not far behind; it is failed after the dead-server threshold. A leader " +
			"counts from when it began to lead.",
		Args: console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		var out struct {
			Data autopilotState `json:"data"`
		}
		err = api.Call(c.Context(), http.MethodGet, autopilotAt+"state", nil, &out)
		if err != nil {
			return err
		}
		if err := format.Print(c, out.Data, out.Data.table()); err != nil || *format != "table" {
			return err
		}
		console.Tell(c, c.OutOrStdout(), "\n%s", out.Data.summary())
		return nil
	}
	return c
}

func (s autopilotState) table() console.Table {
	t := console.NewTable("Name", "Role", "Health", "Since", "Silent", "Index")
	for _, server := range slices.SortedFunc(maps.Values(s.Servers), byName) {
		role := server.Status
		if server.Demoted {
			role = "demoted"
		}
		t.Add(server.Name, role, server.health(), server.StableSince.Format(time.DateTime),
			server.LastContact, server.LastIndex)
	}
	return t
}

func (s autopilotServer) health() string {
	switch {
	case s.Healthy:
		return "healthy"
	case s.NodeStatus == "failed":
		return "failed"
	}
	return "unhealthy"
}

func byName(a, b autopilotServer) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

func (s autopilotState) summary() string {
	var sick []string
	for _, server := range slices.SortedFunc(maps.Values(s.Servers), byName) {
		if !server.Healthy {
			sick = append(sick, server.Name)
		}
	}
	said := fmt.Sprintf("All members are healthy. Voters that may yet be lost: %d.", s.Tolerance)
	if len(sick) > 0 {
		said = fmt.Sprintf("Not healthy: %s. Voters that may yet be lost: %d. keyquorum status says "+
			"what is wrong.", strings.Join(sick, ", "), s.Tolerance)
	}
	return said
}

// autopilotConfig is sys/storage/raft/autopilot/configuration.
type autopilotConfig struct {
	CleanUp       bool   `json:"cleanup_dead_servers"`
	LastContact   string `json:"last_contact_threshold"`
	DeadAfter     string `json:"dead_server_last_contact_threshold"`
	MaxTrailing   uint64 `json:"max_trailing_logs"`
	MinQuorum     uint64 `json:"min_quorum"`
	Stabilization string `json:"server_stabilization_time"`
}

func (a autopilotConfig) table() console.Table {
	return console.Pairs("Cleanup Dead Servers", a.CleanUp,
		"Last Contact Threshold", a.LastContact, "Dead Server Last Contact Threshold", a.DeadAfter,
		"Max Trailing Logs", a.MaxTrailing, "Min Quorum", a.MinQuorum,
		"Server Stabilization Time", a.Stabilization)
}

func autopilotGetConfig(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "get-config",
		Short: "Show by what autopilot judges the members",
		Args:  console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		return showAutopilotConfig(c, api, format)
	}
	return c
}

func showAutopilotConfig(c *cobra.Command, api *Client, format *console.Format) error {
	a, err := getAutopilotConfig(c.Context(), api)
	if err != nil {
		return err
	}
	return format.Print(c, a, a.table())
}

func getAutopilotConfig(ctx context.Context, api *Client) (autopilotConfig, error) {
	var out struct {
		Data autopilotConfig `json:"data"`
	}
	err := api.Call(ctx, http.MethodGet, autopilotAt+"configuration", nil, &out)
	return out.Data, err
}

func autopilotSetConfig(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "set-config",
		Short: "Change by what autopilot judges the members, and show it",
		Long: "Change by what autopilot judges the members, for the whole cluster, and show it. What is " +
			"not given stays as it is.",
		Args: console.Arguments(0, 0),
		Example: "  keyquorum operator raft autopilot set-config --server-stabilization-time 30s\n" +
			"  keyquorum operator raft autopilot set-config --cleanup-dead-servers --min-quorum 3",
	}
	f := c.Flags()
	f.Bool("cleanup-dead-servers", false,
		"remove members that have been silent for longer than the dead-server threshold, for ever")
	f.Duration("last-contact-threshold", 0, "longer silent, a member is not healthy")
	f.Duration("dead-server-last-contact-threshold", 0, "longer silent, a member is dead; 1m at least")
	f.Uint64("max-trailing-logs", 0, "farther behind, in `entries`, a member is not healthy")
	f.Uint64("min-quorum", 0, "the fewest `voters` that clean-up leaves; 3 at least")
	f.Duration("server-stabilization-time", 0,
		"for which a new member is healthy before it has its vote")
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		in, err := autopilotChange(c)
		if err != nil {
			return err
		}
		api, err := k.Client()
		if err != nil {
			return err
		}
		err = api.Call(c.Context(), http.MethodPut, autopilotAt+"configuration", in, nil)
		if err != nil {
			return err
		}
		return showAutopilotConfig(c, api, format)
	}
	return c
}

// autopilotChange is what the flags that were given say, by the API's names.
func autopilotChange(c *cobra.Command) (map[string]any, error) {
	in := map[string]any{}
	for _, name := range []string{
		"cleanup-dead-servers", "last-contact-threshold", "dead-server-last-contact-threshold",
		"max-trailing-logs", "min-quorum", "server-stabilization-time",
	} {
		f := c.Flags().Lookup(name)
		if !f.Changed {
			continue
		}
		text := f.Value.String()
		member := strings.ReplaceAll(name, "-", "_")
		if f.Value.Type() == "duration" {
			in[member] = text
		} else {
			in[member] = json.RawMessage(text)
		}
	}
	if len(in) == 0 {
		return nil, errors.New("one of the flags must be given; " +
			"keyquorum operator raft autopilot get-config shows what is set")
	}
	return in, nil
}

// raftVote is promote or demote.
func raftVote(k *Connection, verb, short, long, even, done string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " NODE", Short: short, Long: long,
		Args: console.Arguments(1, 1), Example: "  keyquorum operator raft " + verb + " node3",
	}
	force := c.Flags().Bool("force", false, even)
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		in := map[string]any{"server_id": args[0]}
		if *force {
			in["force"] = true
		}
		err = api.Call(c.Context(), http.MethodPut, "/v1/sys/storage/raft/"+verb, in, nil)
		if err != nil {
			return err
		}
		if *format == "table" {
			console.Tell(c, c.OutOrStdout(), done, args[0])
			return nil
		}
		return format.Print(c, in, console.Table{})
	}
	return c
}

func raftPromote(k *Connection) *cobra.Command {
	return raftVote(k, "promote", "Give a member a vote, now",
		"Give a member a vote, now, by its name or its id. A new member gets its vote by itself when it "+
			"has been healthy for the stabilization time. This is for one that joined without, or that "+
			"was demoted.",
		"even if it is silent or far behind", "%s votes now.")
}

func raftDemote(k *Connection) *cobra.Command {
	return raftVote(k, "demote", "Take a member's vote away; it goes on replicating and serving reads",
		"Take a member's vote away, by its name or its id. It goes on replicating and serving, and does "+
			"not vote until it is promoted. A leader hands its office over first.",
		"even if the cluster loses its majority by it", "%s votes no more, until it is promoted.")
}
