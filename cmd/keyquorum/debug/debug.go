// Package debug has the command operator debug: it writes what others need who help with a cluster
// into one file. The bundle has no secret in it: what it holds is what a node tells operators of
// itself, without values, tokens, shares, and names of vaults, objects and applications.
package debug

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/doctor"
	"keyquorum/cmd/keyquorum/operator"
)

// What one bundle takes.
const (
	longest    = time.Hour
	mostRounds = 240
	leastPause = time.Second
	maxFile    = 8 << 20   // bytes of one file
	maxBundle  = 128 << 20 // bytes of all, before they are packed

	leastSecret = 20 // characters: shares, tokens and passwords that programs make have more
)

// options are what the command is told.
type options struct {
	duration, interval time.Duration
	output             string
	log                string // a file of the operator's choice; "" for none
	config             string
}

const help = `Write what is needed to help with a cluster into one file, without secrets.

The file is a tar with what doctor finds, the settings, the machine, and of
each member its state, its goroutines, and its metrics every --interval for
--duration. Ctrl-C ends that early. index.json in it says what each file is,
and what could not be fetched, and why: a node that is down is no error.

No secret, share or token is in it, and no name of a vault, a key, a secret or
an application. Names and addresses of nodes are. The log is there only if
--log names its file: read that before you pass it on.

Exit codes: 0 the file is written; 1 it is not, or wrong usage.`

// Command makes operator debug. settings reads those of a node on this machine.
func Command(settings doctor.Settings) func(*operator.Connection) *cobra.Command {
	return func(k *operator.Connection) *cobra.Command { return command(settings, k) }
}

func command(settings doctor.Settings, k *operator.Connection) *cobra.Command {
	c := &cobra.Command{Use: "debug",
		Short: "Write what is needed to help with a cluster into one file, without secrets",
		Long:  help, Args: console.Arguments(0, 0),
		Example: "  keyquorum operator debug\n" +
			"  keyquorum operator debug --config /etc/keyquorum/keyquorum.hcl --duration 5m " +
			"--output for-help.tar.gz",
	}
	format := console.FormatFlag(c)
	var o options
	f := c.Flags()
	f.DurationVar(&o.duration, "duration", 30*time.Second, "how long metrics are fetched, at most 1h")
	f.DurationVar(&o.interval, "interval", 10*time.Second, "how often, at most every second")
	f.StringVar(&o.output, "output", "",
		"file to write, which must not be there (default keyquorum-debug-TIME.tar.gz)")
	f.StringVar(&o.log, "log", "", "file with the node's log, of which the end is taken along")
	f.StringVar(&o.config, "config", "", "file with the settings of the node (else KEYQUORUM_CONFIG)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.complete(time.Now()); err != nil {
			return err
		}
		w, err := o.write(c, settings(o.config), k)
		if err != nil {
			return err
		}
		t := console.Pairs("File", w.File, "Bytes", w.Bytes, "Files in it", w.Files, "Not fetched",
			len(w.Missing))
		if err := format.Print(c, w, t); err != nil || *format != "table" {
			return err
		}
		for _, m := range w.Missing {
			console.Tell(c, c.ErrOrStderr(), "%s is missing: %s", m.Name, m.Why)
		}
		return nil
	}
	return c
}

// complete checks what was asked for.
func (o *options) complete(now time.Time) error {
	switch {
	case o.duration < 0 || o.duration > longest:
		return fmt.Errorf("--duration %s: it is at most %s", o.duration, longest)
	case o.interval < leastPause:
		return fmt.Errorf("--interval %s: it is at least %s", o.interval, leastPause)
	case o.duration/o.interval > mostRounds:
		return fmt.Errorf("--interval %s: metrics are fetched %d times at most; for %s take at least %s",
			o.interval, mostRounds, o.duration, (o.duration / mostRounds).Round(time.Second))
	}
	if o.output == "" {
		o.output = "keyquorum-debug-" + now.UTC().Format("20060102T150405Z") + ".tar.gz"
	}
	return nil
}

// written is what the command tells of the file.
type written struct {
	File    string    `json:"file"`
	Bytes   int64     `json:"bytes"`
	Files   int       `json:"files"`
	Missing []missing `json:"missing"`
}

// write gathers everything, and puts the file into place when it is whole.
func (o *options) write(c *cobra.Command, s doctor.Server,
	k *operator.Connection) (w written, err error) {
	api, err := k.ClientElse(s.Address)
	if err != nil {
		return w, err
	}
	if _, err := os.Lstat(o.output); err == nil {
		return w, fmt.Errorf("%s is there already; name another file with --output", o.output)
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	half, err := os.CreateTemp(filepath.Dir(o.output), filepath.Base(o.output)+".part-*") // mode 0600
	if err != nil {
		return w, err
	}
	defer os.Remove(half.Name())
	defer half.Close()
	b := newBundle(half, strings.TrimSuffix(filepath.Base(o.output), ".tar.gz"))
	b.strikeOut(api.Token)
	for _, setting := range s.Settings {
		for _, value := range setting.Hidden {
			if len(value) >= leastSecret { // a shorter one is a name, which stands elsewhere with reason
				b.strikeOut(value)
			}
		}
	}
	g := &gathering{bundle: b, options: o, connection: k, api: api, settings: unquoted(s),
		version: c.Root().Version}
	g.doing.Store("Looking")
	done := console.Progress(c.ErrOrStderr(), tellEvery(c.ErrOrStderr()), g.progress)
	err = g.gather(ctx)
	done()
	if err = errors.Join(err, b.close(g.index())); err != nil {
		return w, err
	}
	size, err := half.Seek(0, io.SeekCurrent)
	if err == nil {
		err = half.Sync()
	}
	if err == nil {
		err = os.Rename(half.Name(), o.output)
	}
	return written{o.output, size, len(b.files), append([]missing{}, b.missing...)}, err
}

// tellEvery is how often is told how far it is: in a log that is a line each time.
func tellEvery(w io.Writer) time.Duration {
	if console.IsTerminal(w) {
		return time.Second
	}
	return 10 * time.Second
}

// progress is what the command does at the moment.
func (g *gathering) progress() string { return g.doing.Load().(string) }

// A gathering fills a bundle.
type gathering struct {
	*bundle
	options    *options
	connection *operator.Connection
	api        *operator.Client
	settings   doctor.Server
	version    string
	doing      atomic.Value // string: what is told meanwhile
}

// together does all at once, and waits for the last.
func together(all ...func()) {
	var working sync.WaitGroup
	for _, do := range all {
		working.Go(do)
	}
	working.Wait()
}

// gather takes what there is. Of what there is not the bundle says why; the error is of the file.
func (g *gathering) gather(ctx context.Context) error {
	g.machine()
	g.log()
	var members []member
	together(func() { g.doctor(ctx) }, func() { members = g.membersThatAnswer(ctx) })
	g.metrics(ctx, members)
	return g.err
}
