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

func VaultCommand() *cobra.Command {
	c := console.Group("vault", "Create, show, change, delete and recover vaults")
	k := ConnectionFlags(c)
	c.AddCommand(vaultCreate(k), vaultList(k), k.completing(vaultShow(k), liveVaults),
		k.completing(vaultUpdate(k), liveVaults), k.completing(vaultDelete(k), liveVaults),
		k.completing(vaultRecover(k), deletedVaults), k.completing(vaultPurge(k), deletedVaults))
	return c
}

// showing is a command that asks the server one thing and prints the answer.
func showing[T any](c *cobra.Command, k *Connection, ask func(context.Context, *Client,
	[]string) (T, error), show func(T) console.Table) *cobra.Command {
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		answer, err := ask(c.Context(), api, args)
		if err != nil {
			return err
		}
		return format.Print(c, answer, show(answer))
	}
	return c
}

func vaultCreate(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "create NAME", Short: "Create a vault", Args: console.Arguments(1, 1),
		Example: "  keyquorum vault create payments\n" +
			"  keyquorum vault create payments --retention-days 30 --purge-protection"}
	days := c.Flags().Int("retention-days", 90, "days that deleted objects can be recovered, 7 to 90")
	protect := c.Flags().Bool("purge-protection", false,
		"let nobody purge before those days are over; cannot be undone")
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (VaultInfo, error) {
		return CreateVault(ctx, api, args[0], *days, *protect)
	}, vaultTable)
}

func vaultList(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the vaults", Args: console.Arguments(0, 0),
		Long: "List the vaults.\n\nDays kept is for how long what was deleted can be recovered. Of a " +
			"protected vault nobody can purge anything before. In a weak one RSA1_5 and AES-CBC may be " +
			"used. Purge is when a deleted vault goes by itself."}
	gone := c.Flags().Bool("deleted", false, "list those that are deleted and not yet purged")
	return showing(c, k, func(ctx context.Context, api *Client, _ []string) ([]VaultInfo, error) {
		return ListVaults(ctx, api, *gone)
	}, func(all []VaultInfo) console.Table {
		if *gone {
			return vaultsTable(all).WhenEmpty("No vault is deleted and not yet purged.")
		}
		return vaultsTable(all).WhenEmpty("There is no vault: keyquorum vault create NAME makes one.")
	})
}

func vaultShow(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show a vault", Args: console.Arguments(1, 1)}
	gone := c.Flags().Bool("deleted", false, "show one that is deleted and not yet purged")
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (VaultInfo, error) {
		return administer[VaultInfo](ctx, api, http.MethodGet, nil, vaultsOrDeleted(*gone), args[0])
	}, vaultTable)
}

func vaultsOrDeleted(gone bool) string {
	if gone {
		return "deleted-vaults"
	}
	return "vaults"
}

func vaultUpdate(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "update NAME", Short: "Change a vault's settings; its retention is fixed when it is created",
		Args: console.Arguments(1, 1),
		Example: "  keyquorum vault update demo --weak-algorithms=false\n" +
			"  keyquorum vault update demo --purge-protection",
	}
	settings := map[string]*bool{
		"purge_protection": c.Flags().Bool("purge-protection", false,
			"let nobody purge before the retention is over; cannot be undone"),
		"weak_algorithms": c.Flags().Bool("weak-algorithms", true, "let RSA1_5 and AES-CBC be used"),
	}
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (VaultInfo, error) {
		in := map[string]any{}
		for name, value := range settings {
			if c.Flags().Changed(strings.ReplaceAll(name, "_", "-")) {
				in[name] = *value
			}
		}
		if len(in) == 0 {
			return VaultInfo{}, errors.New("--purge-protection or --weak-algorithms must be given")
		}
		return administer[VaultInfo](ctx, api, http.MethodPost, in, "vaults", args[0])
	}, vaultTable)
}

func vaultDelete(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "delete NAME",
		Short: "Delete a vault with all that is in it; it can be recovered until its retention is over",
		Args:  console.Arguments(1, 1)}
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (VaultInfo, error) {
		return administer[VaultInfo](ctx, api, http.MethodDelete, nil, "vaults", args[0])
	}, vaultTable)
}

func vaultRecover(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "recover NAME",
		Short: "Bring a deleted vault back with all that was in it", Args: console.Arguments(1, 1)}
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (VaultInfo, error) {
		return administer[VaultInfo](ctx, api, http.MethodPost, nil, "deleted-vaults", args[0], "recover")
	}, vaultTable)
}

func vaultPurge(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "purge NAME",
		Short: "Remove a deleted vault with all that was in it, for ever",
		Args:  console.Arguments(1, 1),
	}
	c.RunE = deleting(k, "Vault %s is purged: all that was in it is gone.", "deleted-vaults")
	return console.Asking(c, func(args []string) string {
		return fmt.Sprintf("The vault %s and all that was in it will be gone for ever.", args[0])
	})
}

func vaultTable(v VaultInfo) console.Table {
	return console.Pairs("Name", v.Name, "Id", v.ID, "Retention days", v.RetentionDays,
		"Purge protection", v.PurgeProtection,
		"Weak algorithms", v.WeakAlgorithms, "State", v.State, "Created", console.TimeText(v.Created),
		"Deleted", console.TimeOrNot(v.Deleted),
		"Scheduled purge", console.TimeOrNot(v.ScheduledPurge))
}

func vaultsTable(all []VaultInfo) console.Table {
	t := console.NewTable("Name", "State", "Days kept", "Protected", "Weak", "Created", "Purge")
	for _, v := range all {
		t.Add(v.Name, v.State, v.RetentionDays, v.PurgeProtection, v.WeakAlgorithms,
			console.DayOrNot(&v.Created), console.DayOrNot(v.ScheduledPurge))
	}
	return t
}
