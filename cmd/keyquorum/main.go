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
	"os"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/debug"
	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/cmd/keyquorum/doctor"
	"keyquorum/cmd/keyquorum/mover"
	"keyquorum/cmd/keyquorum/objects"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/cmd/keyquorum/proving"
	"keyquorum/cmd/keyquorum/recovery"
	"keyquorum/cmd/keyquorum/runner"
	"keyquorum/cmd/keyquorum/session"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	root := newRoot(console.CalledAs())
	root.SetArgs(console.DoubleDashes(root, args))
	err := root.Execute()
	if line := console.Complaint(err); line != "" {
		console.Tell(root, os.Stderr, "%s", line)
	}
	return console.ExitCode(err)
}

// newRoot is the program, called by a name or a path.
func newRoot(calledAs string) *cobra.Command {
	root := &cobra.Command{
		Use:           "keyquorum",
		Short:         "A key vault you own: Azure Key Vault for applications, Vault for operators",
		Long:          about,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: calledAs},
	}
	console.Holding(root)
	console.Hearing(root)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	operate := operator.Command(func(k *operator.Connection) *cobra.Command {
		return recovery.SnapshotCommand(k, scheduled)
	}, recovery.CheckShareCommand, debug.Command(examined))
	operate.AddCommand(recovery.RecoverCommand(), recovery.DrillCommand(scheduled))
	vaults := new(operator.Connection).VaultNames
	add(root, "Use secrets and keys:", calling(objects.SecretCommand(vaults)),
		calling(objects.KeyCommand(vaults)), calling(runner.Command(vaults)),
		calling(mover.Command(vaults)),
		session.LoginCommand(),
		session.LogoutCommand())
	add(root, "Operate a cluster:", operator.StatusCommand(), operate,
		operator.VaultCommand(), operator.AppCommand(), operator.GrantCommand(),
		recovery.RestoreObjectCommand(),
		proving.Command(dev.Suffix+"="+dev.Login), planCommand(), doctor.Command(examined))
	add(root, "Run nodes:", serverCommand(), dev.Command(shiftedCommand()))
	root.AddCommand(openapiCommand(), versionCommand(), completionCommand())
	console.Explain(root)
	return root
}

// calling tells of a command that calls a vault as whom it calls.
func calling(c *cobra.Command) *cobra.Command {
	console.Environment(c, "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET",
		"the application that calls, else the one of keyquorum login")
	console.Environment(c, "AZURE_AUTHORITY_HOST, AZURE_TENANT_ID", "where it gets its token")
	return c
}

// add adds commands under a heading of the help.
func add(root *cobra.Command, heading string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: heading, Title: heading})
	for _, c := range commands {
		c.GroupID = heading
	}
	root.AddCommand(commands...)
}

const about = `A key vault that you run yourself. Applications use it as they use Azure Key
Vault, operators run it as they run Vault or OpenBao.

To try it out, keyquorum dev runs a cluster on this machine.

Exit codes: 0 done; 1 wrong usage or a local failure; 2 refused by the server,
or no node was reached. Commands with others say so.`
