package operator

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/httpapi"
)

func GrantCommand() *cobra.Command {
	c := console.Group("grant", "Say what an application may do in a vault")
	k := ConnectionFlags(c)
	c.AddCommand(k.completing(grantSet(k), liveVaults, apps), k.completing(grantList(k), liveVaults),
		k.completing(grantRemove(k), liveVaults, apps))
	return c
}

func grantSet(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "set VAULT APP",
		Short: "Replace what an application may do in a vault",
		Args:  console.Arguments(2, 2),
		Example: "  keyquorum grant set demo billing --secrets get,list --keys sign,verify\n" +
			"  keyquorum grant set demo billing --secrets all\n" +
			"  keyquorum grant set demo billing --keys '' --secrets ''",
	}
	onKeys, onSecrets := httpapi.PermissionNames()
	c.Long = c.Short + ". Of a kind without a flag, or with an empty list, it may do nothing." +
		"\n\nPermissions on keys:\n  " + strings.Join(onKeys, " ") +
		"\nPermissions on secrets:\n  " + strings.Join(onSecrets, " ")
	keys := c.Flags().StringSlice("keys", nil, "permissions on keys, as in get,sign")
	secrets := c.Flags().StringSlice("secrets", nil, "permissions on secrets, as in get,list")
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (GrantInfo, error) {
		if !c.Flags().Changed("keys") && !c.Flags().Changed("secrets") {
			return GrantInfo{}, errors.New("--keys or --secrets must be given; to take every permission " +
				"away, keyquorum grant remove, or the empty lists --keys '' --secrets ''")
		}
		return SetGrant(ctx, api, args[0], args[1], *keys, *secrets)
	}, func(g GrantInfo) console.Table { return grantsTable([]GrantInfo{g}) })
}

func grantRemove(k *Connection) *cobra.Command {
	return &cobra.Command{Use: "remove VAULT APP",
		Short: "Take every permission in a vault away from an application", Args: console.Arguments(2, 2),
		RunE: deleting(k, "In vault %s application %s may do nothing any more.", "vaults", "grants")}
}

func grantList(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "list VAULT", Short: "List who may do what in a vault",
		Args: console.Arguments(1, 1)}
	return showing(c, k, func(ctx context.Context, api *Client, args []string) ([]GrantInfo, error) {
		all, err := administer[struct {
			Grants []GrantInfo `json:"grants"`
		}](ctx, api, http.MethodGet, nil, "vaults", args[0], "grants")
		return all.Grants, err
	}, grantsTable)
}

func grantsTable(all []GrantInfo) console.Table {
	t := console.NewTable("Application", "Client id", "Keys", "Secrets").
		WhenEmpty("No application may do anything in this vault: see keyquorum grant set.")
	for _, g := range all {
		t.Add(g.App, g.ClientID, g.Keys, g.Secrets)
	}
	return t
}
