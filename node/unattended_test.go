package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/internal/wrapper"
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

// lockable is a foreign key that may refuse, and locks when it is asked too often.
type lockable struct {
	node.ForeignKey
	refuses atomic.Bool
	asked   atomic.Int32
}

func (k *lockable) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	k.asked.Add(1)
	if k.refuses.Load() {
		return nil, new(wrapper.PINError)
	}
	return k.ForeignKey.Unwrap(ctx, wrapped)
}

// A node that starts asks a token once that refuses its PIN. It goes on asking the others, and
// stops where there is none. A command asks it again, and so does the next start.
func TestRefusedPINIsNotTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var j journal
		hsm := &lockable{ForeignKey: s.rig("hsm")}
		keys := map[string]node.ForeignKey{"hsm": hsm, "spare": s.escrow("spare")}
		s.openWith(0, using(keys, slowly))
		s.startOpened(1)
		s.add(0, "hsm")
		s.mirrorOf(0, "hsm")
		restart := func() {
			s.stop(0)
			hsm.asked.Store(0)
			s.openWith(0, using(keys, slowly, j.keep))
		}
		hsm.refuses.Store(true)
		restart()
		time.Sleep(10 * time.Minute) // fake time
		status := s.nodes[0].SealStatus()
		if hsm.asked.Load() != 1 || !status.Sealed || status.Unattended != "" {
			t.Errorf("in ten minutes it was asked %d times: %+v", hsm.asked.Load(), status)
		}
		if j.count("it is not asked again until the next start") != 1 {
			t.Error("the log does not say that it is not asked again")
		}
		s.unseal(0)
		s.add(0, "spare")
		s.mirrorOf(0, "hsm", "spare")
		list, err := s.nodes[0].TestWrappers(t.Context())
		must(t, err)
		if hsm.asked.Load() != 2 || list[0].Trouble == nil || list[1].Trouble != nil {
			t.Errorf("a command has asked it: %d, %+v", hsm.asked.Load(), list)
		}

		file := filepath.Join(s.root, "spare.txt")
		must(t, os.Rename(file, file+".away"))
		restart()
		time.Sleep(10 * time.Minute) // fake time
		status = s.nodes[0].SealStatus()
		if hsm.asked.Load() != 1 || status.Unattended != node.UnattendedTrying {
			t.Errorf("with another that comes late it was asked %d times: %+v", hsm.asked.Load(), status)
		}
		must(t, os.Rename(file+".away", file))
		s.awaitUnsealed(0)

		hsm.refuses.Store(false)
		keys = map[string]node.ForeignKey{"hsm": hsm} // the node that runs has the other map
		restart()
		s.awaitUnsealed(0)
	})
}
