package recovery

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
)

func restore(k *operator.Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "restore FILE", Short: "Go back to a snapshot of this cluster, while its nodes serve",
		Long: "Go back to a snapshot of this cluster, while its nodes serve. Vaults, secrets, keys, " +
			"applications and grants are those of the snapshot afterwards, on all nodes at once. " +
			"What was written since is gone. What was purged or revoked since is back. Members, " +
			"unseal shares and operators' tokens stay. If it fails, nothing was restored, but " +
			"where no answer comes: then the node's usage log says what was done.\n\n" +
			"Save a snapshot of now first. A snapshot of another cluster makes a cluster of its " +
			"own: see keyquorum operator recover.",
		Example: "  keyquorum operator raft snapshot restore backup.snap",
		Args:    console.Arguments(1, 1), ValidArgsFunction: console.Files,
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		s, err := read(c, args[0])
		if err != nil {
			return err
		}
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		done := console.Waiting(c.ErrOrStderr(), fmt.Sprintf("Restoring %d records", s.Census.Records))
		err = api.Send(c.Context(), "/v1/sys/storage/raft/snapshot", file, nil)
		done()
		if err != nil {
			return err
		}
		out := contentsOf(s)
		if err := format.Print(c, out, out.table()); err != nil || *format != "table" {
			return err
		}
		console.Tell(c, c.OutOrStdout(), "\nRestored: all nodes serve what %s holds. What was revoked "+
			"since it was taken is back, grants and client secrets too: the usage log says what that "+
			"is. Take it away again.", args[0])
		return nil
	}
	return console.Asking(c, func(args []string) string {
		return "This puts all vaults, objects, applications and grants of " + args[0] +
			" in the place of those of now. What was written since is lost."
	})
}
