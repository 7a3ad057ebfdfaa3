package main

import (
	"context"
	"errors"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const proveHelp = `Let clients work on a running cluster, through all of its nodes at once, and prove from what they were answered that
it kept its promises: every answer fits one order of all operations (linearizability), what was acknowledged is read
back from every node, and all nodes hold the same state at the same index.

It disturbs nothing: it works in a vault of its own, with applications of its own, and removes its secrets, keys,
applications and grants when it is done. The vault stays, for vaults cannot be deleted yet. Its requests stand in the
usage logs like any others'. With -destructive the leader is made to step down every other second while the clients
work. Nothing else is done to the cluster even then: what else the API can do to it (seal, remove), it cannot undo.

It asks the node at -address which nodes there are and where their APIs are. All must be unsealed. Where that node cannot
know, or the addresses are not to be reached from here, name each node's with -node; only those named are proven then.
The token is the operators', from KEYQUORUM_TOKEN, BAO_TOKEN or VAULT_TOKEN.

Ctrl-C ends the work early: what was done is still read back, checked and removed. A second Ctrl-C ends the program.

Usage logs cannot be read over the API, so whether each request was recorded is not proven here.

Exit codes: 0 proven, 2 refused before the work began, 1 otherwise. What is not linearizable is shown as the
shortest history found that is not, and drawn as an HTML page.`

// proveSettings are the flags of prove.
type proveSettings struct {
	vault       string
	time        time.Duration // 0: until the operations are done
	operations  int           // 0: until the time is over
	clients     int
	pause       time.Duration
	nodes       []string // URLs; none: the cluster is asked
	zone        string
	pictures    string
	seed        uint64 // 0: any
	destructive bool
}

func (s *proveSettings) bind(f *pflag.FlagSet) {
	f.StringVar(&s.vault, "vault", "prove", "vault to work in, made if absent; it stays")
	f.DurationVar(&s.time, "time", 0, "how long to work (default "+proveTime.String()+", without -operations)")
	f.IntVar(&s.operations, "operations", 0, "work until so many operations are done")
	f.IntVar(&s.clients, "clients", 5, "clients that work at once")
	f.DurationVar(&s.pause, "pause", 20*time.Millisecond, "mean pause of a client before an operation; 0s takes what the cluster gives")
	f.StringSliceVar(&s.nodes, "node", nil, "API address of a node, https://host:port (repeatable; default: what the cluster says)")
	f.StringVar(&s.zone, "zone", devSuffix+"="+devLogin, "SUFFIX=LOGIN: a zone that the nodes serve vaults in")
	f.StringVar(&s.pictures, "pictures", ".", "folder for the picture of a history that is not linearizable")
	f.Uint64Var(&s.seed, "seed", 0, "of what the clients choose (default: any)")
	f.BoolVar(&s.destructive, "destructive", false, "make the leader step down every other second while the clients work")
}

const proveTime = 10 * time.Second

func (s *proveSettings) complete() error {
	switch {
	case s.clients < 1 || s.clients > 256:
		return errors.New("--clients: 1 to 256 can work at once")
	case s.time < 0 || s.operations < 0 || s.pause < 0:
		return errors.New("--time, --operations and --pause cannot be negative")
	case s.time == 0 && s.operations == 0:
		s.time = proveTime
	}
	return nil
}

func proveCommand() *cobra.Command {
	c := &cobra.Command{Use: "prove", Short: "Prove from its answers that a running cluster keeps its promises", Long: proveHelp,
		Args: arguments(0, 0)}
	k := connectionFlags(c)
	format := formatFlag(c)
	var s proveSettings
	s.bind(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.complete(); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		defer context.AfterFunc(ctx, stop)() // the next one ends the program
		p, err := newProof(ctx, k, &s)
		if err != nil {
			return err
		}
		if err := p.work(ctx, c.ErrOrStderr()); err != nil {
			return err
		}
		p.report.judge()
		return p.report.print(c, format)
	}
	return c
}
