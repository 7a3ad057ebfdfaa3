package operator

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

func AppCommand() *cobra.Command {
	c := console.Group("app", "Create, show and delete applications and their client secrets")
	k := ConnectionFlags(c)
	c.AddCommand(appCreate(k), appList(k), k.completing(appShow(k), apps),
		k.completing(appSwitch(k, "enable", true), apps),
		k.completing(appSwitch(k, "disable", false), apps), k.completing(appDelete(k), apps),
		console.Group("credential", "Make and revoke client secrets of an application",
			k.completing(credentialAdd(k), apps), k.completing(credentialRemove(k), apps)))
	return c
}

func appCreate(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "create NAME",
		Short:   "Create an application",
		Args:    console.Arguments(1, 1),
		Example: "  keyquorum app create billing"}
	c.Long = "Create an application. Next, keyquorum app credential add makes a client secret for " +
		"it, and keyquorum grant set says what it may do in a vault."
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (appInfo, error) {
		return CreateApp(ctx, api, args[0])
	}, appTable)
}

func appList(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the applications", Args: console.Arguments(0, 0)}
	return showing(c, k, func(ctx context.Context, api *Client, _ []string) ([]appInfo, error) {
		return listApps(ctx, api)
	}, appsTable)
}

func appShow(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "show APP", Short: "Show an application, by name or client id",
		Args: console.Arguments(1, 1)}
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (appInfo, error) {
		return administer[appInfo](ctx, api, http.MethodGet, nil, "apps", args[0])
	}, appTable)
}

func appSwitch(k *Connection, verb string, enabled bool) *cobra.Command {
	short := "Let an application in again"
	if !enabled {
		short = "Keep an application out, on every node, from the moment this returns"
	}
	c := &cobra.Command{Use: verb + " APP", Short: short, Args: console.Arguments(1, 1)}
	return showing(c, k, func(ctx context.Context, api *Client, args []string) (appInfo, error) {
		return administer[appInfo](ctx, api, http.MethodPost, map[string]any{"enabled": enabled}, "apps",
			args[0])
	}, appTable)
}

func appDelete(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "delete APP",
		Short: "Delete an application and every client secret of it", Args: console.Arguments(1, 1),
		RunE: deleting(k, "Application %s is deleted, with every client secret of it.", "apps")}
	return console.Asking(c, func(args []string) string {
		return fmt.Sprintf("The application %s, its client secrets and its grants will be gone for ever.",
			args[0])
	})
}

func credentialAdd(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "add APP", Short: "Make a client secret; it is shown once",
		Args: console.Arguments(1, 1), Example: "  keyquorum app credential add billing --ttl 720h"}
	life := c.Flags().Duration("ttl", 0, "how long it lives, as in 720h (0: until removed)")
	add := func(ctx context.Context, api *Client, args []string) (newCredential, error) {
		return AddCredential(ctx, api, args[0], *life)
	}
	return thenTelling(showing(c, k, add, newCredential.table),
		"Keep the client secret now: nothing can show it again.")
}

func (n newCredential) table() console.Table {
	return console.Pairs("Client id", n.ClientID, "Client secret", n.Secret, "Credential id", n.ID,
		"Ends", n.expiry())
}

// thenTelling says something to people, on standard error, when a command is done.
func thenTelling(c *cobra.Command, sentence string) *cobra.Command {
	do := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := do(c, args); err != nil {
			return err
		}
		if c.Flags().Lookup("format").Value.String() == "table" { // else a program reads
			console.Tell(c, c.ErrOrStderr(), "%s", sentence)
		}
		return nil
	}
	return c
}

func credentialRemove(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "remove APP CREDENTIAL_ID",
		Short: "Revoke a client secret and every token issued for it",
		Args:  console.Arguments(2, 2),
		RunE: deleting(k, "Application %s has the client secret %s no more, nor a token by it.",
			"apps", "credentials")}
	return console.Asking(c, func(args []string) string {
		return fmt.Sprintf("The client secret %s of application %s will be gone for ever. Programs that "+
			"use it are refused from then on.", args[1], args[0])
	})
}

// deleting sends a DELETE for collection/argument/collection/argument… and says that it was done,
// in a sentence with the arguments in it.
func deleting(k *Connection, done string, collections ...string) func(*cobra.Command,
	[]string) error {
	return func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		var path []string
		var said []any
		for i, collection := range collections {
			path, said = append(path, collection, args[i]), append(said, args[i])
		}
		if _, err := administer[any](c.Context(), api, http.MethodDelete, nil, path...); err != nil {
			return err
		}
		console.Tell(c, c.OutOrStdout(), done, said...)
		return nil
	}
}

func appTable(a appInfo) console.Table {
	return console.Pairs("Name", a.Name, "Client id", a.ClientID, "Object id", a.OID, "State",
		enabledText(a.Enabled),
		"Created", console.TimeText(a.Created), "Credentials", a.credentialIDs())
}

func appsTable(all []appInfo) console.Table {
	t := console.NewTable("Name", "Client id", "State", "Credentials").
		WhenEmpty("There is no application: keyquorum app create NAME makes one.")
	for _, a := range all {
		t.Add(a.Name, a.ClientID, enabledText(a.Enabled), len(a.Credentials))
	}
	return t
}
