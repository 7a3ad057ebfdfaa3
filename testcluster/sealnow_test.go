package testcluster_test

import (
	"encoding/hex"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/testcluster"
)

// While a node has all shares that it needs, and waits for a leader, nobody waits for it: who seals
// it, who takes the shares back, who gives one more.
func TestNobodyWaitsWhileANodeWaitsForALeader(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		var shares [3][]byte
		for i, text := range c.Shares {
			var err error
			shares[i], err = hex.DecodeString(text)
			must(t, err)
		}
		c.Kill(0)
		c.Kill(1)
		c.Restart(2)
		n := c.Node(2)
		for name, ask := range map[string]func() error{
			"seal":       func() error { return n.Seal(t.Context()) },
			"reset":      func() error { _, err := n.ResetUnseal(shares[2]); return err },
			"more share": func() error { _, err := n.Unseal(t.Context(), shares[2]); return err },
		} {
			_, err := n.Unseal(t.Context(), shares[0])
			must(t, err)
			waits := make(chan struct{})
			go func() {
				_, _ = n.Unseal(t.Context(), shares[1])
				close(waits)
			}()
			synctest.Wait()
			begun := time.Now()
			must(t, ask())
			if took := time.Since(begun); took > time.Second {
				t.Errorf("%s waits for %v", name, took)
			}
			must(t, n.Seal(t.Context()))
			<-waits
		}
	})
}
