package main

import (
	"net/url"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/doctor"
	"keyquorum/cmd/keyquorum/settings"
)

// examined is what a server would make of a file ("" for the one that the environment names) and of
// the environment: what --check finds, and every setting. For doctor and operator debug.
func examined(file string) doctor.Server {
	config := new(serverConfig)
	f := pflag.NewFlagSet("server", pflag.ContinueOnError)
	config.bind(f)
	if file != "" {
		_ = f.Set("config", file) // which takes any text
	}
	told := config.fill(f, os.LookupEnv)
	if config.File == "" && config.Data == "" {
		return doctor.Server{} // this is nowhere near a server
	}
	told = append(told, config.complete()...)
	c := checkOf(config, told)
	s := doctor.Server{
		Told: true, Subjects: subjects, Running: c.running, Data: config.Data,
		UsageLog: config.UsageLog, TLSCert: config.TLSCert, Settings: config.shown(),
	}
	if u, err := url.Parse(config.APIAddr); err == nil && u.Host != "" {
		s.Address, s.Reached = config.APIAddr, []string{u.Host}
	}
	for _, at := range []string{config.ClusterAddr, config.GossipAddr} {
		if at != "" {
			s.Reached = append(s.Reached, at)
		}
	}
	for _, found := range c.found {
		at := settings.Place{From: found.At, Line: found.Line, Column: found.Column}
		s.Findings = append(s.Findings, doctor.Finding{Subject: found.subject,
			Bad: found.Level == "error", At: at.String(), Found: found.Problem, Next: found.Next,
			Quotes: found.subject == ofSettings})
	}
	return s
}

// harmless are the settings whose values may be shown to those who help. Of any other it is only
// told that it has one: whoever adds a setting decides.
var harmless = []string{
	"break-glass-socket", "config", "data", "usage-log", "disk-reserve", "label", "region",
	"place-leader", "listen",
	"cluster-listen", "gossip-listen", "api-addr", "cluster-addr", "gossip-addr", "tls-cert",
	"tls-key", "zone", "raft-heartbeat", "raft-election", "raft-leader-lease", "raft-commit",
	"no-leases", "throttle", "throttle-burst", "metrics-unauthenticated", "connections", "log-level",
	"log-format", "proxy-protocol-authorized-addrs", "proxy-protocol-behavior",
	"x-forwarded-for-authorized-addrs", "x-forwarded-for-hop-skips",
	"x-forwarded-for-reject-not-present", "x-forwarded-for-reject-not-authorized",
	"snapshots-every", "snapshots-keep", "snapshots-keep-for", "snapshots-folder",
	"snapshots-s3-bucket", "snapshots-s3-ca", "snapshots-s3-credentials", "snapshots-s3-endpoint",
	"snapshots-s3-path-style", "snapshots-s3-prefix", "snapshots-s3-region", "retry-join", "retry-join-as-non-voter", "seal-wrapper",
}

const struckOut = "(struck out)"

// shown are all settings as they are in force, those that may hold a secret without their value.
func (s *serverConfig) shown() (all []doctor.Setting) {
	s.flags.VisitAll(func(flag *pflag.Flag) {
		value := flag.Value.String()
		if !slices.Contains(harmless, flag.Name) && value != flag.DefValue {
			value = struckOut
		}
		from := ""
		if at, there := s.said[flag.Name]; there {
			from = at.String()
		} else if flag.Changed && flag.Name != "config" {
			from = variable(flag.Name) + " in the environment"
		}
		all = append(all, doctor.Setting{Name: settingName(flag.Name), Value: value, From: from})
	})
	return all
}
