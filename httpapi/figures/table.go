package figures

import (
	"slices"
	"strconv"
	"strings"

	"keyquorum/httpapi/connections"
	"keyquorum/internal/tally"
)

// figures are all names that a node may show, but for those of the Go runtime and the process.
// docs/metrics.md has the same table, and a test holds the two together.
//
// Labels hold what is fixed at build time, and members' names: never one of a vault, a key, a
// secret or an application.
var figures = slices.Concat(vaultFigures, requestFigures, keyringFigures, connectionFigures,
	strangerFigures, readFigures, clusterFigures, memberFigures, diskFigures, scheduledFigures)

// vaultFigures have names of Vault's, where they mean the same.
var vaultFigures = []figure{
	gauge(always, "vault_core_unsealed", "1 if this node is unsealed.",
		func(f *facts) float64 { return truth(!f.Sealed) }),
	gauge(onMember, "vault_core_active", "1 if this node leads.",
		func(f *facts) float64 { return truth(f.Cluster.Leads) }),
	gauge(always, "vault_core_in_flight_requests",
		"Requests that are being served, the one for the metrics included.",
		func(f *facts) float64 { return float64(f.meters.InFlight.Load()) }),
	summary(always, "vault_core_handle_request",
		"Time of requests other than for tokens, in milliseconds.", handled),
	summary(always, "vault_audit_log_request", "Time to write a usage record, in milliseconds.",
		func(f *facts) tally.Distribution { return f.Usage.Waits }),
	counter(always, "vault_audit_log_request_failure", "Usage records that could not be written.",
		func(f *facts) uint64 { return f.Usage.Failures }),
	counter(onMember, "vault_raft_apply", "Transactions that were proposed to this node as leader.",
		func(f *facts) uint64 { return f.Cluster.Proposed }),
	summary(onMember, "vault_raft_commitTime",
		"Time from a proposal to its being committed and applied on the leader, in milliseconds.",
		func(f *facts) tally.Distribution { return f.Cluster.Commits }),
	gauge(onMember, "vault_raft_peers", "Members of the cluster, voters or not, this one included.",
		func(f *facts) float64 { return float64(len(f.Cluster.Members)) }),
	counter(onMember, "vault_raft_state_leader", "How often this node became leader.",
		func(f *facts) uint64 { return f.Cluster.Elected }),
	counter(onMember, "vault_raft_state_follower",
		"How often this node became follower; it begins as one.",
		func(f *facts) uint64 { return f.Cluster.Followed }),
	counter(onMember, "vault_raft_state_candidate", "How often this node stood for election.",
		func(f *facts) uint64 { return f.Cluster.Candidated }),
	gauge(onMember, "vault_raft_storage_stats_applied_index",
		"Index of the last entry that this node has applied.",
		func(f *facts) float64 { return float64(f.Cluster.Applied) }),
	gauge(onMember, "vault_raft_storage_stats_commit_index",
		"Index of the last entry that this node knows to be committed.",
		func(f *facts) float64 { return float64(f.Cluster.Committed) }),
	gauges(onLeader, "vault_raft_storage_follower_applied_index_delta",
		"Entries that the leader has applied and the follower, at its last check-in, had not.",
		[]string{"peer_id"}, ofHeard(lag, peerID)),
	gauges(onLeader, "vault_raft_storage_follower_last_heartbeat_ms",
		"Time since the follower's last check-in, in milliseconds.",
		[]string{"peer_id"},
		ofHeard(func(_ *facts, m *member) float64 { return inMillis(m.Account.Heard) }, peerID)),
	gauge(onLeader, "vault_autopilot_healthy",
		"1 if every member is healthy, by the thresholds of autopilot's configuration.",
		func(f *facts) float64 { return truth(f.Cluster.Autopilot.Healthy) }),
	gauge(onLeader, "vault_autopilot_failure_tolerance",
		"Voters that may yet be lost before there is no majority of healthy ones.",
		func(f *facts) float64 { return float64(f.Cluster.Autopilot.Tolerance) }),
}

var requestFigures = []figure{
	gauges(always, "keyquorum_build_info", "1, with the program's version.", []string{"version"},
		func(f *facts, e emit) { e(1, f.version) }),
	gauge(always, "keyquorum_initialized", "1 if this node holds a cluster's data.",
		func(f *facts) float64 { return truth(f.Initialized) }),
	gauges(always, "keyquorum_certificate_end_seconds",
		"When the certificate that the API shows ends, in Unix time: clients refuse it from then on.",
		nil,
		func(f *facts, e emit) {
			if !f.certificateEnd.IsZero() {
				e(float64(f.certificateEnd.Unix()))
			}
		}),
	counters(always, "keyquorum_http_requests_total",
		"Requests that were answered, by operation as the usage log calls it and class of the answer's status.",
		[]string{"operation", "status"}, requests),
	histograms(always, "keyquorum_http_request_duration_seconds",
		"Time from a request's headers to its answer, by class of operations.", []string{"class"},
		func(f *facts, e emitDistribution) {
			for _, c := range f.meters.classes {
				e(c.took.Read(), c.name)
			}
		}),
	counter(always, "keyquorum_break_glass_requests_total",
		"Requests through the break-glass socket, which makes root tokens without one.",
		func(f *facts) uint64 { return f.meters.Glass.Load() }),
	counter(always, "keyquorum_http_requests_throttled_total",
		"Requests that were refused with 429, because an application sent more to a vault than --throttle lets through.",
		func(f *facts) uint64 { return f.meters.Throttled.Load() }),
	counters(always, "keyquorum_crypto_operations_total",
		"Uses of keys, by operation and algorithm. Result ok: carried out, a verification that found a wrong signature too; refused: not decryptable, or of a wrong length.",
		[]string{"operation", "algorithm", "result"}, func(f *facts, e emit) {
			for _, c := range f.Crypto {
				e(float64(c.Done), c.Operation, c.Algorithm, "ok")
				e(float64(c.Refused), c.Operation, c.Algorithm, "refused")
			}
		}),
	histogram(always, "keyquorum_usage_record_wait_seconds",
		"Time to write a usage record; the count is of lines written.",
		func(f *facts) tally.Distribution { return f.Usage.Waits }),
	gauge(always, "keyquorum_usage_log_in_trouble",
		"1 if the usage log hangs or its last write failed: this node refuses what it can't record.",
		func(f *facts) float64 { return truth(f.UsageTrouble) }),
	counter(always, "keyquorum_refusals_unrecorded_total",
		"Refusals of strangers and of throttled applications that left no usage record, because more came than may be recorded.",
		func(f *facts) uint64 { return f.Unrecorded }),
}

var keyringFigures = []figure{
	counter(onMember, "keyquorum_keyring_records_resealed_total",
		"Records that this node, as the leader, has sealed anew under a newer term of the keyring.",
		func(f *facts) uint64 { return f.Resealed }),
	gauge(onLeader, "keyquorum_keyring_records_left",
		"Records that were still sealed under older terms of the keyring when the leader looked last.",
		func(f *facts) float64 { return float64(f.ResealLeft) }),
}

var connectionFigures = []figure{
	counter(always, "keyquorum_log_lines_left_out_total",
		"Lines that the log has left out because many said the same; it says how many in their place.",
		func(f *facts) uint64 { return f.linesHeld }),
	gauges(always, "keyquorum_connections", "Connections of the API, by what the peer has shown.",
		[]string{"standing"}, func(f *facts, e emit) {
			for s, n := range f.connections.Throng.Counts().Holds {
				e(float64(n), connections.StandingNames[s])
			}
		}),
	gauge(always, "keyquorum_connection_sources",
		"Sources (IPv4 addresses, /64 of IPv6) of the connections whose peer has shown no token.",
		func(f *facts) float64 { return float64(f.connections.Throng.Counts().Sources) }),
	counters(always, "keyquorum_connections_closed_total",
		"Connections that this node closed for others' sake or for its own, by reason.",
		[]string{"reason"}, func(f *facts, e emit) {
			c := f.connections
			counts := c.Throng.Counts()
			e(float64(counts.Crowded), "crowded")
			e(float64(counts.PerSource), "source")
			e(float64(c.Unknown.Load()), "unknown")
			e(float64(c.Unshaken.Load()), "handshake")
			e(float64(c.Slow.Load()), "slow")
			e(float64(c.Ambiguous.Load()), "ambiguous")
		}),
}

var strangerFigures = []figure{
	counter(onMember, "keyquorum_cluster_connections_refused_total",
		"Connections to the cluster port whose peer showed no good certificate, or not within 5 s.",
		func(f *facts) uint64 { return f.Cluster.Port.Refused }),
	counter(onMember, "keyquorum_cluster_connections_crowded_total",
		"Connections among them that were closed because too many had shown nothing yet.",
		func(f *facts) uint64 { return f.Cluster.Port.Crowded }),
	counter(onMember, "keyquorum_gossip_complaints_total",
		"Packets and streams of gossip that were refused, or could not be sent.",
		func(f *facts) uint64 { return f.Cluster.Gossip.Complaints }),
	counter(onMember, "keyquorum_gossip_streams_crowded_total",
		"Streams to gossip's port that were closed because there were too many.",
		func(f *facts) uint64 { return f.Cluster.Gossip.Crowded }),
}

var readFigures = []figure{
	counters(onMember, "keyquorum_reads_total",
		"Views that were made current for a read, by a lease (no message) or by a fence (the leader was asked).",
		[]string{"by"},
		func(f *facts, e emit) {
			e(float64(f.Cluster.Leased), "lease")
			e(float64(f.Cluster.Fences.Count()), "fence")
		}),
	histogram(onMember, "keyquorum_fence_wait_seconds", "Time that reads waited for a fence.",
		func(f *facts) tally.Distribution { return f.Cluster.Fences }),
	counter(onMember, "keyquorum_fences_failed_total",
		"Reads that got no fence: no leader, no majority, or no time.",
		func(f *facts) uint64 { return f.Cluster.FencesFailed }),
	counter(onMember, "keyquorum_fence_rounds_total",
		"Rounds in which this node as leader had voters confirm its term; many fences share one.",
		func(f *facts) uint64 { return f.Cluster.FenceRounds }),
	gauge(onMember, "keyquorum_lease_held", "1 if this node answers reads from its own copy.",
		func(f *facts) float64 { return truth(f.Cluster.Lease > 0) }),
	gauge(onMember, "keyquorum_lease_remaining_seconds", "For how long yet, unless it is renewed.",
		func(f *facts) float64 { return f.Cluster.Lease.Seconds() }),
	gauge(onMember, "keyquorum_lease_life_seconds", "How long a lease lasts in this term.",
		func(f *facts) float64 { return f.Cluster.Life.Seconds() }),
	gauge(onMember, "keyquorum_clock_astray",
		"1 if this node's lease clock and the leader's run at different rates, so that it takes no lease.",
		func(f *facts) float64 {
			return truth(f.Cluster.ClockAstray)
		}),
}

var clusterFigures = []figure{
	gauge(onMember, "keyquorum_leader_known", "1 if this node knows a leader.",
		func(f *facts) float64 { return truth(f.Cluster.LeaderKnown) }),
	gauges(onMember, "keyquorum_leader_last_contact_seconds",
		"Time since this node, a follower, heard of the leader.", nil, func(f *facts, e emit) {
			if f.Cluster.LeaderHeard >= 0 {
				e(f.Cluster.LeaderHeard.Seconds())
			}
		}),
	gauges(onMember, "keyquorum_raft_state", "1 for Raft's state of this node, 0 for the others.",
		[]string{"state"}, func(f *facts, e emit) {
			for _, s := range []string{"leader", "follower", "candidate"} {
				e(truth(f.Cluster.State == s), s)
			}
		}),
	gauge(onMember, "keyquorum_raft_term", "Raft's term.",
		func(f *facts) float64 { return float64(f.Cluster.Term) }),
	gauge(onMember, "keyquorum_raft_last_index", "Index of the last entry in this node's log.",
		func(f *facts) float64 { return float64(f.Cluster.Last) }),
	gauge(onMember, "keyquorum_raft_snapshot_index",
		"Index of the last entry in the newest snapshot, 0 for none.",
		func(f *facts) float64 { return float64(f.Cluster.Snapshot) }),
	gauge(onMember, "keyquorum_shown_index",
		"Every node that may answer has applied the entries up to here, as far as this node knows.",
		func(f *facts) float64 { return float64(f.Cluster.Shown) }),
	histogram(onMember, "keyquorum_commit_seconds",
		"Time from a proposal to this node as leader to its being committed and applied here.",
		func(f *facts) tally.Distribution { return f.Cluster.Commits }),
	histogram(onMember, "keyquorum_write_seconds",
		"The same until every node that may answer had it, so that it was acknowledged.",
		func(f *facts) tally.Distribution { return f.Cluster.Writes }),
	counter(onMember, "keyquorum_digest_mismatches_total",
		"Comparisons of state digests, with other members or with this node's own memory, that found a difference.",
		func(f *facts) uint64 { return f.Cluster.Mismatches }),
	gauge(onMember, "keyquorum_diverged",
		"1 if this node holds another state than the majority, so that it serves nothing any more.",
		func(f *facts) float64 { return truth(f.Cluster.Diverged) }),
	gauge(onMember, "keyquorum_outcast",
		"1 if this node takes no part any more, because its disk was put back, copied or set back.",
		func(f *facts) float64 { return truth(f.Cluster.Outcast != "") }),
	gauge(onMember, "keyquorum_leader_lacks_index",
		"Index of an entry that this node has applied and its leader's log lacks, so that it serves nothing; 0 for none.",
		func(f *facts) float64 {
			return float64(f.Cluster.Lacking)
		}),
	counter(onMember, "keyquorum_entries_refused_total",
		"Entries of the log, since the cluster was founded, that changed nothing because no unsealed member signed them.",
		func(f *facts) uint64 { return f.Cluster.Refused }),
	counters(onMember, "keyquorum_accusations_total",
		"What this node has caught others at that no node does, by node and deed: a node's key was stolen, or its disk was put back, copied or set back.",
		[]string{"node", "peer_id", "deed"}, func(f *facts, e emit) {
			for _, a := range f.Cluster.Accused {
				e(float64(a.Times), strings.ToValidUTF8(a.Label, "?"), a.ID, a.Deed)
			}
		}),
	gauge(onMember, "keyquorum_state_vouched_index",
		"Index of the state that an unsealed node has vouched for: snapshots hold that, and the signed entries behind it.",
		func(f *facts) float64 { return float64(f.Cluster.Vouched) }),
	gauge(onMember, "keyquorum_state_tail_bytes", "Size of the entries behind it.",
		func(f *facts) float64 { return float64(f.Cluster.Tail) }),
	gauge(onMember, "keyquorum_state_records", "Records of the replicated state.",
		func(f *facts) float64 { return float64(f.Cluster.Records) }),
	gauge(onMember, "keyquorum_state_bytes", "Memory that they take, about.",
		func(f *facts) float64 { return float64(f.Cluster.Bytes) }),
}

// memberFigures are what the leader has in its books: a node that is slow or gone is named here.
var memberFigures = []figure{
	gauges(onLeader, "keyquorum_member_checked_in",
		"1 if the member has checked in with this leader during the last 10 s.", byMember,
		ofMembers(func(_ *facts, m *member) float64 { return truth(lately(m)) })),
	gauges(onLeader, "keyquorum_member_last_check_in_seconds",
		"Time since the member's last check-in; not there before the first one in this term.", byMember,
		ofHeard(func(_ *facts, m *member) float64 { return m.Account.Heard.Seconds() }, names)),
	gauges(onLeader, "keyquorum_member_lag_entries",
		"Entries that the leader has applied and the member, at its last check-in, had not.", byMember,
		ofHeard(lag, names)),
	gauges(onLeader, "keyquorum_member_lease", "1 if the member may hold a lease.", byMember,
		ofMembers(func(_ *facts, m *member) float64 { return truth(m.Account.Lease) })),
	gauges(onLeader, "keyquorum_member_barred_seconds",
		"For how long yet the member gets no lease, because writers had to wait for it.", byMember,
		ofMembers(func(_ *facts, m *member) float64 { return m.Account.Barred.Seconds() })),
	counters(onLeader, "keyquorum_member_leases_refused_total",
		"How often the member asked this leader for a lease in vain.", byMember,
		ofMembers(func(_ *facts, m *member) float64 { return float64(m.Account.Refused) })),
	counters(onLeader, "keyquorum_member_back_offs_total",
		"How often this leader gave the member no lease for a while, because writers had to wait for it.",
		byMember,
		ofMembers(func(_ *facts, m *member) float64 { return float64(m.Account.BackOffs) })),
}

var diskFigures = []figure{
	gauges(always, "keyquorum_disk_free_bytes",
		"Bytes that may yet be written where this node has its data and its usage log.",
		[]string{"disk"}, func(f *facts, e emit) {
			for _, d := range f.Disks.Known {
				e(float64(d.Free), d.Of)
			}
		}),
	gauge(always, "keyquorum_disk_reserve_bytes",
		"With less than this free a node takes no writes (--disk-reserve); 0: it always does.",
		func(f *facts) float64 { return float64(f.Disks.Reserve) }),
	gauge(always, "keyquorum_writes_refused",
		"1 while this node takes no writes, because its disks are short of room or those of too many voters are.",
		func(f *facts) float64 { return truth(f.NoRoom) }),
	counter(onMember, "keyquorum_disk_syncs_total", "Syncs of the Raft log and of term and vote.",
		func(f *facts) uint64 { return uint64(f.Disk.Syncs) }),
	gauge(onMember, "keyquorum_disk_slowest_commit_seconds",
		"The slowest commit to the Raft log since the process began.",
		func(f *facts) float64 { return f.Disk.SlowestSync.Seconds() }),
	gauge(onMember, "keyquorum_disk_commit_waiting_seconds",
		"How long the commit to the Raft log that is under way has taken by now, 0 for none: a disk that hangs.",
		func(f *facts) float64 { return f.Cluster.DiskWait.Seconds() }),
	gauge(onMember, "keyquorum_disk_deleted_seconds",
		"Since when this node's folder may hold something that was deleted; 0 if it holds nothing. Beyond ten minutes something keeps it from being scrubbed.",
		func(f *facts) float64 { return f.Cluster.Leftover.Seconds() }),
	counter(onMember, "keyquorum_disk_scrubs_total",
		"How often the folder was rid of what was deleted.",
		func(f *facts) uint64 { return f.Cluster.Scrubs }),
	gauge(onMember, "keyquorum_disk_scrub_seconds", "How long that took the last time.",
		func(f *facts) float64 { return f.Cluster.ScrubTook.Seconds() }),
	gauge(onMember, "keyquorum_disk_log_bytes", "Size of the Raft log behind the newest snapshot.",
		func(f *facts) float64 { return float64(f.Disk.LogBytesSinceSnapshot) }),
}

// handled are the requests of all classes but token's.
func handled(f *facts) (all tally.Distribution) {
	for _, c := range f.meters.classes {
		if c.name != "token" {
			all = all.Plus(c.took.Read())
		}
	}
	return all
}

// requests: statuses that this API does not usually have are shown when it had them.
func requests(f *facts, e emit) {
	for _, m := range f.meters.operations {
		for digit := range m.statuses {
			n := m.statuses[digit].Load()
			if n > 0 || digit == 2 || digit == 4 || digit == 5 {
				e(float64(n), m.operation, strconv.Itoa(digit)+"xx")
			}
		}
	}
}
