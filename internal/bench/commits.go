package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"keyquorum/testcluster"
)

// commitVariable is the server's setting --raft-commit.
const commitVariable = "KEYQUORUM_RAFT_COMMIT"

// settle is how long a new cluster takes to come to rest.
const settle = 2 * time.Second

// measureCommits shows what Raft's commit time-out buys and costs: the empty messages of an idle
// cluster, and how late a follower learns of a commit whose announcement it missed.
func measureCommits(h *harness, p plan, v *verdicts) {
	t := newTable("Raft's commit time-out, three nodes",
		"time-out", "leader p50 ms", "follower p50 ms", "follower p99 ms", "idle leader, % of a core",
		"idle follower, % of a core", "resident MB")
	for i, commit := range p.commits {
		h.within(func(h *harness) {
			os.Setenv(commitVariable, commit.String())
			h.Cleanup(func() { os.Unsetenv(commitVariable) })
			s := standAlone(h, p)
			t.row(commit.String(), ms(s.leader.percentile(50)), ms(s.follower.percentile(50)),
				ms(s.follower.percentile(99)),
				fmt.Sprintf("%.1f", s.idle[0]), fmt.Sprintf("%.1f", s.idle[1]),
				fmt.Sprintf("%.1f", float64(s.resident)/1e6))
			if i == 0 {
				v.lone(s.follower.percentile(50))
				v.memory(s.resident)
			}
		})
	}
	t.print()
}

// standing is a cluster that has next to nothing to do.
type standing struct {
	leader, follower seen       // lone writes
	idle             [2]float64 // percent of a core: leader, follower
	resident         int64      // bytes, of the follower
}

func standAlone(h *harness, p plan) (s standing) {
	b := newBed(h, testcluster.Processes(h, 3))
	leader := b.Leader()
	follower := (leader + 1) % b.Size()
	h.wait(settle)
	before := [2]time.Duration{must(cpuTime(b.PID(leader))), must(cpuTime(b.PID(follower)))}
	start := time.Now()
	h.wait(p.idle)
	for i, pid := range []int{b.PID(leader), b.PID(follower)} {
		s.idle[i] = 100 * ratio(must(cpuTime(pid))-before[i], time.Since(start))
	}
	s.resident = must(resident(b.PID(follower)))
	s.leader = lone(h, p, b, leader)
	s.follower = lone(h, p, b, follower)
	return s
}

// lone writes one after the other, with pauses that let the cluster fall idle in between.
func lone(h *harness, p plan, b *bed, node int) (s seen) {
	line, err := dial(h.ctx, b.at(h, node))
	h.must(err)
	defer line.close()
	for i := range p.lone {
		h.wait(time.Duration(5+i%7) * time.Millisecond)
		start := time.Now()
		_, err := line.call(b.write(0))
		h.must(err)
		s.latencies = append(s.latencies, time.Since(start))
	}
	slices.Sort(s.latencies)
	return s
}

// wait returns after d, unless the user has seen enough.
func (h *harness) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.ctx.Done():
		h.Fatal(h.ctx.Err())
	}
}
