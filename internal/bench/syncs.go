package main

import (
	"fmt"

	"keyquorum/testcluster"
)

// measureSyncs counts fdatasyncs for each acknowledged write. Only storage knows them, so these
// clusters run in this process.
func measureSyncs(h *harness, p plan, v *verdicts) {
	t := newTable("fdatasyncs per acknowledged write", "", "clients", "writes", "leader", "follower")
	var lone float64
	for i, name := range []string{"one node", "three"} {
		h.within(func(h *harness) {
			b := newBed(h, testcluster.Loopback(h, 1+2*i, nil))
			for _, n := range p.clients {
				writes, leader, follower := b.syncsOf(h, p, n)
				t.row(name, fmt.Sprint(n), fmt.Sprint(writes), fmt.Sprintf("%.3f", leader),
					fmt.Sprintf("%.3f", follower))
				switch n {
				case 1:
					lone = leader
				case 64:
					v.syncs(name, lone, leader)
				}
			}
		})
	}
	t.print()
}

// syncsOf writes through the leader, and counts on both sides.
func (b *bed) syncsOf(h *harness, p plan, clients int) (writes int, leader, follower float64) {
	at := b.Leader()
	other := (at + 1) % b.Size() // of one node: itself
	c := &cell{name: "counting fdatasyncs", to: b.at(h, at), clients: clients, request: b.write}
	h.must(c.open(h))
	before := [2]int64{b.Node(at).Disk().Syncs, b.Node(other).Disk().Syncs}
	for range p.rounds {
		h.must(c.slice(h, p.slice, p.most))
	}
	writes = len(c.seen.latencies)
	leader = float64(b.Node(at).Disk().Syncs-before[0]) / float64(writes)
	follower = float64(b.Node(other).Disk().Syncs-before[1]) / float64(writes)
	for _, caller := range c.callers {
		caller.close()
	}
	return writes, leader, follower
}
