package cluster_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/storage"
)

// openGated opens a member whose disk asks gate before each step.
func (g *group) openGated(i int, gate func(op, path string) error) {
	g.t.Helper()
	store, err := storage.Open(g.configs[i].About.Label)
	must(g.t, err)
	store.Gate(gate)
	config := g.configs[i]
	config.Store, config.Listener = store, g.network.Listen(host(i), address(i))
	g.stores[i] = store
	g.members[i], err = cluster.Open(config)
	must(g.t, err)
	g.members[i].Unseal(g.key)
}

// A slowSnapshot holds back the first snapshot that is written once it is armed.
type slowSnapshot struct {
	armed            atomic.Bool
	entered, release chan struct{}
}

func newSlowSnapshot() *slowSnapshot {
	return &slowSnapshot{entered: make(chan struct{}), release: make(chan struct{})}
}

func (s *slowSnapshot) gate(op, path string) error {
	if op == "write" && strings.Contains(path, "snapshots") && s.armed.CompareAndSwap(true, false) {
		close(s.entered)
		<-s.release
	}
	return nil
}

// A member's own slow snapshot ends after its leader sent it a newer one. Placed, it would be
// Raft's newest, and the member, once it leads, would send the other, which it finds in the list,
// to whoever comes back, again and again (hashicorp/raft#248).
func TestOwnSnapshotThatASentOneOvertookIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const slow, back = 3, 4
		g := newGroup(t, 5)
		held := newSlowSnapshot()
		for i := range 5 {
			g.stop(i)
			g.configs[i].Compact = cluster.Compact{Weight: 64 << 10, Entries: 1}
			if i == slow {
				g.openGated(i, held.gate)
			} else if i != back {
				g.open(i)
			}
		}
		g.lead(0)
		held.armed.Store(true)
		g.fill(40)
		<-held.entered
		g.isolate(slow)
		g.fill(80)
		time.Sleep(5 * time.Second)
		g.network.Heal()
		time.Sleep(5 * time.Second)
		g.fill(3)
		sent, _ := g.stores[slow].NewestSnapshot()
		close(held.release)
		time.Sleep(3 * time.Second)
		if newest, _ := g.stores[slow].NewestSnapshot(); newest != sent || sent < 80 {
			t.Fatalf("it was sent snapshot %d, and its newest is %d", sent, newest)
		}
		g.lead(slow)
		var written atomic.Int64
		g.openGated(back, func(op, path string) error {
			if op == "mkdir" {
				written.Add(1)
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		})
		got, err := g.get(back, "k/a", 20*time.Second)
		if err != nil || len(got) != 4<<10 || written.Load() != 1 {
			t.Errorf("a member that was away reads %d bytes (%v), and was sent %d snapshots",
				len(got), err, written.Load())
		}
	})
}

// fill writes n entries of 4 KiB through member 0.
func (g *group) fill(n int) {
	g.t.Helper()
	for k := range n {
		must(g.t, g.put(0, "k/"+string(rune('a'+k%8)), string(make([]byte, 4<<10))))
	}
}
