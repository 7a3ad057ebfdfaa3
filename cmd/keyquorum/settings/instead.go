package settings

// Sentences that answer for several names.
const (
	limitsAreFixed = "leave it out: the limits of a request are fixed (docs/limits.md)"
	shownAsItIs    = "leave it out: a node tells no secrets there, and shows it as it is"
	noClientCerts  = "leave it out: callers show a token, and no certificate"
	ownVersions    = "leave it out: TLS 1.2 and 1.3 are spoken"
	ownStorage     = `a node keeps its data by Raft: storage "raft" { path = "/var/lib/keyquorum" }`
	ownTimes       = "leave it out: times follow the measured round trips; raft_heartbeat, " +
		"raft_election and raft_leader_lease set them by hand"
	ownLog     = "leave it out: Raft's log and snapshots keep themselves short"
	logToError = "leave it out: the log goes to standard error, where systemd keeps it"
	inMemory   = "leave it out: the state lies in memory"
	noLeases   = "leave it out: there are no leases; a token is good for an hour"
	noPlugins  = "leave it out: there are no plugins"
	ownHeaders = "leave it out: the headers of an answer are fixed"
)

// instead says of other names of Vault's, by their stanza, what to do. "*" stands for all names of
// a stanza that have no sentence of their own; a stanza that is not there answers for all in it.
var instead = map[string]map[string]string{
	"": {
		"allow_audit_log_prefixing":    "leave it out: the usage log has one form",
		"backend":                      ownStorage,
		"cache_size":                   inMemory,
		"cluster_name":                 "leave it out: a cluster has an id; label names a node",
		"default_lease_ttl":            noLeases,
		"default_max_request_duration": limitsAreFixed,
		"disable_cache":                inMemory,
		"disable_clustering":           "leave it out: a node alone is a cluster of one",
		"disable_mlock": "leave it out: memory is not locked; switch swap off for the machine, or " +
			"for the service (MemorySwapMax=0)",
		"disable_performance_standby":         "leave it out: every unsealed node serves",
		"disable_sealwrap":                    "leave it out: every record is sealed",
		"enable_response_header_hostname":     ownHeaders,
		"enable_response_header_raft_node_id": ownHeaders,
		"ha_storage":                          ownStorage,
		"initialize": "leave it out, and run keyquorum operator init once on the first " +
			"node",
		"introspection_endpoint": "leave it out: a node shows nothing of its inside",
		"license_path":           "leave it out: there is no licence to buy",
		"listener": `a node has one listener: listener "tcp" { address = "10.0.0.1:8200" ` +
			`... }`,
		"log_file":             logToError,
		"log_requests_level":   "leave it out: the usage log has each request",
		"log_rotate_bytes":     logToError,
		"log_rotate_duration":  logToError,
		"log_rotate_max_files": logToError,
		"max_lease_ttl":        noLeases,
		"pid_file":             "leave it out: systemd knows the process (systemctl kill)",
		"plugin_directory":     noPlugins,
		"plugin_tmpdir":        noPlugins,
		"raw_storage_endpoint": "leave it out: nobody gets at stored records past the API",
		"seal": "leave it out: a node is unsealed with shares " +
			"(keyquorum operator unseal); seal_wrapper names what may stand for them, " +
			"such as a key in a PKCS#11 token",
		"service_registration": "leave it out: ask each node for " +
			"/v1/sys/health?standbyok=true",
		"storage": ownStorage,
		"audit": `say where the usage log is: usage_log = "/var/log/keyquorum/audit.log"; it is ` +
			`always on`,
		"ui":                              "leave it out: there is no user interface",
		"unsafe_allow_api_audit_creation": "leave it out: the usage log is set in this file alone",
		"user":                            "leave it out: systemd starts the node as its user (User=)",
		"user_lockout":                    "leave it out: a wrong client secret locks nobody out",
	},
	"listener.tcp": {
		"custom_response_headers":  ownHeaders,
		"http_idle_timeout":        limitsAreFixed,
		"http_read_header_timeout": limitsAreFixed,
		"http_read_timeout":        limitsAreFixed,
		"http_write_timeout":       limitsAreFixed,
		"max_request_duration":     limitsAreFixed,
		"max_request_size":         limitsAreFixed,
		"profiling":                "leave it out: a node serves no profiles",
		"redact_addresses":         shownAsItIs,
		"redact_cluster_name":      shownAsItIs,
		"redact_version":           shownAsItIs,
		"tls_cipher_suites":        "leave it out: Go's own choice of cipher suites is spoken",
		"tls_client_ca_file":       noClientCerts,
		"tls_disable": "a node speaks TLS only: give it a certificate with " +
			"tls_cert_file and tls_key_file",
		"tls_disable_client_certs":           noClientCerts,
		"tls_max_version":                    ownVersions,
		"tls_min_version":                    ownVersions,
		"tls_require_and_verify_client_cert": noClientCerts,
	},
	"listener.tcp.telemetry": {
		"*": "unauthenticated_metrics_access is the one setting here",
	},
	"storage.raft": {
		"max_entry_size":         limitsAreFixed,
		"performance_multiplier": ownTimes,
		"snapshot_interval":      ownLog,
		"snapshot_threshold":     ownLog,
		"trailing_logs":          ownLog,
	},
	"storage.raft.retry_join": {
		"auto_join": `no cloud is asked: name the members, or a DNS name that has their addresses, as ` +
			`in dns_name = "nodes.example.org"`,
		"auto_join_scheme": "leave it out: members are asked over https alone",
		"leader_ca_cert": `name a file that holds it: leader_ca_cert_file = ` +
			`"/etc/keyquorum/ca.pem"`,
		"leader_client_cert":      noClientCerts,
		"leader_client_cert_file": noClientCerts,
		"leader_client_key":       noClientCerts,
		"leader_client_key_file":  noClientCerts,
	},
	"telemetry": {
		"*": "leave it out: Prometheus fetches all figures from /v1/sys/metrics (docs/metrics.md)",
	},
}
