package cluster

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// A Member is a server of the committed configuration. What gossip fills in may be empty.
type Member struct {
	ID, Address   string
	Voter, Leader bool
	About         About
	Sealed        *bool // nil: not known
	Applied       uint64
}

// Members lists the last committed configuration, ordered by id, and its index.
func (c *Cluster) Members() ([]Member, uint64) {
	configuration, index := c.fsm.View().Configuration()
	leader := raft.ServerID(c.leader())
	var members []Member
	for _, s := range configuration.Servers {
		m := Member{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter, Leader: s.ID == leader}
		if heard, ok := c.gossip.Of(m.ID); ok {
			m.About, m.Sealed, m.Applied = aboutOf(heard), &heard.Sealed, heard.Applied
		}
		if m.ID == c.id {
			sealed := c.sealed.Load()
			m.About, m.Sealed, m.Applied = c.About, &sealed, c.fsm.View().Index()
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return members, index
}

// Standing is what this node knows of the Raft group without asking anybody.
type Standing struct {
	Leader             string // node id, "" when none is known
	Leads              bool   // this node does, in an opened term
	Since              time.Time
	Committed, Applied uint64
}

// Standing answers from memory.
func (c *Cluster) Standing() Standing {
	s := Standing{Leader: c.leader(), Leads: c.leads(), Committed: c.raft.CommitIndex(), Applied: c.fsm.View().Index()}
	if s.Leads {
		s.Since = time.Unix(0, c.openedAt.Load())
	}
	return s
}

// CaughtUp says whether this node knows a leader, and its state machine has been given all that it
// knows to be committed.
func (c *Cluster) CaughtUp() bool {
	return c.leader() != "" && c.raft.AppliedIndex() >= c.raft.CommitIndex()
}

// LeaderAbout asks the leader what it says of itself, for the addresses that gossip may not have brought yet.
func (c *Cluster) LeaderAbout(ctx context.Context) (About, error) {
	answer, err := atLeader(ctx, c, pathStatus, statusCall{}, c.serveStatus)
	if errors.Is(err, errNotLeader) {
		err = ErrUnavailable
	}
	return About{Label: answer.Label, Region: answer.Region, API: answer.API, Version: answer.Version}, err
}

type statusCall struct {
	_ struct{} `cbor:",toarray"`
}

type statusAnswer struct {
	_                           struct{} `cbor:",toarray"`
	Sealed                      bool
	Applied                     uint64
	Label, Region, API, Version string
	Gossip                      string // address to join, "" when gossip is off
	Trouble                     string // why this node had better not lead
	Clock                       int64  // wall clock, Unix milliseconds
	Astray                      bool   // its lease clock and the leader's run at different rates
	Trips                       []Trip
	Accused                     []Accusation // what this node has caught others at, as many as fit
	GossipKeys                  [32]byte     // the hash of those that it has
	Unfit                       bool         // it serves nobody, and is of no use to a majority
}

// maxAccusedTold bounds what a node tells of what it has seen.
const maxAccusedTold = 32

func (c *Cluster) serveStatus(context.Context, string, statusCall) (statusAnswer, error) {
	answer := statusAnswer{
		Sealed: c.sealed.Load() || c.diverged.Load() != nil, Applied: c.fsm.View().Index(),
		Label: c.About.Label, Region: c.About.Region, API: c.About.API, Version: c.About.Version,
		Clock: c.wall().UnixMilli(), Astray: c.astray.Load(), Trips: c.trips.list(),
		Accused: c.Accusations(), GossipKeys: c.gossip.Keys().Hash(),
	}
	answer.Accused = answer.Accused[:min(len(answer.Accused), maxAccusedTold)]
	unfit := c.unfit()
	answer.Unfit = unfit != nil
	if why := cmp.Or(unfit, c.trouble()); why != nil {
		answer.Trouble = why.Error()
	}
	if c.Gossip.Bind != "" {
		answer.Gossip = c.Gossip.Advertise
	}
	return answer, nil
}

// Unfit is why this member answers nothing; nil while it may.
func (c *Cluster) Unfit() error { return c.unfit() }

// Answers says whether a member answers within a second, and is of use to a majority.
func (c *Cluster) Answers(ctx context.Context, nodeID string) bool {
	if nodeID == c.id {
		return c.unfit() == nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	answer, err := ask[statusCall, statusAnswer](ctx, c, nodeID, pathStatus, statusCall{})
	return err == nil && !answer.Unfit
}
