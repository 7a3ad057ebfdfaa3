package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/cluster/gossip"
)

// A leader that is sealed while its snapshot is being written hands its office over all the same.
func TestSealedLeaderWhileItsSnapshotIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		disk := newSlowSnapshot()
		const leader = 0
		g.stop(leader)
		g.configs[leader].Compact = cluster.Compact{Weight: 1, Entries: 1}
		g.openGated(leader, disk.gate)
		g.lead(leader)
		must(t, g.put(leader, "x", "1"))
		time.Sleep(3 * time.Second)
		disk.armed.Store(true)
		defer close(disk.release)
		must(t, g.put(leader, "x", string(make([]byte, 4<<10))))
		<-disk.entered
		g.members[leader].Seal()
		begun := time.Now()
		for g.leader() == leader {
			if time.Since(begun) > 5*time.Second {
				t.Fatal("a sealed leader leads on while its snapshot is being written")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// What is deleted while a folder is scrubbed leaves it as soon as what was deleted before: the time
// that the scrubbing took counts.
func TestDeletedWhileTheFolderIsScrubbed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		disk := newSlowSnapshot()
		g := newGroup(t, 1, func(c *cluster.Config) { c.Compact.Scrub = time.Minute })
		g.leader()
		g.stores[0].Gate(disk.gate)
		must(t, g.put(0, "secret/first", deleted))
		must(t, g.put(0, "secret/second", deleted))
		disk.armed.Store(true)
		g.erase(0, "secret/first")
		<-disk.entered
		g.erase(0, "secret/second")
		time.Sleep(3 * time.Minute)
		close(disk.release)
		time.Sleep(10 * time.Second)
		if files := g.holds(0, deleted); len(files) > 0 {
			t.Errorf("ten seconds after the scrubbing in which it was deleted it is still in %v", files)
		}
	})
}

// silentHost takes connections, and nobody there says a word.
func (g *group) silentHost(i int) {
	g.t.Cleanup(func() { g.network.Unlisten(host(i)) })
	g.network.Listen(host(i), address(i))
}

// A member at a new address has it signed for, however many others don't answer when it tells them.
func TestMovedMemberAmongSilentOnes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.leader()
		for i := 10; i < 22; i++ {
			g.silentHost(i)
			must(t, g.members[leader].Add(t.Context(), fmt.Sprintf("%032x", i), address(i),
				g.authority.Certificate))
		}
		moved := (leader + 1) % 3
		g.stop(moved)
		g.configs[moved].Address = "elsewhere:9201"
		g.openAt(moved, "elsewhere:9201")
		for begun := time.Now(); ; time.Sleep(time.Second) {
			if m, _ := g.members[leader].View().Members().Find(g.ids[moved]); m.Address == "elsewhere:9201" {
				return
			}
			if time.Since(begun) > 30*time.Second {
				t.Fatal("a member that told its address for half a minute is still looked for at the old one")
			}
		}
	})
}

// Whoever asks for something that any member can tell finds one, however many are away.
func TestAskingGoesPastWhoIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3, func(c *cluster.Config) { c.Gossip.Keys = gossip.Keys{make([]byte, 32)} })
		leader := g.leader()
		for i := 10; i < 22; i++ { // by id they come before the members that are there
			g.silentHost(i)
			must(t, g.members[leader].Add(t.Context(), strings.Repeat("0", i), address(i),
				g.authority.Certificate))
		}
		for try := 0; ; try++ {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := g.members[leader].AskGossipKeys(ctx, g.members[leader].GossipKeys().Hash())
			cancel()
			if err == nil {
				return
			}
			if try == 20 {
				t.Fatal("twenty times five seconds went by with members that are away")
			}
		}
	})
}

// How much of the log stays behind a snapshot is a setting of Raft's, which it reads when the
// snapshot is written: another that is asked for meanwhile must not change it.
func TestSnapshotKeepsWhatItWasToldTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		disk := newSlowSnapshot()
		g := newGroup(t, 1, func(c *cluster.Config) {
			c.Compact = cluster.Compact{Weight: 64 << 10, Entries: 1, Scrub: time.Minute}
		})
		g.leader()
		g.stores[0].Gate(disk.gate)
		must(t, g.put(0, "secret", deleted))
		disk.armed.Store(true)
		g.erase(0, "secret")
		<-disk.entered // it is scrubbed
		cut := g.members[0].Raft().ReloadableConfig().TrailingLogs
		for i := range 20 {
			must(t, g.put(0, fmt.Sprint("load/", i), string(make([]byte, 16<<10))))
		}
		time.Sleep(5 * time.Second) // the log outweighs the state
		if now := g.members[0].Raft().ReloadableConfig().TrailingLogs; now != cut {
			t.Errorf("%d entries were to stay behind the snapshot that is being written, and %d will", cut,
				now)
		}
		close(disk.release)
	})
}
