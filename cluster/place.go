package cluster

import (
	"context"
	"fmt"
	"time"

	"keyquorum/internal/placement"
)

// A leader looks whether another voter should lead: at once when this node serves nobody or is in
// trouble, and when it is told to (PlaceLeader) also where writes would cost clearly less.

// seekLeader does both in one goroutine, for there is one office to hand over.
func (c *Cluster) seekLeader(ctx context.Context) {
	c.findSuccessor(ctx)
	c.findPlace(ctx)
}

// findSuccessor hands the office of a leader that is sealed, diverged or in trouble to an unsealed
// voter that is caught up and is not, where there is one (decision 2).
func (c *Cluster) findSuccessor(ctx context.Context) {
	if !c.leads() {
		return
	}
	why := c.whyNotLead()
	if why == "" || time.Now().Before(c.handOverAgain) {
		return
	}
	index := c.fsm.View().Index()
	for _, m := range c.look(ctx).Members {
		ready := m.Voter && m.Serves() && c.met(m.ID) && m.Status.Applied+slack >= index
		if m.ID == c.id || !ready {
			continue
		}
		c.handOver(ctx, m.ID, why)
		return
	}
}

// handOver transfers leadership. While Raft tries it takes no writes, and it may try for a second:
// tries that fail may take a tenth of the time.
func (c *Cluster) handOver(ctx context.Context, voter, why string) {
	c.logger.Info("handing leadership over", "to", voter, "because", why)
	begun := time.Now()
	if err := c.transferTo(ctx, voter); err != nil {
		c.handOverAgain = time.Now().Add(10 * time.Since(begun))
		c.logger.Info("leadership was not handed over", "error", err)
	}
}

// whyNotLead says why this node had better not lead; "" when it may.
func (c *Cluster) whyNotLead() string {
	switch {
	case c.sealed.Load():
		return "this node is sealed"
	case c.broken() != nil: // what another leader lacks this one would not
		return c.broken().Error()
	}
	if trouble := c.trouble(); trouble != nil {
		return trouble.Error()
	}
	return ""
}

func (c *Cluster) trouble() error {
	if lost := c.lost.Load(); lost != nil {
		return *lost
	}
	if err := c.transport.Stuck(); err != nil || c.Trouble == nil {
		return err
	}
	return c.Trouble()
}

// slack is how many entries a voter that is caught up may lack: what is under way to it. A transfer
// sends the rest first.
const slack = 1024

const (
	placeEvery = 10 * time.Second // a leader that was told to looks for a better place
	placeAfter = 3                // times that one was better before it goes there
)

// A better place is a voter from which writes were cheaper when the leader looked last. Only
// seekLeader touches it.
type better struct {
	looked time.Time
	voter  string
	times  int
}

// findPlace hands the office to a voter from which writes cost clearly less on average over the
// regions, when it has been so for a while.
func (c *Cluster) findPlace(ctx context.Context) {
	if !c.PlaceLeader || !c.leads() {
		c.better = better{}
		return
	}
	if time.Since(c.better.looked) < placeEvery {
		return
	}
	c.better.looked = time.Now()
	survey := c.look(ctx)
	servers := survey.Servers()
	now, known := placement.Mean(servers, c.id, survey.RoundTrip)
	best, then, found := placement.Best(servers, survey.RoundTrip)
	if !known || !found || best == c.id || !placement.Worthwhile(now, then) {
		c.better.voter, c.better.times = "", 0
		return
	}
	if c.better.voter != best {
		c.better.voter, c.better.times = best, 0
	}
	if c.better.times++; c.better.times < placeAfter {
		return
	}
	c.better = better{}
	c.handOver(ctx, best, fmt.Sprintf("a write costs %s now, and %s then", now, then))
}
