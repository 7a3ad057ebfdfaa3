package cluster

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/internal/release"
)

// A Member is a server of the committed configuration, and what is known of it: from itself, and
// from the leader's books. A survey asks every member; Members knows only what was said already.
type Member struct {
	_       struct{} `cbor:",toarray"`
	ID      string   // node id
	Address string   // of its cluster port, host:port
	Voter   bool
	Leader  bool // as far as the node that tells this knows

	Answers   bool          // a survey asked it, and it answered within a second
	RoundTrip time.Duration // of that question; 0 for the node that asked
	Skew      time.Duration // of its wall clock against that node's, to within half a round trip

	// Known: it has said something lately. Status is its answer; where it did not answer, or was not
	// asked, what gossip brought last: About, Sealed and Applied. About stays when it is gone.
	Known  bool
	Status Status

	Account Account
	// Release is what it said of its program to the node that tells this; zero: nothing yet.
	Release release.Release `cbor:"-"`
}

// A Status is what a member says of itself when it is asked.
type Status struct {
	_           struct{} `cbor:",toarray"`
	About       About
	Sealed      bool
	Applied     uint64       // index of the newest entry that its state machine has applied
	Gossip      string       // host:port to join, "" when gossip is off
	Trouble     string       // why it had better not lead, "" for nothing
	Unfit       bool         // it serves nobody, and is of no use to a majority
	Clock       int64        // wall clock, Unix milliseconds
	ClockAstray bool         // its lease clock's rate differs from the leader's: it takes no lease
	RoundTrips  []RoundTrip  // to the others
	Accused     []Accusation // what it has caught others at, as many as fit
	GossipKeys  [32]byte     // the hash of those that it has
	Short       string       // of disk space, and why: it decides no writes; "" while it has room
}

// An Account is what the leader has in its books of a member. Whoever does not lead knows nothing
// of that, but whether it holds a lease itself.
type Account struct {
	_        struct{}      `cbor:",toarray"`
	Heard    time.Duration // since its last check-in; negative: none in this term, or not known
	Applied  uint64        // index of the newest entry that it had applied by then
	Lease    bool          // it may answer from its own copy without a message
	Barred   time.Duration // for how long yet it gets no lease, because writers had to wait for it
	BackOffs uint64        // how often it got none for a while, for that reason
	Refused  uint64        // how often it asked this leader for a lease in vain
}

// Name is what people call it: its label, or its id where nothing else is known.
func (m Member) Name() string { return cmp.Or(m.Status.About.Label, m.ID) }

// Serves says whether it answered as one that is unsealed, and in no trouble.
func (m Member) Serves() bool {
	return m.Answers && !m.Status.Sealed && m.Status.Trouble == ""
}

// Members lists the last committed configuration, ordered by id, and its index. It answers from
// memory.
func (c *Cluster) Members() (members []Member, index uint64) {
	members, index = c.listMembers(c.leader())
	c.addAccounts(members, c.leads())
	return members, index
}

func (c *Cluster) listMembers(leader string) (members []Member, index uint64) {
	configuration, index := c.fsm.View().Configuration()
	for _, s := range configuration.Servers {
		m := Member{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter}
		m.Leader = m.ID == leader
		m.Status, m.Known = c.lastStatus(m.ID)
		m.Release, _ = c.releaseOf(m.ID)
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return members, index
}

// lastStatus is what is known of a member without asking it.
func (c *Cluster) lastStatus(nodeID string) (s Status, known bool) {
	if nodeID == c.id {
		return c.status(), true
	}
	heard, known := c.gossip.Of(nodeID)
	if !known { // by its name people look for it, all the more when it is gone
		return Status{About: c.lastAbout(nodeID)}, false
	}
	return Status{About: aboutOf(heard), Sealed: heard.Sealed, Applied: heard.Applied}, known
}

// lastAbout is what a member said of itself last, by gossip or when it was asked.
func (c *Cluster) lastAbout(nodeID string) About {
	told, _ := c.told.Load(nodeID)
	asked, _ := told.(About)
	return cmp.Or(aboutOf(c.gossip.Last(nodeID)), asked)
}

func (c *Cluster) addAccounts(members []Member, leads bool) {
	for i := range members {
		members[i].Account = c.accountOf(members[i].ID, leads)
	}
}

func (c *Cluster) accountOf(nodeID string, leads bool) Account {
	own := nodeID == c.id
	if !leads {
		return Account{Heard: -1, Lease: own && c.Leased()}
	}
	l, refused := c.account(nodeID)
	a := Account{
		Heard: l.Heard, Applied: l.Applied, Lease: l.Holds,
		Barred: l.Barred, BackOffs: l.BackOffs, Refused: refused,
	}
	if own {
		a.Heard, a.Applied, a.Lease = 0, c.fsm.View().Index(), c.Leased()
	}
	return a
}

type statusCall struct {
	_ struct{} `cbor:",toarray"`
}

func (c *Cluster) serveStatus(context.Context, string, statusCall) (Status, error) {
	return c.status(), nil
}

// maxAccusedTold bounds what a node tells of what it has seen.
const maxAccusedTold = 32

// status is what this member says of itself. It waits for nothing.
func (c *Cluster) status() Status {
	s := Status{
		About: c.About, Sealed: c.sealed.Load() || c.diverged.Load() != nil,
		Applied: c.fsm.View().Index(), Clock: c.wall().UnixMilli(), ClockAstray: c.clockAstray.Load(),
		RoundTrips: c.roundTrips.list(), Accused: c.Accusations(), GossipKeys: c.gossip.Keys().Hash(),
	}
	s.Accused = s.Accused[:min(len(s.Accused), maxAccusedTold)]
	unfit := c.unfit()
	s.Unfit = unfit != nil
	if why := cmp.Or(unfit, c.trouble()); why != nil {
		s.Trouble = why.Error()
	}
	if why := c.shortHere(); why != nil {
		s.Short = why.Error()
	}
	if c.Gossip.Bind != "" {
		s.Gossip = c.Gossip.Advertise
	}
	return s
}

// askTimeout is how long a member is waited for.
const askTimeout = time.Second

// askStatus asks a member how it is, which may be this one.
func (c *Cluster) askStatus(ctx context.Context, nodeID string) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return atNode(ctx, c, nodeID, pathStatus, statusCall{}, c.serveStatus)
}

// Answers says whether a member answers within a second, and is of use to a majority.
func (c *Cluster) Answers(ctx context.Context, nodeID string) bool {
	s, err := c.askStatus(ctx, nodeID)
	return err == nil && !s.Unfit
}

// LeaderAbout asks the leader what it says of itself, for the addresses that gossip may not have
// brought yet.
func (c *Cluster) LeaderAbout(ctx context.Context) (About, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, err := atLeader(ctx, c, pathStatus, statusCall{}, c.serveStatus)
	if errors.Is(err, errNotLeader) || errors.Is(err, context.DeadlineExceeded) {
		err = ErrUnavailable
	}
	return s.About, err
}

// A Survey is the cluster as its leader sees it at one moment; without a leader, as one node does.
type Survey struct {
	_       struct{}      `cbor:",toarray"`
	By      string        // node id of who looked
	Leads   bool          // who leads
	Life    time.Duration // of leases; 0 where nobody leads
	Members []Member      // ordered by id
	Leader  string        // node id, as far as the surveyor knows
	Level   release.Level `cbor:"-"` // of the cluster, as the node that was asked for the survey has it
}

// Survey asks the leader to look at all members, and looks itself where no leader answers. What it
// returns is shared: it is only read.
func (c *Cluster) Survey(ctx context.Context) Survey {
	asking, cancel := context.WithTimeout(ctx, 3*askTimeout) // a look may be under way already
	defer cancel()
	s, err := atLeader(asking, c, "/v1/survey", surveyCall{}, c.serveSurvey)
	if err != nil || len(s.Members) == 0 {
		return c.look(ctx)
	}
	if s.By != c.id { // this member's own is shared by now, and has them
		c.addReleases(&s)
	}
	return s
}

// addReleases adds to a survey what no node tells of another.
func (c *Cluster) addReleases(s *Survey) {
	s.Level = c.Level()
	for i := range s.Members {
		s.Members[i].Release, _ = c.releaseOf(s.Members[i].ID)
	}
}

type surveyCall struct {
	_ struct{} `cbor:",toarray"`
}

// serveSurvey looks once for all who ask meanwhile. They share what it found.
func (c *Cluster) serveSurvey(ctx context.Context, _ string, _ surveyCall) (Survey, error) {
	if !c.leads() {
		return Survey{}, errNotLeader
	}
	return c.surveys.join(ctx, func() (Survey, error) { return c.look(c.ctx), nil })
}

// look asks every member at the same time.
func (c *Cluster) look(ctx context.Context) Survey {
	standing := c.Standing()
	s := Survey{By: c.id, Leads: standing.Leads, Leader: standing.Leader}
	if s.Leads {
		s.Life = c.life()
	}
	s.Members, _ = c.listMembers(s.Leader)
	var asked sync.WaitGroup
	for i := range s.Members {
		asked.Go(func() { c.visit(ctx, &s.Members[i]) })
	}
	asked.Wait()
	c.addAccounts(s.Members, s.Leads)
	c.addReleases(&s)
	return s
}

// visit asks a member, and notes what comes of it.
func (c *Cluster) visit(ctx context.Context, m *Member) {
	begun := time.Now()
	status, err := c.askStatus(ctx, m.ID)
	took := time.Since(begun)
	if err != nil {
		return
	}
	m.Answers, m.Known, m.Status = true, true, status
	c.told.Store(m.ID, status.About)
	if m.ID != c.id {
		m.RoundTrip = took
		then := c.wall().Add(-took / 2)
		m.Skew = time.UnixMilli(status.Clock).Sub(then).Truncate(time.Millisecond)
	}
}

// lag is how many entries the surveyor had applied that a member which answered had not.
func (s Survey) lag(m Member) uint64 {
	for _, by := range s.Members {
		if by.ID == s.By {
			return by.Status.Applied - min(by.Status.Applied, m.Status.Applied)
		}
	}
	return 0
}

// RoundTrip between two members is the shorter of what each has measured. false: neither has.
func (s Survey) RoundTrip(a, b string) (time.Duration, bool) {
	best, known := time.Duration(0), false
	for _, m := range s.Members {
		for _, trip := range m.Status.RoundTrips {
			between := m.ID == a && trip.To == b || m.ID == b && trip.To == a
			if between && (!known || trip.Took < best) {
				best, known = trip.Took, true
			}
		}
	}
	return best, known
}
