package main

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

const (
	devNodes     = 3
	devVault     = "demo"
	devApp       = "demo-app"
	devSuffix    = "vault.localhost"
	devLogin     = "login.localhost"
	devShares    = 5
	devThreshold = 3
)

func devCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "dev", Short: "Run a three-node cluster on this machine, to try things out", Args: console.Arguments(0, 0),
		Long: "Run a three-node cluster on this machine: three processes with their own data folders under --dir, a\n" +
			"certificate authority of their own, a vault " + devVault + " and an application that may use it.\n" +
			"It keeps its unseal shares on disk: nothing real belongs in it.",
	}
	dir := c.PersistentFlags().String("dir", ".keyquorum-dev", "folder of the dev cluster")
	port := c.Flags().Int("port", 0, "first API port; the nodes have it, +10 and +20, cluster +1, gossip +2 (default 8200)")
	sealed := c.Flags().Bool("sealed", false, "leave the nodes sealed")
	c.RunE = func(c *cobra.Command, _ []string) error {
		folder, err := openDevFolder(*dir)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return runDev(ctx, folder, *port, *sealed, c.OutOrStdout())
	}
	c.AddCommand(devStatus(dir), devRestart(dir), devExec(dir), devInside())
	return c
}

// A devFolder is the absolute path of a dev cluster's folder. In it:
//
//	lock             locked while a cluster runs; holds the pid of `keyquorum dev`
//	dev.json         port, unseal shares, root token, application secret (0600)
//	ca.pem           the authority to trust; its key was never written
//	tls.pem, tls-key.pem
//	nodeN/, nodeN.log, nodeN.pid (while it runs), restart-N (while that is asked for)
//	env, env-1 …     `export NAME=value` lines for a shell
type devFolder string

func openDevFolder(dir string) (devFolder, error) {
	abs, err := filepath.Abs(dir)
	return devFolder(abs), err
}

func (f devFolder) path(name string) string { return filepath.Join(string(f), name) }

func (f devFolder) pidFile(number int) string { return f.path(fmt.Sprintf("node%d.pid", number)) }
func (f devFolder) logFile(number int) string { return f.path(fmt.Sprintf("node%d.log", number)) }
func (f devFolder) restartFile(number int) string {
	return f.path(fmt.Sprintf("restart-%d", number))
}

// A devAddress is where one node of a dev cluster is.
type devAddress struct {
	number int // 1 to devNodes
	port   int // of the API
}

func devAddresses(base int) []devAddress {
	var all []devAddress
	for i := range devNodes {
		all = append(all, devAddress{number: i + 1, port: base + 10*i})
	}
	return all
}

func (a devAddress) api() string     { return "https://" + a.local(0) }
func (a devAddress) cluster() string { return a.local(1) }
func (a devAddress) gossip() string  { return a.local(2) }
func (a devAddress) local(offset int) string {
	return "127.0.0.1:" + strconv.Itoa(a.port+offset)
}

// vaultURL is what an application is given.
func (a devAddress) vaultURL() string {
	return fmt.Sprintf("https://%s.%s:%d", devVault, devSuffix, a.port)
}

func (a devAddress) loginURL() string { return fmt.Sprintf("https://%s:%d", devLogin, a.port) }
