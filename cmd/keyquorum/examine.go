package main

import (
	"net/url"
	"os"

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
	if config.mute { // what is asked of settings that nobody could read is asked of others
		c := &check{config: config, subject: ofSettings}
		for _, p := range told {
			c.wrong(p)
		}
		return doctor.Server{Told: true, Subjects: []string{ofSettings}, Settings: config.shown(),
			Findings: findingsOf(c)}
	}
	told = append(told, config.complete()...)
	c := checkOf(config, told)
	s := doctor.Server{
		Told: true, Findings: findingsOf(c), Subjects: subjects, Running: c.running, Data: config.Data,
		UsageLog: config.UsageLog, TLSCert: config.TLSCert, Settings: config.shown(),
		Without: config.without(),
	}
	if u, err := url.Parse(config.APIAddr); err == nil && u.Host != "" {
		s.Address, s.Reached = config.APIAddr, []string{u.Host}
	}
	for _, at := range []string{config.ClusterAddr, config.GossipAddr} {
		if at != "" {
			s.Reached = append(s.Reached, at)
		}
	}
	return s
}

func findingsOf(c *check) (all []doctor.Finding) {
	for _, found := range c.found {
		at := settings.Place{From: found.At, Line: found.Line, Column: found.Column}
		all = append(all, doctor.Finding{Subject: found.subject,
			Bad: found.Level == "error", At: at.String(), Found: found.Problem, Next: found.Next,
			Quotes: found.subject == ofSettings})
	}
	return all
}

// without are the subjects of a check that a node can do without, and is told nothing of.
func (s *serverConfig) without() (subjects []string) {
	if plan, wrong := s.snapshots(); len(plan.Stores) == 0 && len(wrong) == 0 {
		subjects = append(subjects, ofSnapshots)
	}
	if s.BreakGlass == "" {
		subjects = append(subjects, ofBreakGlass)
	}
	return subjects
}
