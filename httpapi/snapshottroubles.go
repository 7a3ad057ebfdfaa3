package httpapi

import (
	"fmt"
	"time"

	"keyquorum/node"
)

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
