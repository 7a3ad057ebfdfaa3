// Package dev is the command dev: a cluster of processes on this machine, to try things out, with a
// vault and an application that may use it. It keeps its shares on disk, and calls its nodes as any
// operator does.
package dev

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// Suffix and Login are the zone in which a dev cluster's vaults have their names.
const (
	Suffix = "vault.localhost"
	Login  = "login.localhost"
)

const (
	// Nodes is how many a dev cluster has.
	Nodes        = 3
	defaultVault = "demo"
	defaultApp   = "demo-app"
	shares       = 5
	threshold    = 3
)

// Command is `keyquorum dev` with all below it.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use: "dev", Short: "Run a three-node cluster on this machine, to try things out", Args: console.Arguments(0, 0),
		Long: "Run a three-node cluster on this machine: three processes with their own data folders under --dir, a\n" +
			"certificate authority of their own, a vault " + defaultVault + " and an application that may use it.\n" +
			"It keeps its unseal shares on disk: nothing real belongs in it.",
	}
	dir := c.PersistentFlags().String("dir", ".keyquorum-dev", "folder of the dev cluster")
	port := c.Flags().Int("port", 0, "first API port; the nodes have it, +10 and +20, cluster +1, gossip +2 (default 8200)")
	sealed := c.Flags().Bool("sealed", false, "leave the nodes sealed")
	c.RunE = func(c *cobra.Command, _ []string) error {
		folder, err := openFolder(*dir)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return run(ctx, folder, *port, *sealed, c.OutOrStdout())
	}
	c.AddCommand(statusCommand(dir), restartCommand(dir), execCommand(dir), insideCommand())
	return c
}

// A Folder is the absolute path of a dev cluster's folder. In it:
//
//	lock             locked while a cluster runs; holds the pid of `keyquorum dev`
//	dev.json         port, unseal shares, root token, application secret (0600)
//	ca.pem           the authority to trust; its key was never written
//	tls.pem, tls-key.pem
//	nodeN/, nodeN.log, nodeN.pid (while it runs), restart-N (while that is asked for)
//	env, env-1 …     `export NAME=value` lines for a shell
type Folder string

func openFolder(dir string) (Folder, error) {
	abs, err := filepath.Abs(dir)
	return Folder(abs), err
}

func (f Folder) Path(name string) string { return filepath.Join(string(f), name) }

func (f Folder) pidFile(number int) string { return f.Path(fmt.Sprintf("node%d.pid", number)) }
func (f Folder) logFile(number int) string { return f.Path(fmt.Sprintf("node%d.log", number)) }
func (f Folder) restartFile(number int) string {
	return f.Path(fmt.Sprintf("restart-%d", number))
}

// A Address is where one node of a dev cluster is.
type Address struct {
	Number int // 1 to Nodes
	Port   int // of the API
}

func Addresses(base int) []Address {
	var all []Address
	for i := range Nodes {
		all = append(all, Address{Number: i + 1, Port: base + 10*i})
	}
	return all
}

func (a Address) API() string     { return "https://" + a.Local(0) }
func (a Address) Cluster() string { return a.Local(1) }
func (a Address) Gossip() string  { return a.Local(2) }
func (a Address) Local(offset int) string {
	return "127.0.0.1:" + strconv.Itoa(a.Port+offset)
}

// vaultURL is what an application is given.
func (a Address) vaultURL() string {
	return fmt.Sprintf("https://%s.%s:%d", defaultVault, Suffix, a.Port)
}

func (a Address) LoginURL() string { return fmt.Sprintf("https://%s:%d", Login, a.Port) }
