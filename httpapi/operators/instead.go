package operators

import "strings"

// What of Vault's and OpenBao's operators look for here, and what they do instead. A call that is
// not in this table is refused with fewer words.

const (
	noPolicies = "There are no policies: keyquorum grant set says what an application may do in a " +
		"vault, and operators have one token."
	noDevices = "There are no audit devices: each node always writes its own usage log, and its " +
		"configuration says where (docs/usage-log.md)."
	noMethods = "There are no auth methods: an application has client secrets (keyquorum app " +
		"credential add), and operators have one token."
	noMounts = "There are no mounts: keyquorum vault list shows the vaults, which hold secrets and keys."
	noEngine = "Applications use Azure Key Vault's API, at a vault's own host name; so does keyquorum " +
		"secret (docs/from-vault.md)."

	noBackups = "No copies of new shares are kept: the answer that shows them is the only one. " +
		"Encrypt them for their holders (pgp_keys), and verify them (require_verification)."
	noProfiles = "Of Go's profiles there is sys/pprof/goroutine alone: what others show may be what " +
		"the node holds."
	noDebug = "keyquorum operator debug gathers what the nodes tell of themselves, without secrets " +
		"(docs/running.md)."
	noRecovery = "There are no recovery keys: rekey and generate-root take the unseal shares."
)

// insteads are by path: each is for all that is below it, too.
var insteads = []struct{ path, do string }{
	{"sys/storage/raft/snapshot-force",
		"A snapshot of this cluster needs no force, and one of another " +
			"is not put under nodes that run: keyquorum operator recover makes a new cluster of the file, " +
			"with the shares of its day (docs/backup.md)."},
	{"sys/storage/raft/bootstrap", "keyquorum operator init makes a cluster of its first node, and " +
		"keyquorum operator raft join adds each other."},
	{"sys/storage/raft/snapshot-auto", "The configuration of each node says how often the cluster " +
		"takes snapshots, and where to (docs/backup.md)."},
	{"sys/rekey/backup", noBackups}, {"sys/rotate/root/backup", noBackups},
	{"sys/rekey/recovery-key-backup", noRecovery}, {"sys/rekey-recovery-key", noRecovery},
	{"sys/rotate/root", "A new root key has new shares: keyquorum operator rekey."},
	{"sys/rotate/recovery", noRecovery}, {"sys/generate-recovery-token", noRecovery},
	{"sys/policies", noPolicies}, {"sys/policy", noPolicies}, {"sys/capabilities", noPolicies},
	{"sys/capabilities-self", noPolicies}, {"sys/capabilities-accessor", noPolicies},
	{"sys/audit", noDevices}, {"sys/audit-hash", noDevices}, {"sys/config/auditing", noDevices},
	{"auth", noMethods}, {"sys/auth", noMethods},
	{"sys/mounts", noMounts}, {"sys/remount", noMounts}, {"sys/internal/ui", noMounts},
	{"secret", noEngine}, {"kv", noEngine}, {"transit", noEngine},
	{"sys/leases",
		"Nothing here has a lease: secrets have expiry dates, and tokens end by themselves."},
	{"sys/wrapping", "Response wrapping is not there."},
	{"sys/namespaces", "There are no namespaces: give each team a vault, or a cluster."},
	{"sys/replication", "Nodes in several regions are one cluster (docs/regions.md)."},
	{"sys/quotas",
		"The server's settings throttle and throttle-burst bound requests (docs/limits.md)."},
	{"sys/plugins", "There are no plugins."},
	{"sys/config/cors", "No browser is served."}, {"sys/config/ui", "There is no user interface."},
	{"sys/monitor", "A node's log goes to its standard error: journalctl -fu keyquorum follows it, " +
		"and sys/loggers sets its level."},
	{"sys/host-info", noDebug}, {"sys/in-flight-req", noDebug}, {"sys/config/state", noDebug},
	{"sys/pprof", noProfiles},
	{"sys/license", "It needs no licence."},
}

// instead is what to do instead of a call, "" where there is nothing to say.
func instead(path string) string {
	for _, i := range insteads {
		if below, ok := strings.CutPrefix(path, i.path); ok && (below == "" || below[0] == '/') {
			return i.do
		}
	}
	return ""
}
