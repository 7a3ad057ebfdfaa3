package operator

import (
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// relayed is what came of a share at one node.
type relayed struct {
	NodeID    string `json:"node_id"`
	Label     string `json:"label,omitempty"`
	State     string `json:"state"`
	Progress  int    `json:"progress"`
	Threshold int    `json:"t"`
	Why       string `json:"why,omitempty"`
}

// unsealCluster gives a share to one node, which has all others that are sealed take it.
func unsealCluster(c *cobra.Command, api *Client, format *console.Format, share string) error {
	var out struct {
		Nodes []relayed `json:"nodes"`
	}
	in := map[string]string{"key": share}
	err := api.Call(c.Context(), http.MethodPut, "/v1/keyquorum/unseal", in, &out)
	if err != nil {
		return err
	}
	table := console.NewTable("Node", "State", "Given", "Needed", "Note")
	var missing []string
	for _, n := range out.Nodes {
		given, needed := any(""), any("")
		if n.Threshold > 0 {
			given, needed = n.Progress, n.Threshold
		}
		table.Add(n.name(), n.State, given, needed, n.note())
		if n.State == "refused" || n.State == "unreachable" {
			missing = append(missing, n.name())
		}
	}
	if err := format.Print(c, out.Nodes, table); err != nil {
		return err
	}
	if len(missing) > 0 {
		return console.Exit(1, errors.New("the share is good, and has not reached "+
			strings.Join(missing, ", ")+": give it there with keyquorum operator unseal, or again "+
			"with --cluster, which changes nothing at the others"))
	}
	return nil
}

func (r relayed) name() string {
	if r.Label == "" {
		return r.NodeID
	}
	return r.Label
}

func (r relayed) note() string {
	switch r.State {
	case "waiting":
		return "it has enough, and waits for a leader"
	case "unreachable":
		return "it did not answer over the cluster port"
	}
	return r.Why
}
