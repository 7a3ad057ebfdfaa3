package schedule_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/node/schedule"
	"keyquorum/testcluster"
)

// A late folder keeps its first snapshot, and says so only when it is let go, whatever the context
// says. It counts what is removed.
type late struct {
	schedule.Folder
	held, free chan struct{}
	puts       *atomic.Int32
	removed    *atomic.Int32
}

func (l late) Put(ctx context.Context, name schedule.Name, write func(io.Writer) error,
	check func(io.Reader) error) (int64, error) {
	n, err := l.Folder.Put(ctx, name, write, check)
	if l.puts.Add(1) == 1 {
		close(l.held)
		<-l.free
	}
	return n, err
}

func (l late) Remove(ctx context.Context, name schedule.Name) error {
	l.removed.Add(1)
	return l.Folder.Remove(ctx, name)
}

// A snapshot that was kept well in an attempt which hung is not removed for another.
func TestLateSnapshotStays(t *testing.T) {
	heavy.Test(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := late{schedule.Folder(dir), make(chan struct{}), make(chan struct{}),
			new(atomic.Int32), new(atomic.Int32)}
		c := testcluster.New(t, 1, func(_ int, config *node.Config) {
			config.Snapshots = schedule.Plan{Every: 24 * time.Hour, Keep: 3, Stores: []schedule.Store{store}}
		})
		says := func(what string) {
			t.Helper()
			for end := time.Now().Add(8 * time.Hour); ; time.Sleep(time.Minute) {
				if strings.Contains(string(c.Output(0)), what) {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("the log does not say %q", what)
				}
			}
		}
		<-store.held // an attempt has six hours, and the same snapshot is due for a day
		says("the store does not answer")
		close(store.free)
		says("the schedule of snapshots is kept again")
		if n := store.removed.Load(); n != 0 || store.puts.Load() != 1 {
			t.Errorf("%d snapshots were removed, and %d made, where one was good", n, store.puts.Load())
		}
	})
}
