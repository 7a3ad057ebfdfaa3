package cluster

import (
	"context"
	"fmt"
	"sync"

	"keyquorum/cluster/calls"
	"keyquorum/fsm"
	"keyquorum/internal/release"
)

// Which programs the members run, and what of them the cluster uses (package release judges). Each
// call and each answer says its node's release, in a header, so that nothing else about calls need
// change for it. The cluster's level is a record of the state. The leader raises it, when all
// members that the state has by then have said that they know the next one. Whoever has it in his
// state and does not know it ends: before it meets an entry that it can't apply.

// releases are what others said of their programs.
type releases struct {
	own   release.Release
	heard sync.Map // node id → release.Release, as its latest answer said
}

// said is for the calls of this member.
func (c *Cluster) said() calls.Said {
	return calls.Said{Own: c.releases.own.Encode(), Heard: func(nodeID, said string) {
		if r, err := release.Parse(said); err == nil {
			c.releases.heard.Store(nodeID, r)
		}
	}}
}

// releaseOf is what a member said of its program, when this one asked it last; of its own where it
// is this one.
func (c *Cluster) releaseOf(nodeID string) (r release.Release, known bool) {
	if nodeID == c.id {
		return c.releases.own, true
	}
	heard, known := c.releases.heard.Load(nodeID)
	if known {
		r = heard.(release.Release)
	}
	return r, known
}

// Level is the cluster's, as this member's state has it; 0 where it has none yet.
func (c *Cluster) Level() release.Level { return levelIn(c.View()) }

func levelIn(v fsm.View) release.Level {
	if v.Index() == 0 {
		return 0
	}
	r, found := v.Get(release.Path)
	return release.DecodeRecord(r.Value, found)
}

// Refuses is why this member, or its cluster, takes no part in anything with a program that said
// this of itself; nil where they work together.
func (c *Cluster) Refuses(said string) error {
	other, err := release.Parse(said)
	if err != nil {
		return err
	}
	return c.refuses(other)
}

func (c *Cluster) refuses(other release.Release) error {
	if why := c.releases.own.Refuses(other, c.Level()); why != "" {
		return fmt.Errorf("it %s", why)
	}
	return nil
}

// fits looks whether this program can take part in the cluster of its state.
func (c *Cluster) fits() error {
	level := c.Level()
	if why := c.releases.own.Outside(level); level > 0 && why != "" {
		return fmt.Errorf("this node runs %s", why)
	}
	return nil
}

// keepAway says whether something of a node's release keeps this member from talking with it.
func (c *Cluster) keepAway(nodeID string, why error) bool {
	if why != nil {
		c.logger.Error("a node is refused because of its release", "node", c.nameOf(nodeID), "why", why)
	}
	return why != nil
}

// noteLevel ends a member whose state has come to a level that it does not know.
func (c *Cluster) noteLevel(v fsm.View) {
	if level := levelIn(v); level > c.releases.own.Newest {
		c.fail(c.fits())
	}
}

// raiseLevel is the duty of an unsealed leader. A member that is added meanwhile was not asked, so
// the transaction holds to the list of members that was.
func (c *Cluster) raiseLevel(ctx context.Context) {
	view := c.View()
	if levelIn(view) >= c.releases.own.Newest || !c.leads() || c.signer.Load() == nil ||
		c.unfit() != nil {
		return
	}
	next := lowest(view.Members(), c.look(ctx))
	if next <= levelIn(view) {
		return
	}
	txn := view.Begin(fsm.Ordinary)
	Put(&txn, view, release.Path, release.EncodeRecord(next))
	if members, ok := view.Get(fsm.PathMembers); ok {
		txn.Conditions = append(txn.Conditions,
			fsm.Condition{Kind: fsm.Unchanged, Path: fsm.PathMembers, Index: members.Mod})
	}
	if outcome, err := c.Commit(ctx, txn); err == nil && outcome.Kind == fsm.Applied {
		c.logger.Info("all nodes know the next level, so the cluster uses it", "level", next)
	}
}

// lowest is the newest level that all members know; 0 where one of them did not answer.
func lowest(members fsm.Members, s Survey) release.Level {
	answered := map[string]release.Release{}
	for _, m := range s.Members {
		if m.Answers {
			answered[m.ID] = m.Release
		}
	}
	low := release.Level(0)
	for i, m := range members {
		if r := answered[m.ID]; i == 0 || r.Newest < low {
			low = r.Newest
		}
	}
	return low
}

// programs are the members of a survey in package release's words.
func programs(members []Member) []release.Node {
	nodes := make([]release.Node, len(members))
	for i, m := range members {
		nodes[i] = release.Node{Name: m.Name(), Known: m.Release != release.Release{}, Release: m.Release}
		if m.Release.Version == "" { // one that tells no levels tells that in its status
			nodes[i].Release.Version = m.Status.About.Version
		}
	}
	return nodes
}

// mayWrite says why a transaction waits; nil where all members can apply it.
func (c *Cluster) mayWrite(txn fsm.Txn) error {
	feature := release.Of(uint8(txn.Verb))
	if txn.Verb == fsm.Change && takesVotes(c.View().Members(), txn) {
		feature = release.Demotion
	}
	return c.Awaits(feature)
}

// Awaits says why a feature waits; nil where all members know it.
func (c *Cluster) Awaits(feature release.Feature) error {
	level := c.Level()
	if level >= feature.Level {
		return nil
	}
	members, _ := c.Members()
	return feature.Wait(level, programs(members))
}

// takesVotes says whether a voter has no vote in the list of members that a transaction writes.
func takesVotes(members fsm.Members, txn fsm.Txn) bool {
	for _, w := range txn.Writes {
		if w.Path != fsm.PathMembers {
			continue
		}
		next, _ := fsm.DecodeMembers(w.Value) // what can't be read nobody signs
		for _, m := range next {
			if old, _ := members.Find(m.ID); old.Voter && !m.Voter {
				return true
			}
		}
	}
	return false
}

// Programs says in sentences what is to be known of the members' programs.
func (s Survey) Programs() []string {
	own := release.Release{}
	for _, m := range s.Members {
		if m.ID == s.By {
			own = m.Release
		}
	}
	if own == (release.Release{}) {
		return nil
	}
	return release.Outlook(own, s.Level, programs(s.Members))
}
