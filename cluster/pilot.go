package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"keyquorum/cluster/autopilot"
	"keyquorum/fsm"
	"keyquorum/internal/release"
)

// Autopilot: the leader, sealed or not, watches how its members are. A member without a vote asks
// it, and takes its vote when it has been healthy for long enough (askForVote). An unsealed leader
// removes the dead, where it was told to. Both sign for another list of members, as any change of
// it does. Package autopilot judges.

type pilot struct {
	mu    sync.Mutex
	watch autopilot.Watch
}

const pathAutopilot = "/v1/autopilot"

type autopilotCall struct {
	_ struct{} `cbor:",toarray"`
}

// Autopilot is how the members are, as the leader sees them now.
func (c *Cluster) Autopilot(ctx context.Context) (autopilot.State, error) {
	if err := c.unfit(); err != nil {
		return autopilot.State{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	for try := 0; ; try++ {
		s, err := atLeader(ctx, c, pathAutopilot, autopilotCall{}, c.serveAutopilot)
		if err == nil {
			return s, nil
		}
		if pause(ctx, try) != nil {
			return autopilot.State{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

func (c *Cluster) serveAutopilot(ctx context.Context, _ string, _ autopilotCall) (autopilot.State,
	error) {
	if !c.leads() {
		return autopilot.State{}, errNotLeader
	}
	s, _, err := c.lookAtMembers()
	if err == nil && slices.ContainsFunc(s.Servers, unnamed) {
		if _, err = c.serveSurvey(ctx, c.id, surveyCall{}); err == nil { // they tell what they are called
			s, _, err = c.lookAtMembers()
		}
	}
	return s, err
}

// unnamed: a member is heard, and gossip has not brought what it says of itself.
func unnamed(s autopilot.Server) bool { return s.Term != 0 && s.Version == "" }

// lookAtMembers is for the leader. It asks nobody: members check in several times a second.
func (c *Cluster) lookAtMembers() (autopilot.State, autopilot.Record, error) {
	view := c.fsm.View()
	record, err := recordOf(view)
	if err != nil {
		return autopilot.State{}, record, err
	}
	var list []autopilot.Member
	members, _ := c.listMembers(c.id)
	c.addAccounts(members, true)
	for _, m := range members {
		list = append(list, autopilot.Member{
			ID: m.ID, Name: m.Name(), Address: m.Address, Version: m.Status.About.Version,
			Voter: m.Voter, Leader: m.Leader, Heard: m.Account.Heard, Applied: m.Account.Applied,
		})
	}
	c.pilot.mu.Lock()
	defer c.pilot.mu.Unlock()
	return c.pilot.watch.Look(time.Now(), c.opened.Load(), view.Index(), record, list), record, nil
}

// watchMembers has the leader look, whoever asks, so that it knows since when each is as it is.
func (c *Cluster) watchMembers(ctx context.Context) {
	if !c.leads() {
		return
	}
	state, record, err := c.lookAtMembers()
	if err != nil {
		c.logger.Error("autopilot does nothing", "error", err)
		return
	}
	if dead, found := state.Dead(record.Config); found {
		c.removeDead(ctx, dead)
	}
}

// removeDead removes a member that has been silent for very long, if it does not answer either, and
// a majority of the voters that are left does.
func (c *Cluster) removeDead(ctx context.Context, dead autopilot.Server) {
	if c.signer.Load() == nil || c.unfit() != nil || c.Answers(ctx, dead.ID) {
		return
	}
	judged := c.View().Members()
	if dead.Voter {
		if voters, answer := c.VotersWithout(ctx, dead.ID); answer < voters/2+1 {
			return
		}
	}
	c.logger.Warn("autopilot removes a member for ever", "member", c.nameOf(dead.ID),
		"silent for", dead.Silent)
	if err := c.Remove(ctx, dead.ID, judged); err != nil {
		c.logger.Warn("the dead member is not removed yet", "member", c.nameOf(dead.ID), "error", err)
	}
}

// VotersWithout counts the voters without a member, and those of them that answer within a second.
func (c *Cluster) VotersWithout(ctx context.Context, nodeID string) (voters, answer int) {
	answers := make(chan bool)
	for _, id := range c.voters() {
		if id == nodeID {
			continue
		}
		voters++
		go func() { answers <- c.Answers(ctx, id) }()
	}
	for range voters {
		if <-answers {
			answer++
		}
	}
	return voters, answer
}

func recordOf(view fsm.View) (autopilot.Record, error) {
	r, _ := view.Get(autopilot.Path)
	return autopilot.Decode(r.Value)
}

// AutopilotConfig is what the cluster was told last.
func (c *Cluster) AutopilotConfig(ctx context.Context) (autopilot.Config, error) {
	f, err := c.fence(ctx)
	if err != nil {
		return autopilot.Config{}, err
	}
	r, err := recordOf(f.view)
	return r.Config, err
}

// SetAutopilotConfig changes what the cluster was told. edit may be called several times; what it
// makes is checked, and its error ends all. This member must be unsealed.
func (c *Cluster) SetAutopilotConfig(ctx context.Context,
	edit func(*autopilot.Config) error) error {
	return c.changeRecord(ctx, func(r autopilot.Record, _ fsm.View) (autopilot.Record, error) {
		return r, edit(&r.Config)
	})
}

// changeRecord signs for another record. The same one means that there is nothing to do.
func (c *Cluster) changeRecord(ctx context.Context,
	edit func(autopilot.Record, fsm.View) (autopilot.Record, error)) error {
	for try := 0; ; try++ {
		f, err := c.fence(ctx)
		if err != nil {
			return err
		}
		old, err := recordOf(f.view)
		if err != nil {
			return err
		}
		next, err := edit(old, f.view)
		if err != nil || next.Equal(old) {
			return err
		}
		value, err := next.Encode()
		if err != nil {
			return err
		}
		txn := f.view.Begin(fsm.Ordinary)
		Put(&txn, f.view, autopilot.Path, value)
		outcome, err := c.Commit(ctx, txn)
		if err != nil || outcome.Kind == fsm.Applied {
			return err
		}
		if pause(ctx, try) != nil {
			return ErrUnavailable
		}
	}
}

// hold keeps a member without a vote, or lets it have one again.
func (c *Cluster) hold(ctx context.Context, nodeID string, held bool) error {
	return c.changeRecord(ctx,
		func(r autopilot.Record, view fsm.View) (autopilot.Record, error) {
			return r.Hold(nodeID, held, func(id string) bool {
				_, ok := view.Members().Find(id)
				return ok
			}), nil
		})
}

// Promote gives a member its vote, now. This member must be unsealed.
func (c *Cluster) Promote(ctx context.Context, nodeID string) error {
	if err := c.setVote(ctx, nodeID, true, nil); err != nil {
		return err
	}
	return c.hold(ctx, nodeID, false)
}

// Demote takes a member's vote away, until it is promoted. A leader hands its office over first.
// This member must be unsealed. judged is as for Remove.
func (c *Cluster) Demote(ctx context.Context, nodeID string, judged fsm.Members) error {
	if err := c.Awaits(release.Demotion); err != nil {
		return err
	}
	if err := c.hold(ctx, nodeID, true); err != nil { // else it asked for its vote again
		return err
	}
	if _, err := c.awaitOther(ctx, nodeID); err != nil {
		return err
	}
	return c.setVote(ctx, nodeID, false, judged)
}

func (c *Cluster) setVote(
	ctx context.Context, nodeID string, voter bool, judged fsm.Members,
) error {
	return c.changeMembers(ctx, func(list fsm.Members) (fsm.Members, error) {
		m, ok := list.Find(nodeID)
		if !ok {
			return nil, fmt.Errorf("cluster: node %s is no member any more", c.nameOf(nodeID))
		}
		if m.Voter != voter && judged != nil && !list.Equal(judged) {
			return nil, ErrMembersChanged
		}
		m.Voter = voter
		return list.With(m), nil
	})
}

// steady says whether this member may have its vote, by what the leader has seen of it.
func (c *Cluster) steady(ctx context.Context) bool {
	record, err := recordOf(c.View())
	if err != nil || record.Holds(c.id) {
		return false
	}
	state, err := c.Autopilot(ctx)
	own, ok := state.Find(c.id)
	return err == nil && ok && own.MayVote(record.Config)
}
