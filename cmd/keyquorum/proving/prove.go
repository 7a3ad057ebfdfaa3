package proving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/httpapi"
)

const proveHelp = `Let clients work on a running cluster, through all of its nodes at once, and
prove from what they were answered that it kept its promises: every answer fits
one order of all operations (linearizability), what was acknowledged is read
back from every node, and all nodes hold the same state at the same index.

It disturbs nothing: it works in a vault of its own, with applications of its
own, and removes its secrets, keys, applications and grants when it is done, and
the vault, deleted and purged, if it has made it and nobody else has a grant
there by then. A vault that was there stays. Its requests stand in the usage
logs like any others'. With --destructive the leader is made to step down every
other second while the clients work. Nothing else is done to the cluster even
then: what else the API can do to it (seal, remove), it cannot undo.

It asks the node at --address which nodes there are and where their APIs are.
All must be unsealed. Where that node cannot know, or the addresses are not to
be reached from here, name each node's with --node; only those named are proven
then. The token is the operators', from KEYQUORUM_TOKEN, BAO_TOKEN or
VAULT_TOKEN.

Ctrl-C ends the work early: what was done is still read back, checked and
removed. A second Ctrl-C cuts that short and says what is left. What such calls
have left, a call of a day later removes from the vault that it works in.

Usage logs cannot be read over the API, so whether each request was recorded is
not proven here.

Exit codes: 0 proven; 1 not proven, or flags that make no sense; 2 not begun,
for a node is down, sealed or refuses, or is not what --node takes it for. What
is not linearizable is shown as the shortest history found that is not, and
drawn as an HTML page.`

// proveSettings are the flags of prove.
type proveSettings struct {
	vault       string
	time        time.Duration // 0: until the operations are done
	operations  int           // 0: until the time is over
	clients     int
	pause       time.Duration
	nodes       []string // URLs; none: the cluster is asked
	zone        string
	served      httpapi.Zone // zone, once it is read
	pictures    string
	seed        uint64 // 0: any
	destructive bool
}

// bind binds the flags; zone is the default of --zone.
func (s *proveSettings) bind(f *pflag.FlagSet, zone string) {
	f.StringVar(&s.vault, "vault", "prove",
		"`name` of the vault to work in; one that is absent is made, and removed in the end")
	f.DurationVar(&s.time, "time", 0,
		"how long to work (default "+proveTime.String()+", without --operations)")
	f.IntVar(&s.operations, "operations", 0, "work until so many operations are done")
	f.IntVar(&s.clients, "clients", 5, "clients that work at once")
	f.DurationVar(&s.pause, "pause", 20*time.Millisecond,
		"mean pause of a client before an operation; 0s takes what the cluster gives")
	f.StringSliceVar(&s.nodes, "node", nil,
		"API `URL` of a node (repeatable; default what the cluster says)")
	f.StringVar(&s.zone, "zone", zone, "zone that the nodes serve vaults in, as `SUFFIX=LOGIN`")
	f.StringVar(&s.pictures, "pictures", ".",
		"folder for the picture of a history that is not linearizable")
	f.Uint64Var(&s.seed, "seed", 0, "`number` that decides what the clients choose (default any)")
	f.BoolVar(&s.destructive, "destructive", false,
		"make the leader step down every other second while the clients work")
}

const proveTime = 10 * time.Second

// maxPause keeps a round, of 1,000 operations, shorter than the day after which another call takes
// it for one that was cut short.
const maxPause = time.Minute

// validVault is how vaults can be called. Nodes know, too; but first a host name is made of it.
var validVault = regexp.MustCompile(`^[a-zA-Z](-?[a-zA-Z0-9])+$`)

// complete checks the flags in f and fills in what they leave open.
func (s *proveSettings) complete(f *pflag.FlagSet) (err error) {
	switch {
	case s.clients < 1 || s.clients > 256:
		return errors.New("--clients: 1 to 256 can work at once")
	case s.time < 0 || s.operations < 0 || s.pause < 0:
		return errors.New("--time, --operations and --pause cannot be negative")
	case s.pause > maxPause:
		return fmt.Errorf("--pause: at most %v", maxPause)
	case !validVault.MatchString(s.vault) || len(s.vault) < 3 || len(s.vault) > 24:
		return fmt.Errorf("--vault %q: a vault's name is 3 to 24 letters, digits and single hyphens; a letter comes first, a letter or digit last",
			s.vault)
	case f.Changed("node") && len(s.nodes) == 0 || slices.Contains(s.nodes, ""):
		return errors.New(`--node "": the address of a node is https://host:port`)
	case s.time == 0 && s.operations == 0:
		s.time = proveTime
	}
	if s.served, err = httpapi.ParseZone(s.zone); err != nil {
		return fmt.Errorf("--zone %w", err)
	}
	return nil
}

// Command takes the default of --zone.
func Command(zone string) *cobra.Command {
	c := &cobra.Command{Use: "prove",
		Short: "Prove from its answers that a running cluster keeps its promises", Long: proveHelp,
		Args: console.Arguments(0, 0), Example: "  keyquorum prove --time 1m"}
	k := operator.ConnectionFlags(c)
	format := console.FormatFlag(c)
	var s proveSettings
	s.bind(c.Flags(), zone)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.complete(c.Flags()); err != nil {
			return err
		}
		first, second, stop := interrupts(c.Context(), c.ErrOrStderr())
		defer stop()
		p, err := newProof(first, k, &s)
		if err != nil {
			return notBegun(err)
		}
		p.patience = second
		if err := p.work(first, c.ErrOrStderr()); err != nil {
			return notBegun(err)
		}
		p.report.judge()
		return p.report.print(c, format)
	}
	return c
}

// notBegun is the exit code of what failed before the work began.
func notBegun(err error) error {
	var exit console.ExitError
	if errors.As(err, &exit) {
		return err
	}
	return console.Exit(2, err)
}

// interrupts gives a context that the first SIGINT or SIGTERM ends, and one that the second ends. A
// third ends the program.
func interrupts(parent context.Context, people io.Writer) (first, second context.Context,
	stop func()) {
	first, endFirst := context.WithCancel(parent)
	second, endSecond := context.WithCancel(parent)
	signals, ended := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	var watch sync.WaitGroup
	watch.Go(func() {
		defer signal.Stop(signals)
		for _, end := range []context.CancelFunc{endFirst, endSecond} {
			select {
			case <-signals:
				end()
			case <-ended:
				return
			}
			if second.Err() == nil {
				fmt.Fprintln(people, console.Fresh(people)+"interrupted: what was done is read back, "+
					"checked and removed;\nanother interrupt leaves it as it is")
			}
		}
	})
	return first, second, func() { close(ended); watch.Wait(); endFirst(); endSecond() }
}
