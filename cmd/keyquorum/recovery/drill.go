package recovery

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/node"
)

// drillWait bounds a drill once the shares are there.
const drillWait = time.Hour

// DrillCommand is operator drill. stores are those of a server's configuration.
func DrillCommand(stores Stores) *cobra.Command {
	c := &cobra.Command{
		Use:   "drill [FOLDER|SNAPSHOT]",
		Short: "Try whether a cluster can be recovered from a snapshot, or from a member's folder",
		Long: "Try whether a cluster can be recovered from a snapshot, or from the folder of a " +
			"member that is stopped. The command asks for unseal shares, recovers into a scratch " +
			"folder, runs the one node there on this machine's loopback, unseals it, compares " +
			"every record, opens each, and writes once. Then the scratch folder is removed. It " +
			"needs as much room as the snapshot. Do it on a machine that may see the shares. " +
			"What is named is not changed, and no other node is asked.\n\nWithout a name it takes " +
			"the newest snapshot that the schedule in the server's configuration has kept.",
		Example: "  keyquorum operator drill backup.snap\n" +
			"  keyquorum operator drill --config /etc/keyquorum/keyquorum.hcl",
		Args: console.Arguments(0, 1), ValidArgsFunction: console.Files,
	}
	of := stores.flags(c)
	format := console.FormatFlag(c)
	scratch := c.Flags().String("scratch", scratchPlace(),
		"`folder` to make the scratch folder in: in memory, since a node's key lies in it")
	c.RunE = func(c *cobra.Command, args []string) error {
		begun := time.Now()
		r, name, err := toDrill(c, args, of, *scratch)
		if err != nil {
			return err
		}
		read := time.Since(begun)
		given, err := askShares(c, &r.LockedState)
		defer given.clear()
		if err != nil {
			return err
		}
		out, err := drill(c, r, *scratch, given)
		if err != nil {
			return fmt.Errorf("%s would make no cluster: %w", name, err)
		}
		out.From, out.ReadSeconds = name, read.Seconds()
		return out.print(c, format)
	}
	return c
}

// toDrill reads what is named, or else the newest scheduled snapshot.
func toDrill(c *cobra.Command, args []string, of *source, scratch string) (r *node.Remnant,
	name string, err error) {
	path := ""
	if len(args) > 0 {
		name, path = args[0], args[0]
	} else {
		newest, err := of.newest(c)
		if err != nil {
			return nil, "", err
		}
		fetched, remove, err := newest.fetch(c, scratch)
		if err != nil {
			return nil, "", err
		}
		defer remove()
		name, path = newest.place(), fetched
	}
	defer console.Waiting(c.ErrOrStderr(), "Reading "+name)()
	r, err = node.ReadRemnant(path)
	return r, name, err
}

// scratchPlace is a file system in memory, where there is one.
func scratchPlace() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		return memory
	}
	return os.TempDir()
}

// drilled is what a drill says.
type drilled struct {
	From           string      `json:"from"`
	Cluster        string      `json:"cluster"`
	Index          uint64      `json:"index"`
	Generation     uint64      `json:"generation"`
	Digest         string      `json:"digest"`
	TransactionKey string      `json:"first_transaction_key"`
	Census         node.Census `json:"holds"`
	Opened         int         `json:"records_that_open"`
	ReadSeconds    float64     `json:"read_seconds"`
	RecoverSeconds float64     `json:"recover_seconds"`
	UnsealSeconds  float64     `json:"unseal_seconds"`
}

func drill(c *cobra.Command, r *node.Remnant, scratch string, given shares) (drilled, error) {
	dir, err := os.MkdirTemp(scratch, "keyquorum-drill-")
	if err != nil {
		return drilled{}, err
	}
	defer os.RemoveAll(dir)
	defer console.Waiting(c.ErrOrStderr(), "Recovering into "+dir)()
	out := drilled{Cluster: r.Cluster, Index: r.Index, Generation: r.Generation, Digest: r.Digest,
		TransactionKey: r.TransactionKey}
	ctx, cancel := context.WithTimeout(c.Context(), drillWait)
	defer cancel()
	begun := time.Now()
	d, err := r.Drill(ctx, dir, given)
	out.Census, out.Opened, out.UnsealSeconds = d.Census, d.Opened, d.Unseals.Seconds()
	out.RecoverSeconds = time.Since(begun).Seconds() - out.UnsealSeconds
	return out, err
}

func (d drilled) print(c *cobra.Command, format *console.Format) error {
	n := d.Census
	t := console.Pairs("From", d.From, "Cluster", d.Cluster, "Index", d.Index, "Generation", d.Generation,
		"Digest", d.Digest, "First transaction key", d.TransactionKey, "Vaults", n.Vaults, "Applications",
		n.Applications,
		"Secrets", fmt.Sprintf("%d in %d versions", n.Secrets, n.SecretVersions),
		"Keys", fmt.Sprintf("%d in %d versions", n.Keys, n.KeyVersions),
		"Read in", seconds(d.ReadSeconds), "Recovered in", seconds(d.RecoverSeconds),
		"Unsealed in", seconds(d.UnsealSeconds))
	if err := format.Print(c, d, t); err != nil || *format != "table" {
		return err
	}
	console.Tell(c, c.OutOrStdout(), "\nA cluster can be recovered from %s: all %d sealed records "+
		"open, and it takes writes.", d.From, d.Opened)
	return nil
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }
