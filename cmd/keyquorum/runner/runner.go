// Package runner is the command run: it resolves references to secrets in an environment, starts a
// program with it, passes signals and the exit code through, and masks the secrets in what the
// program prints. A value is nowhere but in that environment and in this process.
package runner

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/session"
)

const help = `Run a command whose environment holds secrets.

A reference is akv://vault/name[/version], or the id of a secret
(https://host/secrets/name). Those that begin with akv:// are resolved in the
environment that is there; both kinds in files and in --env, where the name of
a secret will do too. Of the same variable the later wins: the environment,
then --env-file and --env in the order in which they stand. When one cannot be
resolved nothing is started. A file has lines NAME=value; # begins a comment,
and a value may stand in quotes.

What the command prints goes through a pipe in which each secret is replaced by
***: the whole value, each of its lines (without the spaces around it too), and
the value as JSON has it. Lines and values of less than 4 bytes are not, nor is
what the command encodes in its own way: masking is against accidents, not
against the command. --no-masking gives the command the terminal itself.

The exit code is the command's, 128 and the signal's number where one ended it,
127 and 126 where it was not found or could not be started; 1 and 2 are ours,
from before the start.`

// settings are the flags of run.
type settings struct {
	assignments []assignment
	noMasking   bool
	watch       bool
	every       time.Duration
	signal      string
}

// leastEvery keeps a watch from being a load.
const leastEvery = 100 * time.Millisecond

// Command is `keyquorum run`. vaults are those that begin with a text, for completion.
func Command(vaults func(begun string) []string) *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "run [--env NAME=REF]… [--env-file FILE]… -- COMMAND [ARGUMENT…]", Long: help,
		Short: "Run a command with secrets in its environment",
		Example: "  keyquorum run --env DB_PASSWORD=akv://demo/db-password -- ./server\n" +
			"  keyquorum run --env-file .env --watch -- ./server",
		DisableFlagsInUseLine: true, ValidArgsFunction: console.Files,
	}
	of := session.Flags(c)
	complete := func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return vaults(begun), cobra.ShellCompDirectiveNoFileComp
	}
	if err := c.RegisterFlagCompletionFunc("vault", complete); err != nil {
		panic(err) // the flag is there
	}
	f := c.Flags()
	f.Var(
		&assigned{&s.assignments, false},
		"env",
		"NAME=REF: a variable that is to hold a secret (repeatable)",
	)
	f.Var(
		&assigned{&s.assignments, true},
		"env-file",
		"file of variables, some of them references (repeatable)",
	)
	f.BoolVar(&s.noMasking, "no-masking", false, "let the command print secrets")
	f.BoolVar(&s.watch, "watch", false, "start the command again when a secret has a new version")
	f.DurationVar(&s.every, "watch-interval", 30*time.Second, "how often --watch looks")
	f.StringVar(
		&s.signal,
		"watch-signal",
		"",
		"send this signal instead, such as HUP; the environment stays",
	)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf(
			"%w; the command stands after --, as in keyquorum run --env NAME=REF -- COMMAND",
			err,
		)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if c.ArgsLenAtDash() != 0 || len(args) == 0 {
			return fmt.Errorf(
				"which command? Put it after --, as in keyquorum run --env NAME=REF -- COMMAND",
			)
		}
		return s.run(c, of, args)
	}
	return c
}

func (s *settings) run(c *cobra.Command, of *session.Settings, args []string) error {
	number, err := s.signalNumber()
	if err != nil {
		return err
	}
	variables, err := gather(os.Environ(), s.assignments)
	if err != nil {
		return err
	}
	open, err := of.Open()
	if err != nil {
		return err
	}
	r := &running{args: args, settings: s, signal: number, people: c.ErrOrStderr(), masks: &masks{}}
	r.resolver = &resolver{session: open, vaults: map[string]*session.Vault{}}
	if r.environment, err = r.resolve(c.Context(), variables); err != nil {
		return console.Exit(console.ExitCode(err), fmt.Errorf("nothing was started: %w", err))
	}
	return r.untilEnd(c.Context(), variables)
}

// signalNumber is that of --watch-signal; 0: start again.
func (s *settings) signalNumber() (syscall.Signal, error) {
	if s.watch && s.every < leastEvery {
		return 0, fmt.Errorf("--watch-interval %v: at least %v", s.every, leastEvery)
	}
	if s.signal == "" {
		return 0, nil
	}
	name := strings.ToUpper(s.signal)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	number := unix.SignalNum(name)
	if number == 0 {
		return 0, fmt.Errorf("--watch-signal %q is no signal; HUP and USR1 are", s.signal)
	}
	return number, nil
}

// notStarted is why a command could not be started, with the code that shells give it.
func notStarted(err error) error {
	if os.IsPermission(err) {
		return console.Exit(126, err)
	}
	return console.Exit(127, err)
}
