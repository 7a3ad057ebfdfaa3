package node_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/node"
)

// What can't be recorded does not happen.
func TestUnattendedIsRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		keys := map[string]node.ForeignKey{"rig": s.rig("rig")}
		s.openWith(0, using(keys))
		s.startOpened(1)
		s.add(0, "rig")
		s.mirrorOf(0, "rig")
		for _, full := range []bool{true, false} {
			s.stop(0)
			var usage usageLog
			usage.full.Store(full)
			s.openWith(0, using(keys, func(c *node.Config) { c.Audit = &usage }))
			if full {
				time.Sleep(2 * time.Minute) // fake time
				if !s.nodes[0].SealStatus().Sealed {
					t.Fatal("a node has unsealed itself, and nobody can see that")
				}
				continue
			}
			s.awaitUnsealed(0)
			s.await("both lines", func() bool {
				return usage.count(`"operation":"sys/unseal"`) == 2 && usage.count(`"object":"rig"`) == 2
			})
		}
	})
}

// usageLog is one that may be full.
type usageLog struct {
	journal
	full atomic.Bool
}

func (u *usageLog) Write(b []byte) (int, error) {
	if u.full.Load() {
		return 0, errors.New("no space left on device")
	}
	return u.journal.Write(b)
}

func (u *usageLog) Sync() error  { return nil }
func (u *usageLog) Close() error { return nil }
