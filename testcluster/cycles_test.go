package testcluster_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"keyquorum/prove"
	"keyquorum/testcluster"
)

// TestPowerCuts cuts the power of a whole cluster of processes while clients write, again and again
// (KEYQUORUM_CUTS; make cuts). What was acknowledged must be there, whatever the disks kept of what
// had not been synced.
func TestPowerCuts(t *testing.T) {
	if total := cycles(t, "power-cut", number(t, "KEYQUORUM_CUTS", 4)); total.lost == 0 {
		t.Error("nothing was lost that had not been synced: the cuts were no more than kills")
	}
}

// TestKills kills a process, every second time the leader, while clients write
// (KEYQUORUM_KILL_CYCLES; make kills).
func TestKills(t *testing.T) { cycles(t, "kill", number(t, "KEYQUORUM_KILL_CYCLES", 4)) }

// cycles has one cluster suffer a fault n times, and holds every ten of them to the histories of
// the time. Where cuts have found nothing in doubt it goes on for some more.
func cycles(t *testing.T, fault string, n int) *report {
	t.Helper()
	c := testcluster.Breakable(t, 3)
	total := &report{}
	for s := seed(t); n > 0; s++ {
		schedule := repeated(s, fault, min(n, 10))
		n -= len(schedule.Steps)
		l := lived{}
		l.live(t, c, schedule, prove.Options{
			Seed: s, Vault: fmt.Sprint("cycles-", s), Clients: 8, Operations: 10000,
			Think: 20 * time.Millisecond,
		})
		l.judge(t, "", "^"+t.Name()+"$", schedule)
		total.add(l)
		if t.Failed() {
			break
		}
		if n == 0 && fault == "power-cut" && total.lost == 0 && total.runs < 6 {
			n = 4
		}
	}
	t.Logf("\n%s", total)
	return total
}

// repeated is a schedule of one fault that strikes while the clients are busy.
func repeated(seed uint64, fault string, times int) testcluster.Schedule {
	dice := rand.New(rand.NewPCG(seed, 2))
	s := testcluster.Schedule{Seed: seed}
	for range times {
		node := -1 // the leader
		if dice.IntN(2) == 0 {
			node = dice.IntN(3)
		}
		s.Steps = append(s.Steps, testcluster.Step{
			Calm:   300*time.Millisecond + time.Duration(dice.Int64N(int64(700*time.Millisecond))),
			Faults: []testcluster.Fault{{Name: fault, Node: node}},
		})
	}
	return s
}
