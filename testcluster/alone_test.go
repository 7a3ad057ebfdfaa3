package testcluster_test

import (
	"testing"
	"time"

	"keyquorum/testcluster"
)

// A node that is cut off tells operators what it knows by itself: that is when they have to know.
// Everything else, and whoever has no token, it refuses.
func TestACutOffNodeTellsOfItself(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		lone := (c.Leader() + 1) % 3
		c.Isolate(lone)
		time.Sleep(10 * time.Second) // it has no lease any more
		own := []string{"sys/loggers", "sys/metrics", "sys/pprof/goroutine", "keyquorum/state",
			"sys/key-status", "sys/storage/raft/configuration"}
		ask := func(paths []string, want int) {
			t.Helper()
			for _, path := range paths {
				if status := c.Status(lone, "GET", "/v1/"+path, nil); status != want {
					t.Errorf("%s is answered with %d, want %d", path, status, want)
				}
			}
		}
		ask([]string{"sys/ha-status", "keyquorum/vaults", "sys/storage/raft/autopilot/state"}, 503)
		ask(own, 200)
		token := c.Token
		c.Token = token[:len(token)-1] + "?"
		ask(own, 403)
		c.Token = token
		c.Heal()
	})
}
