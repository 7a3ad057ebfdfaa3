package session

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/reference"
)

// VaultNames are vaults that begin with a text, for completion.
type VaultNames func(begun string) []string

// CompleteVaults offers for --vault the vaults that can be asked for, and the one that the
// environment names.
func CompleteVaults(c *cobra.Command, vaults VaultNames) {
	complete := func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		names := vaults(begun)
		places, err := reference.ParsePlaces(os.Getenv("KEYQUORUM_VAULT_URLS"))
		if own := places.Name(); err == nil && strings.HasPrefix(own, begun) &&
			!slices.Contains(names, own) {
			names = append(names, own)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	if err := c.RegisterFlagCompletionFunc("vault", complete); err != nil {
		panic(err) // the flag is there
	}
}
