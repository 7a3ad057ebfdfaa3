package main

import (
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"
)

// reloaded are the settings that SIGHUP reads again, beside those of scheduled snapshots. The others
// need a restart.
var reloaded = append(
	[]string{"tls-cert", "tls-key", "log-level", "throttle", "throttle-burst", "break-glass-socket"},
	balancerFlags...)

// reload is what SIGHUP asks for. The usage log is opened anew whatever the configuration is like:
// whoever rotates it waits for that, and the node serves nobody without it. Then the settings are
// read again. If anything is wrong with them, all stay as they are.
func (r *running) reload() {
	r.manager.Reloading()
	defer r.manager.Ready()
	r.reopenAudit()
	fresh, wrong := r.config.again()
	plan, more := fresh.snapshots()
	err := append(wrong, more...).err()
	glass := r.glass
	if err == nil {
		glass, err = r.glass.at(fresh.BreakGlass, r.server, r.logger)
	}
	if err == nil {
		err = r.cert.use(fresh.TLSCert, fresh.TLSKey)
	}
	if err != nil {
		if glass != r.glass {
			glass.end(r.logger)
		}
		r.logger.Error("the configuration was not taken again; every setting stays as it is",
			"error", err)
		return
	}
	r.logger.Info("the configuration was read again", "log_level", fresh.LogLevel,
		"throttle", fresh.Throttle.Rate)
	r.server.Change(fresh.Throttle, hclog.LevelFromString(fresh.LogLevel), fresh.Balancers.trust)
	if glass != r.glass {
		r.glass.end(r.logger)
		r.glass = glass
	}
	if fresh.Snapshots != r.snapshots { // else one that is being taken goes on
		r.n.ChangeSnapshots(plan)
		r.snapshots = fresh.Snapshots
		r.logger.Info("the schedule of snapshots has changed", "every", plan.Every)
	}
	if late := r.config.changed(fresh); len(late) > 0 {
		r.logger.Warn("settings have changed that need a restart of the node",
			"settings", strings.Join(late, " "))
	}
}

func (r *running) reopenAudit() {
	if err := r.n.ReopenAudit(); err != nil {
		r.logger.Error("the usage log was not opened anew; the file that was open stays in use",
			"error", err)
		return
	}
	r.logger.Info("the usage log was opened anew")
}

// onCommandLine are the flags that are set before anything else is read.
func onCommandLine(f *pflag.FlagSet) map[string][]string {
	given := map[string][]string{}
	f.Visit(func(flag *pflag.Flag) {
		given[flag.Name] = []string{flag.Value.String()}
		if list, repeatable := flag.Value.(pflag.SliceValue); repeatable {
			given[flag.Name] = list.GetSlice()
		}
	})
	return given
}

// again reads all settings as they are now: the command line and the environment of the start, and
// the file.
func (s *serverConfig) again() (fresh *serverConfig, wrong problems) {
	fresh = &serverConfig{given: s.given}
	f := pflag.NewFlagSet("server", pflag.ContinueOnError)
	fresh.bind(f)
	for name, values := range s.given {
		if f.Lookup(name) == nil {
			continue // it is no setting
		}
		for _, value := range values {
			_ = f.Set(name, value) // as it was taken at the start
		}
	}
	wrong = fresh.fill(f, os.LookupEnv)
	wrong = append(wrong, fresh.complete()...)
	_, more := fresh.zones()
	_, yetMore := fresh.wrappers()
	return fresh, slices.Concat(wrong, more, yetMore)
}

// changed are the settings that a reload does not take, by their names in a file.
func (s *serverConfig) changed(fresh *serverConfig) (names []string) {
	fresh.flags.VisitAll(func(flag *pflag.Flag) {
		if !isSetting(flag) || slices.Contains(reloaded, flag.Name) ||
			strings.HasPrefix(flag.Name, snapshotFlags) {
			return
		}
		if s.flags.Lookup(flag.Name).Value.String() != flag.Value.String() {
			names = append(names, settingName(flag.Name))
		}
	})
	return names
}
