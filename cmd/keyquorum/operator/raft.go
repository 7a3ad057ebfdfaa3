package operator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

func raftCommand(k *Connection, snapshot *cobra.Command) *cobra.Command {
	return console.Group("raft",
		"Join, list, replace and remove members of the cluster; take snapshots",
		raftJoin(k), raftListPeers(k), k.completing(raftRemovePeer(k), members),
		k.completing(raftReplace(k), members), k.completing(raftPromote(k), members),
		k.completing(raftDemote(k), members), raftAutopilot(k), snapshot)
}

// JoinRequest is the body of sys/storage/raft/join.
type JoinRequest struct {
	LeaderAPI  string `json:"leader_api_addr"`
	CACert     string `json:"leader_ca_cert,omitempty"` // PEM
	ServerName string `json:"leader_tls_servername,omitempty"`
	Retry      bool   `json:"retry,omitempty"`
	NonVoter   bool   `json:"non_voter,omitempty"`
}

func raftJoin(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "join LEADER_API_ADDR",
		Short: "Make a node join the cluster behind an address; then unseal it",
		Long: "Make a node join the cluster behind an address; then unseal it. A node whose " +
			"configuration has retry_join does this by itself.",
		Args: console.Arguments(1, 1),
		Example: "  keyquorum operator raft join https://10.0.0.1:8200 --leader-ca-cert @ca.pem " +
			"--address https://10.0.0.2:8200",
	}
	in := JoinRequest{}
	c.Flags().StringVar(&in.CACert, "leader-ca-cert", "", "PEM `text`, or @FILE, to trust there")
	c.Flags().StringVar(&in.ServerName, "leader-tls-servername", "",
		"`name` that the certificate there has")
	c.Flags().BoolVar(&in.Retry, "retry", false, "keep trying")
	c.Flags().BoolVar(&in.NonVoter, "non-voter", false, "replicate and serve reads, but do not vote")
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		in.LeaderAPI = args[0]
		if file, ok := strings.CutPrefix(in.CACert, "@"); ok {
			pem, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("--leader-ca-cert: %w", err)
			}
			in.CACert = string(pem)
		}
		var out joined
		err = api.Call(c.Context(), http.MethodPut, "/v1/sys/storage/raft/join", in, &out)
		if err != nil {
			return err
		}
		console.Tell(c, c.OutOrStdout(), "%s", out.text())
		return nil
	}
	return c
}

// joined is what came of a join.
type joined struct {
	Member bool   `json:"member"`
	Waits  string `json:"waits"` // a sentence without its end: nobody lets it join yet
	Forgot int    `json:"forgot_shares"`
}

func (j joined) text() string {
	const now = "Joining: give this node its unseal shares now (keyquorum operator unseal)."
	switch {
	case j.Member:
		return "This node is a member already, and sealed: it needs no join, only its unseal shares " +
			"(keyquorum operator unseal)."
	case j.Waits != "":
		return "Not joining yet: " + j.Waits + ". Its unseal shares are for later: keyquorum " +
			"operator status says when it has found its cluster."
	case j.Forgot > 0:
		return fmt.Sprintf("%s Those that it was given before are forgotten (%d): they don't open the "+
			"cluster that it joins now.", now, j.Forgot)
	}
	return now
}

// A Peer is a row of sys/storage/raft/configuration. Label and API are what gossip says, where it
// says anything.
type Peer struct {
	ID      string `json:"node_id"`
	Address string `json:"address"`
	Leader  bool   `json:"leader"`
	Voter   bool   `json:"voter"`
	Label   string `json:"label,omitempty"`
	API     string `json:"api_address,omitempty"` // a URL
	Version string `json:"version,omitempty"`
}

func (p Peer) role() string {
	switch {
	case p.Leader:
		return "leader"
	case p.Voter:
		return "follower"
	}
	return "non-voter"
}

type RaftConfiguration struct {
	Data struct {
		Config struct {
			Index   uint64 `json:"index"`
			Servers []Peer `json:"servers"`
		} `json:"config"`
	} `json:"data"`
}

func raftListPeers(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "list-peers",
		Short: "List the members that are configured; keyquorum status says how they are",
		Args:  console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		out, err := Configuration(c.Context(), api)
		if err != nil {
			return err
		}
		t := console.NewTable("Name", "Node", "Address", "State")
		for _, p := range out.Data.Config.Servers {
			t.Add(p.Label, p.ID, p.Address, p.role())
		}
		if err := format.Print(c, out, t); err != nil || *format != "table" {
			return err
		}
		out.tellVersions(c)
		return nil
	}
	return c
}

// tellVersions says which version the members run, or which runs which.
func (r RaftConfiguration) tellVersions(c *cobra.Command) {
	names := map[string][]string{}
	for _, p := range r.Data.Config.Servers {
		if p.Version != "" {
			names[p.Version] = append(names[p.Version], cmp.Or(p.Label, p.ID))
		}
	}
	if len(names) < 2 {
		for version := range names {
			console.Tell(c, c.OutOrStdout(), "\nVersion %s.", version)
		}
		return
	}
	var each []string
	for _, version := range slices.Sorted(maps.Keys(names)) {
		each = append(each, strings.Join(names[version], ", ")+" "+version)
	}
	console.Tell(c, c.OutOrStdout(), "\nMembers run different versions: %s.", strings.Join(each, "; "))
}

func Configuration(ctx context.Context, api *Client) (out RaftConfiguration, err error) {
	err = api.Call(ctx, http.MethodGet, "/v1/sys/storage/raft/configuration", nil, &out)
	return out, err
}

func raftRemovePeer(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "remove-peer NODE",
		Short: "Remove a member, by its name or its id, for ever; the id never comes back",
		Args:  console.Arguments(1, 1), Example: "  keyquorum operator raft remove-peer node3",
	}
	force := c.Flags().Bool("force", false, "even if the cluster loses its majority by it")
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		in := map[string]any{"server_id": args[0]}
		if *force {
			in["force"] = true
		}
		if err := api.Call(c.Context(), http.MethodPut, "/v1/sys/storage/raft/remove-peer", in,
			nil); err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "Removed %s.\n", args[0])
		return nil
	}
	return console.Asking(c, func(args []string) string {
		return fmt.Sprintf("Node %s will be removed, and its id never comes back.", args[0])
	})
}
