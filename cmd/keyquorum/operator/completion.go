package operator

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionPatience is how long somebody who has pressed Tab waits for names.
const completionPatience = 3 * time.Second

// VaultNames are those of the live vaults, or of the deleted ones, that begin with a text; none
// without a token.
func (k *Connection) VaultNames(gone bool, begun string) (names []string) {
	if fromEnvironment("TOKEN") == "" {
		return nil
	}
	api, err := k.Client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionPatience)
	defer cancel()
	vaults, err := ListVaults(ctx, api, gone)
	if err != nil {
		return nil
	}
	for _, v := range vaults {
		if strings.HasPrefix(v.Name, begun) {
			names = append(names, v.Name)
		}
	}
	return names
}

// completing has the first argument of a command completed with vaults' names.
func (k *Connection) completing(c *cobra.Command, gone bool) *cobra.Command {
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string,
		cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return k.VaultNames(gone, begun), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}
