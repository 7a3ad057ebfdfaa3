package operator

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionPatience is how long somebody who has pressed Tab waits for names.
const completionPatience = 3 * time.Second

// names are what an argument can be.
type names func(ctx context.Context, api *Client) ([]string, error)

func liveVaults(ctx context.Context, api *Client) ([]string, error) {
	return vaultNames(ctx, api, false)
}

func deletedVaults(ctx context.Context, api *Client) ([]string, error) {
	return vaultNames(ctx, api, true)
}

func vaultNames(ctx context.Context, api *Client, gone bool) (all []string, err error) {
	vaults, err := ListVaults(ctx, api, gone)
	for _, v := range vaults {
		all = append(all, v.Name)
	}
	return all, err
}

func apps(ctx context.Context, api *Client) (all []string, err error) {
	listed, err := listApps(ctx, api)
	for _, a := range listed {
		all = append(all, a.Name)
	}
	return all, err
}

func listApps(ctx context.Context, api *Client) ([]appInfo, error) {
	all, err := administer[struct {
		Apps []appInfo `json:"apps"`
	}](ctx, api, http.MethodGet, nil, "apps")
	return all.Apps, err
}

// members are those of the cluster, by label where they have one.
func members(ctx context.Context, api *Client) (all []string, err error) {
	configured, err := Configuration(ctx, api)
	for _, p := range configured.Data.Config.Servers {
		if p.Label != "" {
			all = append(all, p.Label)
		} else {
			all = append(all, p.ID)
		}
	}
	return all, err
}

// VaultNames are those of the live vaults that begin with a text; none without a token.
func (k *Connection) VaultNames(begun string) []string { return k.beginning(begun, liveVaults) }

// beginning are the names that begin with a text; none without a token, or where no node answers.
func (k *Connection) beginning(begun string, of names) (found []string) {
	if fromEnvironment("TOKEN") == "" {
		return nil
	}
	api, err := k.Client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionPatience)
	defer cancel()
	all, err := of(ctx, api)
	if err != nil {
		return nil
	}
	for _, name := range all {
		if strings.HasPrefix(name, begun) {
			found = append(found, name)
		}
	}
	return found
}

// completing has the arguments of a command completed with names, each with those of its place.
func (k *Connection) completing(c *cobra.Command, of ...names) *cobra.Command {
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string,
		cobra.ShellCompDirective) {
		if len(args) >= len(of) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return k.beginning(begun, of[len(args)]), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}
