package httpapi

import (
	"fmt"
	"time"

	"keyquorum/node"
)

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

// snapshotsFail says to strangers that scheduled snapshots fail. What fails, and where, is in the
// node's log and in sys/ha-status.
func snapshotsFail(all []node.Scheduled) string {
	for _, s := range all {
		if s.Trouble != "" {
			return "the last one failed, and is tried again; " + sinceNewest(s) +
				": this node's log says why"
		}
	}
	return ""
}

// snapshotTroubles says to operators what fails.
func snapshotTroubles(all []node.Scheduled) (sentences []string) {
	for _, s := range all {
		if s.Trouble != "" {
			sentences = append(sentences, fmt.Sprintf("The last scheduled snapshot into %s failed, "+
				"and is tried again; %s: %s.", s.Store, sinceNewest(s), s.Trouble))
		}
	}
	return sentences
}

func sinceNewest(s node.Scheduled) string {
	if s.Newest.IsZero() {
		return "whether there is an older one is not known"
	}
	return "the newest is of " + s.Newest.UTC().Format(time.RFC3339)
}
