package figures

import "keyquorum/node"

// What is said of scheduled snapshots. Only the leader has something to say.

var byStore = []string{"store"} // "folder" or "s3"

var scheduledFigures = []figure{
	gauges(onLeader, "keyquorum_scheduled_snapshot_newest_seconds",
		"When the newest scheduled snapshot that is kept was due, in Unix time; not there before this leader has looked.",
		byStore, func(f *facts, e emit) {
			for _, s := range f.Scheduled {
				if !s.Newest.IsZero() {
					e(float64(s.Newest.Unix()), s.Kind)
				}
			}
		}),
	gauges(onLeader, "keyquorum_scheduled_snapshot_failing",
		"1 if the last attempt to keep a scheduled snapshot failed.", byStore,
		ofScheduled(func(s *node.Scheduled) float64 { return truth(s.Trouble != "") })),
	counters(onLeader, "keyquorum_scheduled_snapshot_failures_total",
		"Attempts that failed on this node.", byStore,
		ofScheduled(func(s *node.Scheduled) float64 { return float64(s.Failures) })),
	gauges(onLeader, "keyquorum_scheduled_snapshot_bytes",
		"Size of the last scheduled snapshot that this node kept, 0 for none.", byStore,
		ofScheduled(func(s *node.Scheduled) float64 { return float64(s.Bytes) })),
	gauges(onLeader, "keyquorum_scheduled_snapshot_duration_seconds",
		"How long that took, until it was read back.", byStore,
		ofScheduled(func(s *node.Scheduled) float64 { return s.Took.Seconds() })),
}

func ofScheduled(value func(*node.Scheduled) float64) func(*facts, emit) {
	return func(f *facts, e emit) {
		for i := range f.Scheduled {
			e(value(&f.Scheduled[i]), f.Scheduled[i].Kind)
		}
	}
}
