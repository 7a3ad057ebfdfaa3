package cluster_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A silence is a snapshot of which nothing comes.
type silence chan struct{}

func (s silence) Read([]byte) (int, error) { <-s; return 0, io.EOF }

// Who says that it sends a snapshot, and sends none, holds up nothing: neither Raft of who waits
// for it, nor that one's end.
func TestSnapshotThatNeverComesHoldsNothingUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const silent, waiting = 2, 1
		g := newGroup(t, 3)
		g.lead(0)
		must(t, g.put(0, "a", "1"))
		body := make(silence)
		defer close(body)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range 2 {
				_ = g.members[silent].SendSnapshot(g.ids[waiting], 1<<40, body)
			}
		}()
		time.Sleep(time.Second)
		g.isolate(silent) // the other two are the majority
		begun := time.Now()
		must(t, g.put(waiting, "a", "2"))
		if took := time.Since(begun); took > time.Second {
			t.Errorf("while a snapshot was awaited a write took %v", took)
		}
		begun = time.Now()
		g.stop(waiting)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("while a snapshot was awaited, the member's end took %v", took)
		}
	})
}

// A snapshot that does not go on is given up, and its sender is heard as before.
func TestSnapshotThatStopsIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const silent, waiting = 2, 1
		g := newGroup(t, 3)
		g.lead(0)
		must(t, g.put(0, "a", "1"))
		body := make(silence)
		sent := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), body)
		gone := make(chan struct{})
		go func() {
			_ = g.members[silent].SendSnapshot(g.ids[waiting], 1<<40, sent)
			close(gone)
		}()
		time.Sleep(time.Second)
		if g.members[silent].SayStand(g.ids[waiting]) == nil {
			t.Fatal("the test shows nothing: nobody waits for the snapshot")
		}
		time.Sleep(12 * time.Second)
		begun := time.Now()
		_ = g.members[silent].SayStand(g.ids[waiting])
		if took := time.Since(begun); took > time.Second {
			t.Error("a snapshot that stopped is awaited for longer than 13 s")
		}
		close(body)
		g.network.Reset(host(silent))
		<-gone
	})
}

// A snapshot that nobody vouched for costs Raft nothing, however large it is.
func TestSnapshotThatNobodyVouchedForNeverReachesRaft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const thief, other = 2, 1
		g := newGroup(t, 3)
		g.lead(0)
		must(t, g.put(0, "a", "1"))
		g.stop(other)
		var begun atomic.Int64
		g.openGated(other, func(op, path string) error {
			if op == "mkdir" && strings.Contains(path, "snapshots") {
				begun.Add(1)
			}
			return nil
		})
		must(t, g.put(other, "a", "2"))
		const size = 1 << 20
		garbage := bytes.NewReader(make([]byte, size))
		if g.members[thief].SendSnapshot(g.ids[other], size, garbage) == nil {
			t.Error("it is taken")
		}
		if begun.Load() > 0 || !slices.Contains(g.accused(other, thief), "snapshot") {
			t.Errorf("Raft began %d snapshots, and %v is said of the sender",
				begun.Load(), g.accused(other, thief))
		}
	})
}

// Who is cut off in the middle of a snapshot has done nothing wrong.
func TestWhoseSnapshotIsCutOffIsNotAccused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const sender, waiting = 2, 1
		g := newGroup(t, 3)
		g.lead(0)
		must(t, g.put(0, "a", "1"))
		body, gone := make(silence), make(chan struct{})
		begun := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), body)
		go func() {
			_ = g.members[sender].SendSnapshot(g.ids[waiting], 2<<20, begun)
			close(gone)
		}()
		time.Sleep(time.Second)
		g.network.Reset(host(sender))
		time.Sleep(time.Second)
		if deeds := g.accused(waiting, sender); len(deeds) > 0 {
			t.Errorf("it is accused of %v", deeds)
		}
		close(body)
		<-gone
	})
}
