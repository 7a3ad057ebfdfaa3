package mover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/session"
)

const help = `Move secrets, and keys that come out, from another vault into one of Keyquorum.

Without --apply nothing is written: you get a plan that says what would be
moved, what is there already, what differs, what can't be moved and why. With
--apply it is done. Each version that is moved has a tag, imported-from, that
says which version of the source it was. By these tags a later run knows what
an earlier one has done: run it again after an interruption, or to fetch what
has come since, and no version is added twice.

The vault it moves into is that of --vault, which is called as the application
of Azure's environment variables or of keyquorum login. It needs get, list and
set on secrets there, and list and import on keys.

Exit codes: 0 done; 1 wrong usage, a local failure or an interruption; 2 something
was refused, or nobody answered.`

// wanted are the flags that all sources share.
type wanted struct {
	apply    bool
	noTags   bool
	versions string
	parallel int
	addTo    bool
	format   *console.Format
}

const (
	allVersions = "all"
	newestAlone = "newest"
)

func (w wanted) newestOnly() bool { return w.versions == newestAlone }

// maxParallel keeps a move from being a load.
const maxParallel = 32

// Command is `keyquorum import`.
func Command(vaults session.VaultNames) *cobra.Command {
	c := console.Group("import", "Move secrets and keys from Azure Key Vault, Vault or OpenBao")
	c.Long = help
	settings := session.Flags(c)
	c.AddCommand(azureCommand(settings), vaultCommand(settings))
	session.CompleteVaults(c, vaults)
	return c
}

func (w *wanted) bind(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&w.apply, "apply", false, "do what the plan says; without it nothing is written")
	console.ChoiceFlag(c, &w.versions, "versions",
		"which versions: all that can be read, oldest first, or the newest alone",
		allVersions, newestAlone)
	f.BoolVar(&w.noTags, "no-tags", false, "leave the source's own tags and custom metadata out")
	f.BoolVar(&w.addTo, "add-to-taken", false,
		"add versions to names that are in use here for something else")
	f.IntVar(&w.parallel, "parallel", 4, "how many names are worked on at the same time")
	w.format = console.FormatFlag(c)
}

// run plans, and does what was planned where that is asked for.
func (w *wanted) run(
	c *cobra.Command, settings *session.Settings, open func() (source, error),
) error {
	if w.parallel < 1 || w.parallel > maxParallel {
		return fmt.Errorf("--parallel %d: it is 1 to %d", w.parallel, maxParallel)
	}
	from, err := open()
	if err != nil {
		return err
	}
	s, err := settings.Open()
	if err != nil {
		return err
	}
	vault, err := s.Vault("")
	if err != nil {
		return err
	}
	if vault.URL == from.name() {
		return fmt.Errorf("%s is the source and the destination: say with --vault where to",
			vault.URL)
	}
	to, err := newTarget(vault, w.parallel)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(c)
	defer stop()
	p := newProgress(c.ErrOrStderr())
	end := p.tell()
	pl, err := prepare(ctx, from, to, w.addTo, p)
	if err == nil && w.apply {
		err = pl.apply(ctx, to, p)
		end()
		return w.conclude(c, pl.report(from.name(), vault.URL, true), err)
	}
	end()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was written")
	}
	if err != nil {
		return err
	}
	return pl.report(from.name(), vault.URL, false).print(c, w.format)
}

func prepare(
	ctx context.Context, from source, to *target, addTo bool, p *progress,
) (plan, error) {
	things, err := from.look(ctx, p)
	if err != nil {
		return plan{}, err
	}
	return makePlan(ctx, to, things, addTo, p)
}

// interruptible ends with the first signal, after which a second one ends the program as it would
// without us.
func interruptible(c *cobra.Command) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	release := context.AfterFunc(ctx, func() {
		stop()
		fmt.Fprintln(c.ErrOrStderr(),
			"keyquorum: ending once what is being written is; again to end at once")
	})
	return ctx, func() { release(); stop() }
}

const goesOn = "the same command goes on from there"

// conclude prints what was done, and is what the program ends with.
func (w *wanted) conclude(c *cobra.Command, rep report, err error) error {
	if printErr := rep.print(c, w.format); printErr != nil {
		return printErr
	}
	done := count(rep.Versions, "version") + " moved"
	switch n := rep.Summary[failed]; {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted: %s; %s", done, goesOn)
	case err != nil:
		return console.Exit(2, fmt.Errorf("%w; %s, and %s", err, done, goesOn))
	case n > 0:
		return console.Exit(2, fmt.Errorf("%d of %d names failed; %s, and %s", n, len(rep.Rows), done,
			goesOn))
	}
	return nil
}
