// Command keyquorum is the one binary: server, dev cluster, and the commands of operators and of
// applications.
//
// It assembles and never decides: a command reads flags, calls node and httpapi (server), a node's
// HTTP API, or a vault with Microsoft's SDK (secret, key, run), and prints. Exit codes are those
// that scripts for bao and vault rely on: 0 done, 1 wrong usage or a local failure, 2 refused by
// the server, or no node was reached; `operator status` gives 2 for a sealed node, `key verify` 3
// for a signature that does not verify, and `run` the code of what it runs.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/cmd/keyquorum/mover"
	"keyquorum/cmd/keyquorum/objects"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/cmd/keyquorum/proving"
	"keyquorum/cmd/keyquorum/runner"
	"keyquorum/cmd/keyquorum/session"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	root := newRoot()
	root.SetArgs(console.DoubleDashes(root, args))
	err := root.Execute()
	if line := console.Complaint(err); line != "" {
		fmt.Fprintln(os.Stderr, line)
	}
	return console.ExitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "keyquorum",
		Short:         "A key vault you own: Azure Key Vault for applications, Vault for operators",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
		Args:          cobra.ArbitraryArgs,
		RunE:          console.OnlyHolds,
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	wrapHelp(root)
	root.CompletionOptions.DisableDefaultCmd = true // ours says more
	vaults := func(begun string) []string { return new(operator.Connection).VaultNames(false, begun) }
	root.AddCommand(serverCommand(), dev.Command(shiftedCommand()), operator.Command(),
		operator.StatusCommand(), planCommand(),
		operator.VaultCommand(), operator.AppCommand(), operator.GrantCommand(),
		proving.Command(dev.Suffix+"="+dev.Login), openapiCommand(), versionCommand(),
		objects.SecretCommand(vaults), objects.KeyCommand(vaults), mover.Command(vaults),
		session.LoginCommand(), session.LogoutCommand(), runner.Command(), completionCommand())
	return root
}
