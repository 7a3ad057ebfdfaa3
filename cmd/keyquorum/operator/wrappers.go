package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// The wrappers of the root key beside the shares (docs/wrappers.md).

type wrapperInfo struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	About      string `json:"about"`
	Configured bool   `json:"configured"`
	Opens      *bool  `json:"opens,omitempty"` // nil: it was not tried
	Trouble    string `json:"trouble,omitempty"`
}

type wrapperInfos struct {
	Wrappers []wrapperInfo `json:"wrappers"`
}

// addition is where the addition of a wrapper stands.
type addition struct {
	Started  bool   `json:"started"`
	Nonce    string `json:"nonce"`
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	About    string `json:"about"`
	Progress int    `json:"progress"`
	Required int    `json:"required"`
	Complete bool   `json:"complete"`
}

func wrappersCommand(k *Connection) *cobra.Command {
	return console.Group("wrappers",
		"List, add, remove and test what unseals a node when it starts, beside the shares",
		wrappersList(k), wrappersAdd(k), k.completing(wrappersRemove(k), wrapperNames),
		wrappersTest(k))
}

func wrapperNames(ctx context.Context, api *Client) (names []string, err error) {
	all, err := administer[wrapperInfos](ctx, api, http.MethodGet, nil, "seal", "wrappers")
	for _, w := range all.Wrappers {
		names = append(names, w.Name)
	}
	return names, err
}

func wrappersList(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the wrappers of the root key",
		Args: console.Arguments(0, 0)}
	c.Long = "List the wrappers of the root key. Any one of them unseals a node whose configuration " +
		"names it, when that node starts. \"Here\" is the node that was asked."
	return showing(c, k, func(ctx context.Context, api *Client, _ []string) (wrapperInfos, error) {
		return administer[wrapperInfos](ctx, api, http.MethodGet, nil, "seal", "wrappers")
	}, wrapperInfos.table)
}

func (l wrapperInfos) table() console.Table {
	t := console.NewTable("Name", "Kind", "Key", "Configured here").WhenEmpty(
		"There is no wrapper: a node is unsealed with shares alone.")
	for _, w := range l.Wrappers {
		t.Add(w.Name, w.Kind, w.About, yesNo(w.Configured))
	}
	return t
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func wrappersTest(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "test", Short: "Open the root key with each wrapper",
		Args: console.Arguments(0, 0)}
	c.Long = "Open the root key with each wrapper, at one node, and compare it with the one that the " +
		"node has. Ask each node: each has its own configuration.\n\nExit codes: 0 all open; 1 one " +
		"does not, or the node was not reached."
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		console.Tell(c, c.ErrOrStderr(), "The node asks for each key. That takes 10 seconds at most.")
		all, err := administer[wrapperInfos](c.Context(), api, http.MethodPut, nil, "seal", "wrappers",
			"test")
		if err != nil {
			return err
		}
		if err := format.Print(c, all, all.tested()); err != nil {
			return err
		}
		for _, w := range all.Wrappers {
			if w.Opens == nil || !*w.Opens {
				return console.Exit(1, errors.New("not every wrapper opens the root key at this node"))
			}
		}
		return nil
	}
	return c
}

func (l wrapperInfos) tested() console.Table {
	t := console.NewTable("Name", "Kind", "Opens", "Why not").WhenEmpty(
		"There is no wrapper: a node is unsealed with shares alone.")
	for _, w := range l.Wrappers {
		t.Add(w.Name, w.Kind, yesNo(w.Opens != nil && *w.Opens), w.Trouble)
	}
	return t
}

func wrappersRemove(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "remove NAME", Short: "Take a wrapper off the list",
		Args: console.Arguments(1, 1), Example: "  keyquorum operator seal wrappers remove spare"}
	c.Long = "Take a wrapper off the list: it unseals no node of the cluster any more.\n\nIt is no " +
		"more than that. Whoever has its key and a copy of a data folder, or of a snapshot, from " +
		"before opens what is in that copy, and has the root key, which is still the cluster's. " +
		"Where the key may be in other hands, change the root key too: keyquorum operator rekey."
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		_, err = administer[struct{}](c.Context(), api, http.MethodDelete, nil, "seal", "wrappers",
			args[0])
		if err != nil {
			return err
		}
		console.Tell(c, c.OutOrStdout(), "Removed. Its key and an older copy of a data folder still "+
			"give the root key: keyquorum operator rekey changes it.")
		return nil
	}
	return c
}

func wrappersAdd(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "add [NAME]", Short: "Add a wrapper of the root key, with the unseal shares",
		Long: "Add a wrapper of the root key, with the unseal shares: it can stand for them. One " +
			"begins it with --init and the NAME of a seal wrapper in the configuration of the node " +
			"that is asked. Then holders of shares give them, one call each; a share is asked for and " +
			"not shown, or read from standard input. With the last one that is needed the node wraps " +
			"the root key, opens what it has wrapped, and puts it on the cluster's list.\n\n" +
			"All calls go to one node. It forgets what it has not completed after an hour, and when it " +
			"is sealed or stopped. Other nodes use the wrapper when their configuration names it too.",
		Example: "  keyquorum operator seal wrappers add --init spare\n" +
			"  keyquorum operator seal wrappers add",
		Args: console.Arguments(0, 1),
	}
	format := console.FormatFlag(c)
	s := stageFlags(c, "to add the wrapper NAME")
	c.RunE = func(c *cobra.Command, args []string) error {
		if s.begin != (len(args) == 1) {
			return errors.New("NAME goes with --init, which begins; without it a share is given")
		}
		api, err := k.Client()
		switch {
		case err != nil:
			return err
		case s.cancel:
			return cancelAddition(c, api)
		case s.begin:
			return beginAddition(c, api, format, args[0])
		}
		return goOnWithAddition(c, api, s, format)
	}
	return c
}

const additionPath = Administration + "seal/addition"

func cancelAddition(c *cobra.Command, api *Client) error {
	err := api.Call(c.Context(), http.MethodDelete, additionPath, nil, nil)
	if err == nil {
		fmt.Fprintln(c.OutOrStdout(), "No wrapper is being added at this node any more.")
	}
	return err
}

func beginAddition(c *cobra.Command, api *Client, format *console.Format, name string) error {
	a, err := administer[addition](c.Context(), api, http.MethodPut,
		map[string]string{"name": name}, "seal", "addition")
	switch {
	case err != nil:
		return err
	case *format != "table":
		return format.Print(c, a, console.Table{})
	}
	console.Tell(c, c.OutOrStdout(), "The node can use the key of %s (%s). The addition has begun, "+
		"under the nonce %s.", a.Name, strings.TrimSpace(a.Kind+" "+a.About), a.Nonce)
	console.Tell(c, c.OutOrStdout(), "Next, keyquorum operator seal wrappers add takes %d of the "+
		"unseal shares, one by one, at this same node.", a.Required)
	return nil
}

// goOnWithAddition shows where it stands, or gives it a share.
func goOnWithAddition(c *cobra.Command, api *Client, s *stages, format *console.Format) error {
	a, err := administer[addition](c.Context(), api, http.MethodGet, nil, "seal", "addition")
	switch {
	case err != nil:
		return err
	case s.status:
		return format.Print(c, a, a.table())
	case !a.Started:
		return noneUnderWay("addition of a wrapper", "keyquorum operator seal wrappers add")
	}
	asked := request{additionPath + "/share", a.Nonce, "Unseal share", fmt.Sprintf(
		"A wrapper of the root key is being added: whoever can use the key of %s (%s, %s) can unseal "+
			"a node from then on, without shares.", a.Name, a.Kind, a.About)}
	var answer struct {
		Data addition `json:"data"`
	}
	if err := s.given(c, api, asked, &answer); err != nil {
		return err
	}
	a = answer.Data
	switch {
	case *format != "table":
		return format.Print(c, a, console.Table{})
	case !a.Complete:
		console.Tell(c, c.OutOrStdout(), "Share %d of %d was taken.", a.Progress, a.Required)
	default:
		console.Tell(c, c.OutOrStdout(), "The wrapper %s is on the list, and opens the root key.", a.Name)
	}
	return nil
}

func (a addition) table() console.Table {
	if !a.Started {
		return console.Pairs("Under way", "no", "Shares that are needed", a.Required)
	}
	return console.Pairs("Under way", "yes", "Nonce", a.Nonce, "Wrapper", a.Name, "Kind", a.Kind,
		"Key", a.About, "Stands at", fmt.Sprintf("%d of %d shares were given", a.Progress, a.Required))
}
