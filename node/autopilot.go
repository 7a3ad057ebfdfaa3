package node

import (
	"context"
	"fmt"

	"keyquorum/cluster/autopilot"
)

// AutopilotState is how the members are, as the leader sees them; AutopilotConfig by what it judges
// them. Package autopilot says more.
type (
	AutopilotState  = autopilot.State
	AutopilotServer = autopilot.Server
	AutopilotConfig = autopilot.Config
)

// Autopilot asks the leader how the members are.
func (n *Node) Autopilot(ctx context.Context) (AutopilotState, error) {
	m := n.member.Load()
	if m == nil {
		return AutopilotState{}, n.absent()
	}
	return m.cluster.Autopilot(ctx)
}

// AutopilotConfig is what the cluster was told last.
func (n *Node) AutopilotConfig(ctx context.Context) (AutopilotConfig, error) {
	m := n.member.Load()
	if m == nil {
		return AutopilotConfig{}, n.absent()
	}
	return m.cluster.AutopilotConfig(ctx)
}

// SetAutopilotConfig changes it, for the whole cluster. edit may be called several times; its error
// ends all.
func (n *Node) SetAutopilotConfig(ctx context.Context, edit func(*AutopilotConfig) error) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	return m.cluster.SetAutopilotConfig(ctx, edit)
}

// PromotePeer gives a peer, which is named as for RemovePeer, its vote, now. It refuses, with a
// *PeerError, one that the leader does not find healthy; force lifts that.
func (n *Node) PromotePeer(ctx context.Context, who string, force bool) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	p, err := m.peer(ctx, who)
	if err != nil {
		return err
	}
	if !p.Voter && !force {
		state, err := m.cluster.Autopilot(ctx)
		if err != nil {
			return err
		}
		if server, ok := state.Find(p.ID); !ok || !server.Healthy {
			return &PeerError{fmt.Sprintf("%s is silent, or far behind the leader "+
				"(keyquorum operator raft autopilot state): with its vote the cluster could lose its "+
				"majority; use force if you are sure", p.Name())}
		}
	}
	return m.cluster.Promote(ctx, p.ID)
}

// DemotePeer takes the vote of a peer, which is named as for RemovePeer, away, until it is
// promoted. It refuses what RemovePeer refuses.
func (n *Node) DemotePeer(ctx context.Context, who string, force bool) error {
	m := n.member.Load()
	if m == nil {
		return n.absent()
	}
	p, err := m.peer(ctx, who)
	if err != nil {
		return err
	}
	judged := m.cluster.View().Members()
	if err := m.dispensable(ctx, p, force); err != nil {
		return err
	}
	return m.cluster.Demote(ctx, p.ID, judged)
}
