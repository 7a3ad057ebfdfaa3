package testcluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/prove"
	"keyquorum/testcluster"
)

// A tolerant test notes that a cluster is stuck and goes on, so that it can be seen to.
type tolerant struct {
	testing.TB
	failed *[]string
}

func (s tolerant) Errorf(format string, args ...any) {
	*s.failed = append(*s.failed, fmt.Sprintf(format, args...))
}

// What stays broken when the faults are over is found, whatever a node says of itself, and counts
// as a violation.
func TestStuckClusterIsFoundOut(t *testing.T) {
	heavy.Test(t)
	for name, c := range map[string]struct {
		breaks func(i int, config *node.Config, broken *atomic.Bool)
		says   string
	}{
		"one node answers with errors only": {func(i int, config *node.Config, broken *atomic.Bool) {
			if i == 1 {
				config.Audit = &brokenLog{broken: broken}
			}
		}, "node 1"},
		"nobody reaches anybody": {func(_ int, config *node.Config, broken *atomic.Bool) {
			inner := config.Dial
			config.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				if broken.Load() {
					return nil, errors.New("no way")
				}
				return inner(ctx, address)
			}
		}, "nobody leads"},
	} {
		t.Run(name, func(t *testing.T) {
			var l lived
			var failed []string
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				cluster := testcluster.New(tolerant{t, &failed}, 3, func(i int, config *node.Config) {
					c.breaks(i, config, &broken)
				})
				schedule := testcluster.NewSchedule(1, 3, 3, []string{"kill-all"})
				l.during(t, cluster, prove.Options{Operations: 20}, func() {
					broken.Store(true)
					l.suffered = cluster.Suffer(schedule)
					l.stuck = l.suffered[len(l.suffered)-1].Stuck
				})
				broken.Store(false)
			})
			err := l.check()
			if err == nil || !strings.Contains(err.Error(), "stuck: ") ||
				!strings.Contains(err.Error(), c.says) {
				t.Errorf("the history is judged: %v", err)
			}
			if len(failed) != 1 || len(l.suffered) != 1 {
				t.Errorf("after %d steps the test was told %q", len(l.suffered), failed)
			}
			r := &report{}
			if r.add(l); r.stuck != 1 || !strings.Contains(r.String(), "stuck for ever 1") {
				t.Errorf("the report says:\n%s", r)
			}
		})
	}
}

// A brokenLog is a usage log that takes nothing once it is broken.
type brokenLog struct{ broken *atomic.Bool }

func (l *brokenLog) Write(b []byte) (int, error) { return len(b), l.Sync() }
func (*brokenLog) Close() error                  { return nil }

func (l *brokenLog) Sync() error {
	if l.broken.Load() {
		return errors.New("the usage log is full")
	}
	return nil
}
