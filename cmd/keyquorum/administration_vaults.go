package main

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"
)

func vaultCommand() *cobra.Command {
	c := group("vault", "Create and show vaults")
	k := connectionFlags(c)
	c.AddCommand(vaultCreate(k), vaultList(k), vaultShow(k))
	return c
}

func grantCommand() *cobra.Command {
	c := group("grant", "Say what an application may do in a vault")
	k := connectionFlags(c)
	c.AddCommand(grantSet(k), grantList(k))
	return c
}

// showing is a command that asks the server one thing and prints the answer.
func showing[T any](c *cobra.Command, k *connection, ask func(context.Context, *client, []string) (T, error), show func(T) table) *cobra.Command {
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.client()
		if err != nil {
			return err
		}
		answer, err := ask(c.Context(), api, args)
		if err != nil {
			return err
		}
		return format.print(c, answer, show(answer))
	}
	return c
}

func vaultCreate(k *connection) *cobra.Command {
	c := &cobra.Command{Use: "create NAME", Short: "Create a vault", Args: arguments(1, 1)}
	days := c.Flags().Int("retention-days", 90, "days that deleted objects can be recovered, 7 to 90")
	protect := c.Flags().Bool("purge-protection", false, "let nobody purge before those days are over; cannot be undone")
	return showing(c, k, func(ctx context.Context, api *client, args []string) (vaultInfo, error) {
		return createVault(ctx, api, args[0], *days, *protect)
	}, vaultTable)
}

func vaultList(k *connection) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the vaults", Args: arguments(0, 0)}
	return showing(c, k, func(ctx context.Context, api *client, _ []string) ([]vaultInfo, error) {
		all, err := administer[struct {
			Vaults []vaultInfo `json:"vaults"`
		}](ctx, api, http.MethodGet, nil, "vaults")
		return all.Vaults, err
	}, vaultsTable)
}

func vaultShow(k *connection) *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show a vault", Args: arguments(1, 1)}
	return showing(c, k, func(ctx context.Context, api *client, args []string) (vaultInfo, error) {
		return administer[vaultInfo](ctx, api, http.MethodGet, nil, "vaults", args[0])
	}, vaultTable)
}

func vaultTable(v vaultInfo) table {
	return pairs("Name", v.Name, "Id", v.ID, "Retention days", v.RetentionDays, "Purge protection", v.PurgeProtection,
		"Created", timeText(v.Created))
}

func vaultsTable(all []vaultInfo) table {
	t := newTable("Name", "Retention days", "Purge protection", "Created")
	for _, v := range all {
		t.add(v.Name, v.RetentionDays, v.PurgeProtection, timeText(v.Created))
	}
	return t
}

func grantSet(k *connection) *cobra.Command {
	c := &cobra.Command{
		Use: "set VAULT APP", Short: "Replace what an application may do in a vault; without flags it may do nothing",
		Args: arguments(2, 2),
		Example: "  keyquorum grant set demo billing --secrets get,list --keys sign,verify\n" +
			"  keyquorum grant set demo billing --secrets all",
	}
	keys := c.Flags().StringSlice("keys", nil, "permissions on keys, by Azure's names (get,sign,… or all)")
	secrets := c.Flags().StringSlice("secrets", nil, "permissions on secrets")
	return showing(c, k, func(ctx context.Context, api *client, args []string) (grantInfo, error) {
		return setGrant(ctx, api, args[0], args[1], *keys, *secrets)
	}, func(g grantInfo) table { return grantsTable([]grantInfo{g}) })
}

func grantList(k *connection) *cobra.Command {
	c := &cobra.Command{Use: "list VAULT", Short: "List who may do what in a vault", Args: arguments(1, 1)}
	return showing(c, k, func(ctx context.Context, api *client, args []string) ([]grantInfo, error) {
		all, err := administer[struct {
			Grants []grantInfo `json:"grants"`
		}](ctx, api, http.MethodGet, nil, "vaults", args[0], "grants")
		return all.Grants, err
	}, grantsTable)
}

func grantsTable(all []grantInfo) table {
	t := newTable("Application", "Client id", "Keys", "Secrets")
	for _, g := range all {
		t.add(g.App, g.ClientID, g.Keys, g.Secrets)
	}
	return t
}
