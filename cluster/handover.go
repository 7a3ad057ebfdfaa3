package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// ErrNotReady: that voter does not take this member for what it was yet, so it can't be handed the
// office.
var ErrNotReady = errors.New("cluster: this voter has yet to accept what this node says of itself")

// HandOver makes a voter, which is caught up or nearly so, the leader in the place of this member.
// Raft takes no writes meanwhile, and may try for an election time-out.
func (c *Cluster) HandOver(ctx context.Context, voter, because string) error {
	if !c.met(voter) {
		return ErrNotReady
	}
	c.logger.Info("handing leadership over", "to", c.nameOf(voter), "because", because)
	err := c.answer(ctx, func() raft.Future {
		return c.raft.LeadershipTransferToServer(raft.ServerID(voter), raft.ServerAddress(voter))
	})
	if err != nil {
		c.logger.Info("leadership was not handed over", "error", err)
	}
	return err
}

// mayLack is how many entries a successor may lack: what is under way to it. The transfer sends the
// rest first.
const mayLack = 1024

// giveUpLead hands the office of a leader that had better not lead to a voter that serves and is
// caught up, where there is one (decision 2). A leader that differs from the others or has
// forgotten a write is followed by all, and serves nobody: nothing else would end that.
func (c *Cluster) giveUpLead(ctx context.Context) {
	if !c.leads() || time.Now().Before(c.noHandOverBefore) {
		return
	}
	why := c.whyNotLead()
	if why == nil {
		return
	}
	s := c.look(ctx)
	for _, m := range s.Members {
		if m.ID == c.id || !m.Voter || !m.Serves() || m.Status.Short != "" || s.lag(m) > mayLack {
			continue
		}
		begun := time.Now()
		switch err := c.HandOver(ctx, m.ID, why.Error()); {
		case errors.Is(err, ErrNotReady):
			continue
		case err != nil: // it took no writes meanwhile: that may take a tenth of the time
			c.noHandOverBefore = time.Now().Add(10 * time.Since(begun))
		}
		return
	}
}
