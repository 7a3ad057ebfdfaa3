// Package dev is the command dev: a cluster of processes on this machine, to try things out and to
// test with. The cluster has a vault and an application that may use it. The command keeps the
// shares on disk; with --memory it keeps nothing. It calls its nodes as any operator or application
// does.
package dev

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

const help = `Run a three-node cluster on this machine: three processes with their own data
folders under --dir, a certificate authority of their own, a vault demo and an
application that may use it. It keeps its unseal shares on disk: nothing real
belongs in it.

With --memory it is for tests and CI: it keeps nothing, and is gone when it
ends. Its data are in a private folder on a tmpfs where the machine has one
($XDG_RUNTIME_DIR, /dev/shm), else in the temporary folder. With --detach the
command returns when the cluster can be used, and prints its environment:

  environment=$(keyquorum dev --memory --nodes=1 --detach)
  eval "$environment"
  keyquorum dev exec -- COMMAND
  keyquorum dev stop`

const (
	shares    = 5
	threshold = 3
)

// Command is `keyquorum dev` with all below it. node is the hidden command that runs a node whose
// clock is off: `keyquorum server` with --time-shift.
func Command(node *cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: "dev", Short: "Run a three-node cluster on this machine, to try things out or to test with",
		Args: console.Arguments(0, 0), Long: help,
	}
	dir := c.PersistentFlags().String("dir", "",
		"folder of the dev cluster (else, for the commands below dev, KEYQUORUM_DEV_DIR; else "+
			defaultDir+")")
	o := &options{dir: dir}
	o.bind(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.complete(c.Flags()); err != nil {
			return err
		}
		if o.detach {
			return detach(c)
		}
		ctx, stop := signal.NotifyContext(c.Context(), endings()...)
		defer stop()
		return o.run(ctx, c.OutOrStdout(), c.ErrOrStderr())
	}
	c.AddCommand(statusCommand(dir), restartCommand(dir), stopCommand(dir), execCommand(dir),
		insideCommand(), node)
	return c
}

// endings are the signals that end a dev cluster in order. nohup's wish is respected.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// run runs the cluster that was asked for until ctx ends.
func (o *options) run(ctx context.Context, stdout, stderr io.Writer) error {
	folder, release, err := o.folder()
	if err != nil {
		return err
	}
	defer release()
	return run(ctx, folder, o, stdout, stderr)
}

// folder is a locked one; release gives it back, and removes it with all that it holds where
// nothing is to be kept.
func (o *options) folder() (folder Folder, release func(), err error) {
	if o.memory {
		return takeMemory()
	}
	folder, err = openFolder(cmp.Or(*o.dir, defaultDir))
	if err != nil {
		return "", nil, err
	}
	lock, err := folder.lock()
	if err != nil {
		return "", nil, err
	}
	return folder, func() { lock.Close() }, nil
}

const defaultDir = ".keyquorum-dev"

// chosenFolder is the one that commands below dev speak of.
func chosenFolder(dir string) (Folder, error) {
	return openFolder(cmp.Or(dir, os.Getenv("KEYQUORUM_DEV_DIR"), defaultDir))
}

// A Folder is the absolute path of a dev cluster's folder. In it:
//
//	lock             locked while a cluster runs; holds the pid of `keyquorum dev`
//	dev.json         layout, unseal shares, root token, client secrets (0600)
//	ca.pem           the authority to trust; its key was never written
//	tls.pem, tls-key.pem
//	nodeN/, nodeN.log, nodeN.pid (while it runs), restart-N (while that is asked for)
//	env, env-1 …     `export NAME=value` lines for a shell
//	dev.log          what a detached cluster says after it was ready
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
