package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/lease"
)

// leases is this member's part in the lease protocol. The rules are package lease's; what stands
// here gives it readings, carries its messages and wakes who waits.
type leases struct {
	mu      sync.Mutex // held for each step
	node    lease.Node
	steps   lease.Steps       // of the node
	refused map[string]uint64 // how often members asked for a lease in vain

	tenure     atomic.Pointer[lease.Tenure] // for readers, who take no lock
	everywhere appliedEverywhere
	arrival    epoch // ends when a lease comes where there was none

	roundTrips roundTripsInTerm // to the leader
	answered   atomic.Int64     // lease clock at the leader's last answer; 0: none
}

func (c *Cluster) beginLeases(process uint64) {
	l := &c.leases
	l.refused = map[string]uint64{}
	l.node = lease.New(&lease.Standard, c.id, process, lease.Reading{Now: c.clock()})
	if l.steps = &l.node; c.Leases.Watch != nil {
		l.steps = c.Leases.Watch(&l.node)
	}
	l.tenure.Store(&lease.Tenure{Life: l.node.Life})
}

// reading completes a look at the clock by this node's index and term, in the order on which leases
// rest (lease.Reading).
func (c *Cluster) reading(now time.Duration) lease.Reading {
	applied := c.fsm.View().Index()
	return lease.Reading{Now: now, Applied: applied, Term: c.raft.CurrentTerm()}
}

// step does one step of the protocol, and tells what came of it. Index and term are read under the
// lock that orders the steps; the clock comes before it, and after what the step is about.
func (c *Cluster) step(do func(n lease.Steps, now lease.Reading)) {
	l, now := &c.leases, c.clock()
	l.mu.Lock()
	do(l.steps, c.reading(now))
	if t := l.node.Tenure; t != *l.tenure.Load() {
		l.tenure.Store(&t)
	}
	e, astray := l.node.E, l.node.Astray
	l.mu.Unlock()
	l.everywhere.raise(e)
	c.noteAstray(astray)
}

// ask looks at the node, and changes nothing.
func (l *leases) ask(question func(n *lease.Node)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	question(&l.node)
}

// mayRead says whether this node may answer from its own copy, by a look at the clock. The term is
// read after it. A node whose state lacks what its folder remembers shows nothing (trust.go).
func (c *Cluster) mayRead(look time.Duration) bool {
	t := c.leases.tenure.Load()
	return t.MayRead(look, c.raft.CurrentTerm()) && !c.behindTrust(c.fsm.View())
}

// Leased says whether a read that begins now would be answered under a lease, and not wait for the
// leader.
func (c *Cluster) Leased() bool { return c.mayRead(c.clock()) }

// life is that of leases now.
func (c *Cluster) life() time.Duration { return c.leases.tenure.Load().Life }

// serves says whether this node may hold leases at all.
func (c *Cluster) serves() bool { return !c.sealed.Load() && c.unfit() == nil && !c.Leases.Off }

// dropLease gives the lease back, and has the leader know.
func (c *Cluster) dropLease() {
	c.step(func(n lease.Steps, _ lease.Reading) { n.GiveBack() })
	c.checkInNow.give()
}

// takeLeave gives the lease back for good, and returns when the leader knows: else writers would wait
// for it until it has run out.
func (c *Cluster) takeLeave() {
	c.Seal()
	c.checkIn(false)
}

// noteCompared says that this node's state was the leader's.
func (c *Cluster) noteCompared() {
	if !c.leases.tenure.Load().Compared {
		c.step(func(n lease.Steps, _ lease.Reading) { n.NoteCompared() })
	}
}

// noteDiffers says that it was not: until it is again, no lease counts here.
func (c *Cluster) noteDiffers(index uint64) {
	if c.leases.tenure.Load().Compared {
		c.logger.Error("this node's state is not the leader's: one of the two is wrong, and this one "+
			"answers nothing until they are the same", "index", index)
	}
	c.step(func(n lease.Steps, _ lease.Reading) { n.NoteDiffers() })
}

// noteAstray tells people, once.
func (c *Cluster) noteAstray(astray bool) {
	switch {
	case c.clockAstray.Swap(astray) == astray:
	case astray:
		c.logger.Error("the clock of this machine, or the leader's, runs at a wrong rate: " +
			"reads here ask the leader each time")
	default:
		c.logger.Info("the clocks of this machine and the leader's run at the same rate again")
	}
}

// configured are the servers of the latest configuration as leases see them.
func (c *Cluster) configured() []lease.Server { return leaseServers(c.servers()) }

func leaseServers(list []raft.Server) []lease.Server {
	servers := make([]lease.Server, len(list))
	for i, s := range list {
		servers[i] = lease.Server{ID: string(s.ID), Voter: s.Suffrage == raft.Voter}
	}
	return servers
}
