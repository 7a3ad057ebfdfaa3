package main

import (
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/doctor"
	"keyquorum/httpapi"
	"keyquorum/internal/address"
)

// A likeness says whether a value is what its setting is for, and can't be a secret that was pasted
// into the wrong place.
type likeness func(value string) bool

// harmless are the settings whose values may be shown to those who help, where they are like what
// they should be. Of any other it is only told that it has one, so whoever adds a setting decides.
// Names that people choose are not here: nothing tells them from a secret.
var harmless = map[string]likeness{
	"config": isFile, "data": isFile, "usage-log": isFile, "tls-cert": isFile, "tls-key": isFile,
	"break-glass-socket": isFile,
	"snapshots-folder":   isFile, "snapshots-s3-ca": isFile, "snapshots-s3-credentials": isFile,

	"listen": isListener, "cluster-listen": isListener, "gossip-listen": isListener,
	"api-addr": isURL, "cluster-addr": isReachable, "gossip-addr": isReachable,
	"snapshots-s3-endpoint": isURL, "zone": isZone, "retry-join": isSeed,
	"proxy-protocol-authorized-addrs":  isNetwork,
	"x-forwarded-for-authorized-addrs": isNetwork,
	"proxy-protocol-behavior":          isBehavior,

	"disk-reserve": isParsed, "place-leader": isParsed, "raft-heartbeat": isParsed,
	"raft-election": isParsed, "raft-leader-lease": isParsed, "raft-commit": isParsed,
	"no-leases": isParsed, "throttle": isParsed, "throttle-burst": isParsed,
	"metrics-unauthenticated": isParsed, "connections": isParsed, "log-level": isParsed,
	"log-format": isParsed, "x-forwarded-for-hop-skips": isParsed,
	"x-forwarded-for-reject-not-present": isParsed, "x-forwarded-for-reject-not-authorized": isParsed,
	"snapshots-every": isParsed, "snapshots-keep": isParsed, "snapshots-keep-for": isParsed,
	"snapshots-s3-path-style": isParsed, "retry-join-as-non-voter": isParsed,
}

// isParsed is for what a flag has read: a number, a time, yes or no, a choice.
func isParsed(string) bool { return true }

// isFile is for what is there. A secret may begin like a path.
func isFile(value string) bool {
	_, err := os.Lstat(value)
	return err == nil
}

func isListener(value string) bool { return address.Listen(value) == nil }

func isReachable(value string) bool { return address.Reachable(value) == nil }

func isURL(value string) bool { return address.URL(value) == nil }

func isZone(value string) bool {
	zone, err := httpapi.ParseZone(value)
	return err == nil && strings.Contains(zone.Suffix, ".") && strings.Contains(zone.Login, ".")
}

// isSeed is for words NAME=VALUE, whose values are URLs, ports, DNS names or files.
func isSeed(value string) bool {
	for word := range strings.FieldsSeq(value) {
		_, of, _ := strings.Cut(word, "=")
		if !isURL(of) && !isFile(of) && !isDomain(of) && !isPort(of) {
			return false
		}
	}
	return true
}

func isDomain(value string) bool {
	u, err := url.Parse("https://" + value)
	return err == nil && u.Host == value && strings.Contains(value, ".") &&
		address.Reachable(value+":1") == nil
}

func isPort(value string) bool {
	return len(value) <= len("65535") && strings.Trim(value, "0123456789") == ""
}

func isNetwork(value string) bool {
	_, notOne := netip.ParseAddr(value)
	_, notAll := netip.ParsePrefix(value)
	return notOne == nil || notAll == nil
}

func isBehavior(value string) bool { return value == allowAuthorized || value == denyUnauthorized }

const notShown = "(set)"

// shown are all settings as they are in force, those that may hold a secret without their value.
func (s *serverConfig) shown() (all []doctor.Setting) {
	s.flags.VisitAll(func(flag *pflag.Flag) {
		about := doctor.Setting{Name: settingName(flag.Name), Value: flag.Value.String()}
		if !isHarmless(flag) {
			about.Value, about.Hidden = notShown, valuesOf(flag)
		}
		if at, there := s.said[flag.Name]; there {
			about.From = at.String()
		} else if flag.Changed && flag.Name != "config" {
			about.From = variable(flag.Name) + " in the environment"
		}
		all = append(all, about)
	})
	return all
}

func isHarmless(flag *pflag.Flag) bool {
	if value := flag.Value.String(); value == "" || value == flag.DefValue {
		return true
	}
	like := harmless[flag.Name]
	return like != nil && !slices.ContainsFunc(valuesOf(flag), func(v string) bool { return !like(v) })
}

// valuesOf are those of a list, or the one.
func valuesOf(flag *pflag.Flag) []string {
	if list, is := flag.Value.(pflag.SliceValue); is {
		return list.GetSlice()
	}
	return []string{flag.Value.String()}
}
