package cluster_test

import (
	"testing"

	"keyquorum/cluster"
)

// A leader whose queue is full says so in a word of its own; it is no failure worth a line in its
// log.
func TestBusyLeaderSaysSo(t *testing.T) {
	if word := cluster.WordFor(cluster.ErrBusy); word != "too-many" {
		t.Fatalf("a full queue is refused with %q", word)
	}
}
