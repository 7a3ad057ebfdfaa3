package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"keyquorum/cluster"
	"keyquorum/internal/placement"
)

// A leader that was told to (Config.PlaceLeader) looks now and then whether writes would cost
// clearly less from another voter, and moves its office there. Package cluster measures the ways
// and hands over, and by itself only where a leader had better not lead at all.

const (
	cheaperEvery = 10 * time.Second // between looks, and for one of them with what comes of it
	cheaperLooks = 3                // that found the same voter, before it is handed the office
)

// placeLeader ends with the node. It is for each member, sealed or not.
func (n *Node) placeLeader(m *member) {
	if !n.config.PlaceLeader {
		return
	}
	every := time.NewTicker(cheaperEvery)
	defer every.Stop()
	for f := (finding{}); ; {
		select {
		case <-every.C:
		case <-n.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(n.ctx, cheaperEvery)
		f = f.next(cheaperPlace(ctx, m.cluster))
		if f.looks == cheaperLooks {
			why := fmt.Sprintf("a write costs %s now, and %s then", f.Now, f.Then)
			_ = m.cluster.HandOver(ctx, f.To, why) // if not, it is found again
			f = finding{}
		}
		cancel()
	}
}

// A finding is what the latest look found.
type finding struct {
	placement.Move     // zero: nothing
	looks          int // in a row that found that voter
}

func (f finding) next(move placement.Move, found bool) finding {
	switch {
	case !found:
		return finding{}
	case move.To != f.To:
		f.looks = 0
	}
	return finding{move, f.looks + 1}
}

// cheaperPlace looks for a voter from which writes cost clearly less on average over the regions
// than from this node, which leads. false: it does not, or there is none.
func cheaperPlace(ctx context.Context, c *cluster.Cluster) (placement.Move, bool) {
	if !c.Standing().Leads {
		return placement.Move{}, false
	}
	s := c.Survey(ctx)
	move, found := placement.Cheaper(Servers(s), s.Leader, s.RoundTrip)
	return move, found && !slices.ContainsFunc(s.Members, func(p Peer) bool {
		return p.ID == move.To && p.Status.Short != "" // it would hand the office back
	})
}

// Servers are the members of a survey in placement's words.
func Servers(s Survey) []placement.Server {
	servers := make([]placement.Server, len(s.Members))
	for i, p := range s.Members {
		servers[i] = placement.Server{
			ID: p.ID, Region: p.Status.About.Region, Voter: p.Voter,
			Up: p.Answers && !p.Status.Unfit, Serves: p.Serves(),
		}
	}
	return servers
}
