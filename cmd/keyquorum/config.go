package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/settings"
	"keyquorum/httpapi"
	"keyquorum/internal/address"
	"keyquorum/internal/wrapper"
	"keyquorum/node"
)

// serverConfig is what `keyquorum server` is told. Each setting is one flag; the same setting is
// KEYQUORUM_NAME in the environment and "name" in the configuration file, with _ for -. Flags win
// over the environment, the environment over the file (sources.go).
type serverConfig struct {
	File          string
	Data          string
	UsageLog      string
	Reserve       size
	Label         string
	Region        string
	PlaceLeader   bool
	Listen        string
	ClusterListen string
	GossipListen  string
	APIAddr       string
	ClusterAddr   string
	GossipAddr    string
	TLSCert       string
	TLSKey        string
	Zones         []string
	Authorities   []string
	Seeds         seedList
	NonVoter      bool
	Wrappers      []string
	Timing        node.Timing
	NoLeases      bool
	Throttle      httpapi.Throttle
	OpenMetrics   bool
	Connections   int
	LogLevel      string
	LogFormat     string
	Balancers     balancers
	Snapshots     snapshotSettings
	BreakGlass    string

	shift time.Duration             // of the wall clock; see shiftedCommand
	said  map[string]settings.Place // where the file says what is in force, by flag
	mute  bool                      // the file says nothing that can be read
	flags *pflag.FlagSet            // that it is bound to
	given map[string][]string       // by the command line, by flag
}

func (s *serverConfig) bind(f *pflag.FlagSet) {
	s.flags = f
	f.StringVar(&s.File, "config", "",
		"file with any of these settings, named with _ for -: HCL, which may have Vault's stanzas, or JSON")
	f.StringVar(&s.Data, "data", "", "data folder of this node (made if it is not there)")
	f.StringVar(&s.UsageLog, "usage-log", "",
		"file with a line for each request, on another disk for instance (default audit.log in --data)")
	s.Reserve = 256 << 20
	f.Var(&s.Reserve, "disk-reserve",
		"with less than this free on its disks the node takes no writes, and reads on; 0: it always takes them")
	f.StringVar(&s.Label, "label", "", "`name` of this node for people (default the host's name)")
	f.StringVar(&s.Region, "region", "",
		"`name` of where this node stands, for status, plans and the leader's place")
	f.BoolVar(&s.PlaceLeader, "place-leader", false,
		"when this node leads, hand over to a voter from which writes cost clearly less")
	f.StringVar(&s.Listen, "listen", "127.0.0.1:8200", "`host:port` of the API")
	f.StringVar(&s.ClusterListen, "cluster-listen", "127.0.0.1:8201",
		"`host:port` of the cluster port")
	f.StringVar(&s.GossipListen, "gossip-listen", "127.0.0.1:8202",
		"`host:port` of gossip, UDP and TCP; '' switches it off")
	f.StringVar(&s.APIAddr, "api-addr", "",
		"`URL` at which others reach the API (default https:// and --listen)")
	f.StringVar(&s.ClusterAddr, "cluster-addr", "",
		"`host:port` at which members reach this one (default --cluster-listen)")
	f.StringVar(&s.GossipAddr, "gossip-addr", "",
		"`host:port` at which gossip reaches this node (default --gossip-listen)")
	f.StringVar(&s.TLSCert, "tls-cert", "",
		"PEM file with the certificate chain of the API; read again when it changes")
	f.StringVar(&s.TLSKey, "tls-key", "", "PEM file with the private key of the API")
	f.StringSliceVar(&s.Zones, "zone", nil,
		"zone as `SUFFIX=LOGIN`: vaults are hosts below SUFFIX, tokens come from LOGIN (repeatable)")
	f.StringSliceVar(&s.Authorities, "attestation-authority", nil,
		"https `URL` whose attestations keys may be released to; its keys are fetched from there "+
			"(repeatable)")
	f.Var(&s.Seeds, "retry-join",
		"`URL` of a member that a node without data asks to let it join, until one does; or "+
			"\"NAME=VALUE ...\" with names of a stanza retry_join (repeatable)")
	f.BoolVar(&s.NonVoter, "retry-join-as-non-voter", false,
		"a node that joins by --retry-join replicates and serves reads, and does not vote")
	f.StringSliceVar(&s.Wrappers, "seal-wrapper", nil,
		"key that unseals this node when it starts, as `NAME=KIND:WHERE`; KIND is age, "+
			"keyfile, keyvault, pkcs11 or transit (repeatable)")
	f.DurationVar(&s.Timing.Heartbeat, "raft-heartbeat", 0,
		"Raft's heartbeat time-out (default that of a LAN)")
	f.DurationVar(&s.Timing.Election, "raft-election", 0,
		"Raft's election time-out, at least half as long again as --raft-heartbeat")
	f.DurationVar(&s.Timing.LeaderLease, "raft-leader-lease", 0,
		"how long a leader leads without hearing a majority")
	f.DurationVar(&s.Timing.Commit, "raft-commit", 0, "how late a follower may learn of a commit")
	f.BoolVar(&s.NoLeases, "no-leases", false,
		"ask the leader for every read: for a machine whose clock may stand still (VM snapshots, migration)")
	f.Float64Var(&s.Throttle.Rate, "throttle", 20_000,
		"requests a second that this node takes from one application to one vault, beyond which it answers 429; 0: no bound")
	f.IntVar(&s.Throttle.Burst, "throttle-burst", 0,
		"how many of them at once (default what --throttle gives in a second)")
	f.BoolVar(&s.OpenMetrics, "metrics-unauthenticated", false,
		"serve /v1/sys/metrics without a token, also while sealed and without a leader")
	f.IntVar(&s.Connections, "connections", 8192,
		"how many connections the API has at once, at most what the process's descriptors leave")
	s.Balancers.bind(f)
	f.StringVar(&s.BreakGlass, "break-glass-socket", "",
		"unix `socket` for root and this user, where unseal shares alone make a root token; '': none")
	s.LogLevel, s.LogFormat = "info", "text"
	f.Var(console.Choice(&s.LogLevel, "trace", "debug", "info", "warn", "error"), "log-level",
		"`level` below which nothing is logged: trace, debug, info, warn or error; /v1/sys/loggers "+
			"changes it at run time")
	f.Var(console.Choice(&s.LogFormat, "text", "json"), "log-format",
		"how it is logged; json is an object a line")
	s.Snapshots.bind(f)
}

// complete fills the defaults that follow from other settings, and says what cannot work.
func (s *serverConfig) complete() (wrong problems) {
	var missing []string
	for _, needed := range []struct{ flag, value string }{{"--data", s.Data},
		{"--tls-cert", s.TLSCert}, {"--tls-key", s.TLSKey}} {
		if needed.value == "" {
			missing = append(missing, needed.flag)
		}
	}
	if len(missing) > 0 && !s.mute {
		wrong = append(wrong, settings.Problem{
			What: "needed and not given: " + strings.Join(missing, ", "),
			Next: "see keyquorum server --help"})
	}
	if s.Throttle.Rate < 0 {
		wrong = append(wrong, s.about("throttle", "it is not negative"))
	}
	if s.Throttle.Burst < 0 {
		wrong = append(wrong, s.about("throttle-burst", "it is not negative"))
	}
	if s.Connections < leastConnections {
		wrong = append(wrong, s.about("connections",
			fmt.Sprintf("%d: at least %d are needed", s.Connections, leastConnections)))
	}
	wrong = append(wrong, s.trust()...)
	if s.Label == "" {
		s.Label, _ = os.Hostname()
	}
	return append(wrong, s.completeAddresses()...)
}

// completeAddresses checks every address, those that were given and those that follow from them.
func (s *serverConfig) completeAddresses() (wrong problems) {
	for _, a := range []struct {
		flag, listenFlag, listen, prefix string
		own                              *string
		check                            func(string) error
	}{
		{"api-addr", "listen", s.Listen, "https://", &s.APIAddr, address.URL},
		{"cluster-addr", "cluster-listen", s.ClusterListen, "", &s.ClusterAddr, address.Reachable},
		{"gossip-addr", "gossip-listen", s.GossipListen, "", &s.GossipAddr, address.Reachable},
	} {
		if a.listen == "" && a.flag == "gossip-addr" {
			continue // gossip is off
		}
		if err := address.Listen(a.listen); err != nil {
			wrong = append(wrong, s.about(a.listenFlag, err.Error()))
			continue
		}
		if *a.own == "" {
			if err := address.Reachable(a.listen); err != nil {
				p := s.about(a.listenFlag, err.Error())
				p.Next = fmt.Sprintf("say with --%s what others should use", a.flag)
				wrong = append(wrong, p)
				continue
			}
			*a.own = a.prefix + a.listen
		}
		if err := a.check(*a.own); err != nil {
			wrong = append(wrong, s.about(a.flag, err.Error()))
		}
	}
	return wrong
}

// zones are those that can be read, and what is wrong with the others.
func (s *serverConfig) zones() (zones []httpapi.Zone, wrong problems) {
	for _, text := range s.Zones {
		z, err := httpapi.ParseZone(text)
		if err != nil {
			wrong = append(wrong, s.about("zone", err.Error()))
			continue
		}
		zones = append(zones, z)
	}
	return zones, wrong
}

// wrappers are the foreign keys that can be read, by the names of their wrappers, and what is wrong
// with the others.
func (s *serverConfig) wrappers() (keys map[string]wrapper.Key, wrong problems) {
	keys = make(map[string]wrapper.Key)
	for _, text := range s.Wrappers {
		name, key, err := wrapper.Parse(text)
		if err == nil && keys[name] != nil {
			err = fmt.Errorf("%s stands twice", name)
		}
		if err != nil {
			wrong = append(wrong, s.about("seal-wrapper", err.Error()))
			continue
		}
		keys[name] = key
	}
	return keys, wrong
}
