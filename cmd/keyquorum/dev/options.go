package dev

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
)

// options are what `keyquorum dev` was asked for.
type options struct {
	dir      *string // of all dev commands
	memory   bool
	port     int  // of the first API, 0 for any that are free; see asked
	asked    bool // whether the port was
	sealed   bool
	layout   Layout // but its port
	zone     string // SUFFIX=LOGIN
	seedFile string
	seed     *seed // of seedFile, nil without one
	shift    time.Duration
	print    string // a printing, "" for people
	envFile  string
	caFile   string
	detach   bool
	detached bool // we are what detach has started
}

func (o *options) bind(f *pflag.FlagSet) {
	f.IntVar(&o.port, "port", defaultPort, "first API port; the nodes have it, +10 and +20, the "+
		"cluster ports are +1, gossip's +2; 0: any that are free")
	f.BoolVar(&o.sealed, "sealed", false, "leave the nodes sealed")
	f.Var(console.Choice(&o.print, "export", "env", "json"), "print",
		"print on standard output the environment alone, once ready: export has lines for a shell, "+
			"env NAME=value")
	f.StringVar(&o.envFile, "env-file", "",
		"file to write the environment to once ready, as --print says (else export lines)")
	f.StringVar(&o.caFile, "ca-file", "",
		"file to write the authority to trust to once ready; the environment names it")
	f.BoolVar(&o.detach, "detach", false, "return when the cluster is ready; dev stop ends it")
	f.BoolVar(&o.memory, "memory", false, "keep nothing: for tests and CI")
	o.bindMemory(f)
	f.BoolVar(&o.detached, "detached", false, "")
	_ = f.MarkHidden("detached")
}

// bindMemory has the flags of ofMemory.
func (o *options) bindMemory(f *pflag.FlagSet) {
	f.IntVar(&o.layout.Nodes, "nodes", Nodes, "how many nodes, 1 or 3 (with --memory)")
	f.StringVar(&o.layout.Listen, "listen", loopback,
		"IP `address` at which the APIs listen; 0.0.0.0 in a container (with --memory)")
	f.StringVar(&o.zone, "zone", Suffix+"="+Login,
		"zone as `SUFFIX=LOGIN`: vaults are hosts below SUFFIX, tokens come from LOGIN (with "+
			"--memory)")
	f.StringSliceVar(&o.layout.Vaults, "vault", []string{defaultVault},
		"`name` of a vault to make (repeatable; with --memory)")
	f.StringVar(&o.layout.App, "app", defaultApp,
		"`name` of the application that may do everything in them (with --memory)")
	f.StringVar(&o.seedFile, "seed", "",
		"JSON file of vaults, applications, grants, secrets and keys to make (with --memory)")
	f.DurationVar(&o.shift, "time-shift", 0,
		"how far the nodes' clocks are ahead (behind with -2h), for tests of expiry (with "+
			"--memory)")
}

// ofMemory are the flags that only a cluster in memory has.
var ofMemory = []string{"nodes", "listen", "zone", "vault", "app", "seed", "time-shift"}

// complete reads what the flags name, and refuses what does not go together. Nothing has been done
// before.
func (o *options) complete(f *pflag.FlagSet) error {
	o.asked = f.Changed("port")
	if o.port < 0 || o.port > 65535-10*(Nodes-1)-2 {
		return fmt.Errorf("--port %d: it is 0, or one after which 22 more ports follow", o.port)
	}
	if err := o.absolute(); err != nil {
		return err
	}
	if err := mayReplace("env-file", o.envFile, isEnvironment); err != nil {
		return err
	}
	if err := mayReplace("ca-file", o.caFile, isAuthority); err != nil {
		return err
	}
	if !o.memory {
		for _, name := range ofMemory {
			if f.Changed(name) {
				return fmt.Errorf("--%s is for a cluster that keeps nothing: give --memory too", name)
			}
		}
		o.layout = Layout{}
		return nil
	}
	return o.completeMemory()
}

// absolute has files stay where they were named, whatever folder a detached process is in.
func (o *options) absolute() (err error) {
	for _, file := range []*string{&o.envFile, &o.caFile} {
		if *file != "" && err == nil {
			*file, err = filepath.Abs(*file)
		}
	}
	return err
}

func (o *options) completeMemory() (err error) {
	suffix, login, ok := strings.Cut(o.zone, "=")
	o.layout.Suffix, o.layout.Login = suffix, login
	_, badIP := netip.ParseAddr(o.layout.Listen)
	switch {
	case *o.dir != "":
		return errors.New("--dir is for a cluster that stays; " +
			"--memory makes a folder of its own, and removes it")
	case o.sealed:
		return errors.New("--sealed is for a cluster that stays: " +
			"one that keeps nothing would be of no use sealed")
	case o.layout.Nodes != 1 && o.layout.Nodes != Nodes:
		return fmt.Errorf("--nodes %d: it is 1 or %d", o.layout.Nodes, Nodes)
	case !ok || suffix == "" || login == "":
		return fmt.Errorf("--zone %q: it is SUFFIX=LOGIN, as in %s=%s", o.zone, Suffix, Login)
	case badIP != nil:
		return fmt.Errorf("--listen %q: it is an IP address, as in 127.0.0.1 or 0.0.0.0", o.layout.Listen)
	case len(o.layout.Vaults) == 0 || o.layout.App == "":
		return errors.New("--vault and --app: a dev cluster has a vault, " +
			"and an application that may use it")
	}
	if o.seedFile != "" {
		o.seed, err = readSeed(o.seedFile)
	}
	return err
}
