package settings

import (
	"fmt"
	"slices"
	"strings"
)

// ownStanza may hold our settings by our names, which may stand outside of it too.
const ownStanza = "keyquorum"

// stanzas are those that may be there, by their names and labels.
var stanzas = map[string]bool{
	ownStanza:                 true,
	"listener.tcp":            true,
	"listener.tcp.telemetry":  true,
	"storage.raft":            true,
	"storage.raft.retry_join": true,
	"telemetry":               true,
	"break_glass":             true,
	"snapshots":               true,
	"snapshots.s3":            true,
}

// grouped are stanzas of ours that hold settings by the rest of their names: every in snapshots is
// snapshots_every.
var grouped = []string{"break_glass", "snapshots", "snapshots.s3"}

// ownName is the name that one of our settings would have that stands at a path.
func ownName(path string) string {
	if inside, _ := cutLast(path); slices.Contains(grouped, inside) {
		return strings.ReplaceAll(path, ".", "_")
	}
	return strings.TrimPrefix(path, ownStanza+".")
}

// A translation is what a name of Vault's is here.
type translation struct {
	name   string                   // of our setting
	change func(text string) string // from what Vault wants to what we want; nil: the same
}

// translations are names of Vault's that mean one of our settings.
var translations = map[string]translation{
	"cluster_addr": {"cluster_addr", func(url string) string {
		return strings.TrimPrefix(url, "https://")
	}},
	"log_format": {"log_format", func(format string) string {
		if format == "standard" {
			return "text"
		}
		return format
	}},
	"listener.tcp.address":                                  {name: "listen"},
	"listener.tcp.cluster_address":                          {name: "cluster_listen"},
	"listener.tcp.tls_cert_file":                            {name: "tls_cert"},
	"listener.tcp.tls_key_file":                             {name: "tls_key"},
	"listener.tcp.telemetry.unauthenticated_metrics_access": {name: "metrics_unauthenticated"},
	"listener.tcp.proxy_protocol_authorized_addrs":          {name: "proxy_protocol_authorized_addrs"},
	"listener.tcp.proxy_protocol_behavior":                  {name: "proxy_protocol_behavior"},
	"listener.tcp.x_forwarded_for_authorized_addrs": {
		name: "x_forwarded_for_authorized_addrs"},
	"listener.tcp.x_forwarded_for_hop_skips": {name: "x_forwarded_for_hop_skips"},
	"listener.tcp.x_forwarded_for_reject_not_authorized": {
		name: "x_forwarded_for_reject_not_authorized"},
	"listener.tcp.x_forwarded_for_reject_not_present": {name: "x_forwarded_for_reject_not_present"},
	"storage.raft.path":                    {name: "data"},
	"storage.raft.node_id":                 {name: "label"},
	"storage.raft.retry_join_as_non_voter": {name: "retry_join_as_non_voter"},
}

// already are names of Vault's that may be there with the one value that says what a node does
// anyway.
var already = map[string]string{
	"ui":                                       "false",
	"disable_mlock":                            "true",
	"disable_clustering":                       "false",
	"listener.tcp.tls_disable":                 "false",
	"listener.tcp.tls_disable_client_certs":    "true",
	"listener.tcp.tls_min_version":             "tls12",
	"storage.raft.retry_join.auto_join_scheme": "https",
	"telemetry.disable_hostname":               "true",
}

// whyNot is what to do instead of a name that Vault has, "" where nothing is known of it.
func whyNot(path string) string {
	inside, key := cutLast(path)
	if why, known := instead[inside][key]; known {
		return why
	}
	if why, known := instead[inside]["*"]; known {
		return why
	}
	if inside == "" || stanzas[inside] {
		return ""
	}
	return whyNot(inside)
}

// asWritten is a stanza, or what stands in one, as people write it: listener "unix".
func asWritten(path string) string {
	if inside, key := cutLast(path); stanzas[inside] {
		return key + " in " + asWritten(inside)
	}
	parts := strings.Split(path, ".")
	for i, label := range parts[1:] {
		parts[i+1] = fmt.Sprintf("%q", label)
	}
	return strings.Join(parts, " ")
}
